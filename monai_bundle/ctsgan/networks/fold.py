"""A trained network's form for inference."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .rrdb import CTsGANGenerator, DenseBlock, UnroundedConv2d


def fold(network: nn.Module, softness: float | None = None) -> nn.Module:
    """A copy in evaluation mode that computes the same with plain convolutions only.

    Batch normalisation goes into the convolutions before it, which leaves the parameters of
    ``CTsGANGenerator(..., batch_norm=False)``, an ESRGAN. A generator without it is copied as it is.

    Args:
        network: any generator of this package, folded already or not. It stays as it is.
        softness: that a :class:`CTsGANGenerator` is told from now on, -1 to 1, which leaves one that is not told, for
            programs that know no softness; ``None`` leaves it one that is told.

    Returns:
        the copy, on the same device and in the same precision, its output the same to rounding as that of the
        network in evaluation mode. With ``softness`` it differs near the edges of a slice: beyond them is softness 0.
    """
    folded = copy.deepcopy(network).eval()
    if softness is not None and isinstance(folded, CTsGANGenerator) and folded.told:
        _tell(folded, softness)
    for module in folded.modules():
        if isinstance(module, DenseBlock):
            _fold_normalisations(module)
    # what was put in the place of a normalisation is new
    return folded.eval()


def _tell(network: CTsGANGenerator, softness: float) -> None:
    told = network.conv_first
    pixels = told.in_channels - 1
    first = UnroundedConv2d(pixels, told.out_channels, 3, padding=1).to(told.weight)
    with torch.no_grad():
        first.weight.copy_(told.weight[:, :pixels])
        first.bias.copy_(told.bias + softness * told.weight[:, pixels:].sum(dim=(1, 2, 3)))
    network.conv_first, network.told = first, False


def _fold_normalisations(block: DenseBlock) -> None:
    for index in range(1, 6):
        norm = block.get_submodule(f"norm{index}")
        if isinstance(norm, nn.BatchNorm2d):
            conv = block.get_submodule(f"conv{index}")
            setattr(block, f"conv{index}", fuse_conv_bn_eval(conv, norm))
            setattr(block, f"norm{index}", nn.Identity())
