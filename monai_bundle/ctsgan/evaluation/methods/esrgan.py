"""ESRGAN's network with two sets of weights for photographs.

- ``Real-ESRGAN``: x4plus (Wang et al., ICCV Workshops 2021), trained on second-order degradations.
- ``RealSR DF2K``: ESRGAN trained with kernels and noise estimated from photographs (Ji et al., CVPR Workshops 2020).
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from ...networks import CTsGANGenerator
from . import ncnn
from .download import REALESRGAN, REALSR, Download, member
from .method import Enhance, Method, through_pictures

BLOCKS = 23
SCALE = 4


def parameter_names(blocks: int = BLOCKS) -> list[str]:
    """Our generator's convolutions in the order in which ncnn's file holds them."""
    body = [
        f"body.{block}.rdb{dense}.conv{conv}"
        for block in range(blocks)
        for dense in range(1, 4)
        for conv in range(1, 6)
    ]
    return ["conv_first", *body, "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]


def grey_network(weights: list[tuple[torch.Tensor, torch.Tensor]], blocks: int = BLOCKS) -> CTsGANGenerator:
    """Our generator with ESRGAN's weights for three channels.

    Three equal channels into a convolution are one channel into the sum of its weights, and the mean of three
    channels is the mean of the weights that make them: so nothing is computed three times, and nothing else
    changes. Grey (1, 1, H, W) to (1, 1, 4 H, 4 W).
    """
    state = {}
    for name, (weight, bias) in zip(parameter_names(blocks), weights, strict=True):
        if name == "conv_first":
            weight = weight.sum(dim=1, keepdim=True)
        if name == "conv_last":
            weight, bias = weight.mean(dim=0, keepdim=True), bias.mean(dim=0, keepdim=True)
        state[f"{name}.weight"], state[f"{name}.bias"] = weight, bias
    network = CTsGANGenerator(SCALE, blocks=blocks, batch_norm=False)
    network.load_state_dict(state)
    return network


def _prepare(download: Download, path: str) -> Callable[[int, str], Enhance]:
    def prepare(scale: int, preset: str) -> Enhance:
        weights = ncnn.read_model(member(download, f"{path}.param"), member(download, f"{path}.bin"))
        return through_pictures(grey_network(list(weights.values())), scale)

    return prepare


METHODS = {
    name: Method(
        scales=(SCALE,),
        prepare=_prepare(download, path),
        identity=lambda scale, preset, download=download, path=path: f"{download.sha256[:16]} {path}",
        licence=download.licence,
    )
    for name, download, path in (
        ("Real-ESRGAN", REALESRGAN, "models/realesrgan-x4plus"),
        ("RealSR DF2K", REALSR, "models/models-DF2K/x4"),
    )
}
