"""CTsGAN's generator with what an ESRGAN has learnt from photographs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from .rrdb import CTsGANGenerator

OUTSIDE_BODY = 6
"""Convolutions of an ESRGAN that are in no dense block: conv_first, then body, up1, up2, hr and last."""
IN_BLOCK = 15
"""Convolutions of one residual-in-residual dense block."""

Layer = tuple[torch.Tensor, torch.Tensor]
"""Weight and bias of a convolution."""


def parameter_names(blocks: int) -> list[str]:
    """The generator's convolutions from input to output, which is the order of every ESRGAN's file."""
    body = [
        f"body.{block}.rdb{dense}.conv{conv}"
        for block in range(blocks)
        for dense in range(1, 4)
        for conv in range(1, 6)
    ]
    return ["conv_first", *body, "conv_body", "conv_up1", "conv_up2", "conv_hr", "conv_last"]


def from_esrgan(layers: Sequence[Layer], network: CTsGANGenerator) -> dict[str, torch.Tensor]:
    """Weights for a generator from those of an ESRGAN for colour or grey pictures.

    Three equal channels into a convolution are one channel into the sum of its weights, and the mean of three channels
    is the mean of the weights that make them. An ESRGAN with more blocks hands on as many as there are, evenly spread
    from the first to the last. One whose entrance takes fewer pixels together (Real-ESRGAN's pixel-unshuffle) sees in
    their place the mean of more; one that takes more sees the same pixel several times. A generator that is told a
    softness begins as one that does not listen.

    Args:
        layers: its convolutions from input to output, with two doublings of the resolution.
        network: the generator that is to have them; it is not changed.

    Returns:
        a state dictionary for ``network`` without its normalisations.

    Raises:
        ValueError: if these are not the convolutions of such a network.
    """
    blocks, rest = divmod(len(layers) - OUTSIDE_BODY, IN_BLOCK)
    own = len(network.body)
    if rest or blocks < own:
        raise ValueError(f"it has {len(layers)} convolutions, not those of an ESRGAN of {own} blocks or more")
    first, body, last = layers[:1], layers[1 : 1 - OUTSIDE_BODY], layers[1 - OUTSIDE_BODY :]
    kept = [round(block * (blocks - 1) / max(own - 1, 1)) for block in range(own)]
    chosen = [layer for block in kept for layer in body[IN_BLOCK * block : IN_BLOCK * (block + 1)]]
    state = {}
    for name, (weight, bias) in zip(parameter_names(own), [*first, *chosen, *last], strict=True):
        if name == "conv_first":
            weight = _grey_entrance(weight, network.size_multiple)
            if network.told:
                weight = torch.cat([weight, torch.zeros_like(weight[:, :1])], dim=1)
        if name == "conv_last":
            weight, bias = weight.mean(dim=0, keepdim=True), bias.mean(dim=0, keepdim=True)
        wanted = network.get_submodule(name).weight.shape
        if weight.shape != wanted:
            raise ValueError(f"its {name} has the shape {tuple(weight.shape)}, where {tuple(wanted)} is needed")
        state[f"{name}.weight"], state[f"{name}.bias"] = weight.float(), bias.float()
    return state


def _grey_entrance(weight: torch.Tensor, multiple: int) -> torch.Tensor:
    """The first convolution for one channel of ``multiple`` x ``multiple`` pixels together."""
    features, channels = weight.shape[:2]
    colours = 3 if channels % 3 == 0 else 1
    edge = math.isqrt(channels // colours)
    if edge * edge * colours != channels or edge not in (1, 2, 4):
        raise ValueError(f"its entrance takes {channels} channels, not 1 or 3 of a square of pixels")
    grey = weight.reshape(features, colours, edge, edge, 3, 3).sum(dim=1)
    if edge > multiple:
        ratio = edge // multiple
        grey = grey.reshape(features, multiple, ratio, multiple, ratio, 3, 3).sum(dim=(2, 4))
    else:
        ratio = multiple // edge
        grey = grey.repeat_interleave(ratio, 1).repeat_interleave(ratio, 2) / ratio**2
    return grey.reshape(features, multiple**2, 3, 3)


@torch.no_grad()
def calibrate(network: CTsGANGenerator, images: torch.Tensor) -> None:
    """Let every batch normalisation begin as one that changes nothing, with the statistics of these images.

    Statistics are those of the convolution before it, and gain and offset undo what they do. In evaluation mode the
    network is then the one without normalisation, and in training nearly so, as far as a batch is like the images.

    Args:
        network: its normalisations are set; its mode stays.
        images: (B, 1, H, W) in the networks' range, with the softness as a second channel where the network is told;
            the more and the more different, the better.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    training = network.training
    for norm in norms:
        norm.reset_running_stats()
        norm.running_var.fill_(1.0 - norm.eps)
        norm.weight.fill_(1.0)
        norm.bias.zero_()

    def measure(norm: nn.BatchNorm2d, arguments: tuple[torch.Tensor]) -> None:
        variance, mean = torch.var_mean(arguments[0], dim=(0, 2, 3))
        found[norm] = mean, variance

    found: dict[nn.BatchNorm2d, tuple[torch.Tensor, torch.Tensor]] = {}
    hooks = [norm.register_forward_pre_hook(measure) for norm in norms]
    try:
        network.eval()(images)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    for norm, (mean, variance) in found.items():
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.copy_((variance + norm.eps).sqrt())
        norm.bias.copy_(mean)
