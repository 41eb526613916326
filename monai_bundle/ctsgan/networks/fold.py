"""A trained network's form for inference."""

from __future__ import annotations

import copy

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .rrdb import DenseBlock


def fold(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode that computes the same with plain convolutions only.

    Batch normalisation goes into the convolutions before it, which leaves the parameters of
    ``CTsGANGenerator(..., batch_norm=False)``, an ESRGAN. A generator without it is copied as it is.

    Args:
        network: any generator of this package, folded already or not. It stays as it is.

    Returns:
        the copy, on the same device and in the same precision, its output the same to rounding as that of the
        network in evaluation mode.
    """
    folded = copy.deepcopy(network).eval()
    for module in folded.modules():
        if isinstance(module, DenseBlock):
            _fold_normalisations(module)
    # what was put in the place of a normalisation is new
    return folded.eval()


def _fold_normalisations(block: DenseBlock) -> None:
    for index in range(1, 6):
        norm = block.get_submodule(f"norm{index}")
        if isinstance(norm, nn.BatchNorm2d):
            conv = block.get_submodule(f"conv{index}")
            setattr(block, f"conv{index}", fuse_conv_bn_eval(conv, norm))
            setattr(block, f"norm{index}", nn.Identity())
