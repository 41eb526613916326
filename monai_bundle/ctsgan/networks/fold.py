"""A trained network's form for inference."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from .collapsible import CollapsibleConv2d
from .rrdb import DenseBlock


def fold(network: nn.Module) -> nn.Module:
    """A copy in evaluation mode that computes the same with plain convolutions only.

    Batch normalisation goes into the convolutions before it, which leaves the parameters of
    ``CTsGANGenerator(..., batch_norm=False)``, an ESRGAN; collapsible convolutions are collapsed, which leaves
    those of ``LightGenerator(..., collapsed=True)``.

    Args:
        network: any generator of this package, folded already or not. It stays as it is.

    Returns:
        the copy, on the same device and in the same precision, its output the same to rounding as that of the
        network in evaluation mode.
    """
    folded = copy.deepcopy(network).eval()
    # collapse() draws initial weights: folding amid a training run must not shift the run's random numbers
    with torch.random.fork_rng(devices=[]):
        for module in list(folded.modules()):
            if isinstance(module, DenseBlock):
                _fold_normalisations(module)
            for name, child in list(module.named_children()):
                if isinstance(child, CollapsibleConv2d):
                    setattr(module, name, child.collapse().to(child.skip))
    return folded.eval()


def _fold_normalisations(block: DenseBlock) -> None:
    for index in range(1, 6):
        norm = block.get_submodule(f"norm{index}")
        if isinstance(norm, nn.BatchNorm2d):
            conv = block.get_submodule(f"conv{index}")
            setattr(block, f"conv{index}", fuse_conv_bn_eval(conv, norm))
            setattr(block, f"norm{index}", nn.Identity())
