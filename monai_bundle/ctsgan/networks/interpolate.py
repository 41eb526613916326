"""The restoration strength: a network between two."""

from __future__ import annotations

from collections.abc import Mapping

import torch


def interpolate(
    first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor], strength: float
) -> dict[str, torch.Tensor]:
    """The weights between those of two networks, (1 - strength) first + strength second.

    Network interpolation of ESRGAN (Wang et al., ECCV Workshops 2018, section 3.4): between a network trained
    for fidelity and the same one trained on for texture, the output changes steadily. Fold both networks first:
    the statistics of a batch normalisation between them are not those of the network between them.

    Args:
        first: state dictionary at strength 0.
        second: state dictionary at strength 1, the first one trained further.
        strength: from 0 to 1.

    Returns:
        new tensors in float32, in the order and on the devices of ``first``; whole numbers, which are counters,
        come from the nearer network as they are.

    Raises:
        ValueError: if strength lies outside [0, 1], or the dictionaries differ in keys or shapes.
    """
    if not 0.0 <= strength <= 1.0:
        raise ValueError(f"strength must be from 0 to 1, got {strength}")
    if first.keys() != second.keys():
        only = sorted(first.keys() ^ second.keys())
        raise ValueError(f"state dictionaries differ in {len(only)} keys: {', '.join(only[:5])}")
    between = {}
    for name, start in first.items():
        end = second[name].to(start.device)
        if start.shape != end.shape:
            raise ValueError(f"{name} has shape {tuple(start.shape)} in the first, {tuple(end.shape)} in the second")
        if start.is_floating_point():
            between[name] = torch.lerp(start.detach().float(), end.detach().float(), strength)
        else:
            between[name] = (start if strength < 0.5 else end).clone()
    return between
