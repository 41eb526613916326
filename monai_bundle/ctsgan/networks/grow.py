"""A larger light generator that begins with the function of a smaller one."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from .light import LightGenerator


def grow(small: Mapping[str, torch.Tensor], network: LightGenerator) -> dict[str, torch.Tensor]:
    """Weights with which a generator with more features or blocks computes what a smaller one does.

    The idea is Net2Net's (Chen et al., ICLR 2016): what was learnt at the smaller one's price is not learnt again.
    The small one's channels come first and hear nothing of the new ones, which are as they were initialised, and a
    new block adds nothing; training connects them from the first update on.

    Args:
        small: state dictionary of a generator of the same scale.
        network: the larger one; it is not changed.

    Returns:
        a state dictionary for ``network``.

    Raises:
        ValueError: if the scales differ, or ``network`` is smaller anywhere.
    """
    grown = {name: value.clone() for name, value in network.state_dict().items()}
    if small["entrance.weight"].shape[1] != grown["entrance.weight"].shape[1] or (
        small["exit.weight"].shape[0] != grown["exit.weight"].shape[0]
    ):
        raise ValueError("a generator grows only into one of the same scale")
    for name, value in small.items():
        if name not in grown or any(old > new for old, new in zip(value.shape, grown[name].shape, strict=True)):
            raise ValueError(f"{name} of {tuple(value.shape)} has no place in the network that is to grow from it")
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
