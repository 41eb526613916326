"""A larger light generator that begins with the function of a smaller one."""

from __future__ import annotations

from collections.abc import Mapping
from operator import gt

import torch

from .light import LightGenerator

SOFT_PREFIX = "soft."
"""Of the names of the weights for soft kernels, in a generator with experts."""


def misfit(small: Mapping[str, torch.Tensor], network: LightGenerator) -> str | None:
    """Why ``network`` cannot :func:`grow` from a generator of these weights; ``None`` if it can."""
    own = {name: value.shape for name, value in network.state_dict().items()}
    for name, value in small.items():
        if name not in own or len(value.shape) != len(own[name]) or any(map(gt, value.shape, own[name])):
            return f"{name} of {tuple(value.shape)} has no place in the network that is to grow from it"
    entrance, exits = (small[name].shape if name in small else None for name in ("entrance.weight", "exit.weight"))
    pixels = network.size_multiple**2
    if (
        entrance is None
        or exits is None
        or exits[0] != own["exit.weight"][0]
        or entrance[1] not in (pixels, pixels + 1)
    ):
        return "a generator grows only into one of the same scale"
    return None


def was_told(weights: Mapping[str, torch.Tensor], network: LightGenerator) -> bool:
    """Whether weights of a generator of the same scale as ``network`` take a softness."""
    entrance = weights.get("entrance.weight")
    return entrance is not None and entrance.shape[1] == network.size_multiple**2 + 1


def grow(small: Mapping[str, torch.Tensor], network: LightGenerator) -> dict[str, torch.Tensor]:
    """Weights with which a generator with more features or blocks computes what a smaller one does.

    The idea is Net2Net's (Chen et al., ICLR 2016): what was learnt at the smaller one's price is not learnt again.
    The small one's channels come first and hear nothing of the new ones, which are as they were initialised, and a
    new block adds nothing; training connects them from the first update on. One that is told a softness begins as one
    that does not listen, one with experts with two that are alike.

    Args:
        small: state dictionary of a generator of the same scale.
        network: the larger one; it is not changed.

    Returns:
        a state dictionary for ``network``.

    Raises:
        ValueError: with the words of :func:`misfit`.
    """
    reason = misfit(small, network)
    if reason is not None:
        raise ValueError(reason)
    grown = {name: value.clone() for name, value in network.state_dict().items()}
    if network.soft is not None and not any(name.startswith(SOFT_PREFIX) for name in small):
        # both experts begin as the one that was there
        small = {**small, **{SOFT_PREFIX + name: value for name, value in small.items()}}
    for name, value in small.items():
        channels = len(value)
        if value.dim() > 1:
            grown[name][:channels, value.shape[1] :] = 0.0
            grown[name][:channels, : value.shape[1]] = value
        else:
            grown[name][:channels] = value
    for name, value in grown.items():
        if ".conv2." in name and name not in small:
            value.zero_()
    return grown
