"""How soft the kernel was that a volume was reconstructed with, told from the texture of its noise.

What a reconstruction kernel does to detail it does to noise: where noise is smooth from pixel to pixel, detail was
smoothed too. Anatomy does not say it, as a slice of smooth tissue and a blurred one look alike; and a network sees too
little of a slice at a time to measure noise well.
"""

from __future__ import annotations

import numpy as np
import torch

UNKNOWN = 0.5
"""The softness of a volume without enough soft tissue to tell it from."""

TISSUE_HU = (-150.0, 200.0)
"""Where noise is measured: fat to enhanced organs, not lung and bone, which have a texture of their own."""

FEWEST = 500
"""Pixels of tissue below which nothing is measured."""

SLICES = 16
"""At most so many, evenly spaced, are measured of a volume."""

MIDDLE, STEEPNESS = 2.1, 20.0
"""Of the texture: the value between what was blurred and what was not, and the slope of the logistic function of its
logarithm. Fitted on degraded slices of 58 patients (``Testing/benchmarks/softness.py``)."""


def noise_texture(image: np.ndarray) -> float | None:
    """How much larger mixed differences are over two pixels than over one: 1 for white noise, more for smooth noise.

    A mixed difference, x[i, j] - x[i + d, j] - x[i, j + d] + x[i + d, j + d], is blind to ramps and to edges along rows
    and columns. Its size is the mean of its absolute value over what lies within three medians, so that other edges do
    not count.

    Args:
        image: (rows, columns) in HU.

    Returns:
        the ratio, or ``None`` with fewer than :data:`FEWEST` places all of whose pixels are soft tissue.
    """
    image = image.astype(np.float32)
    tissue = (image > TISSUE_HU[0]) & (image < TISSUE_HU[1])
    sizes = []
    for apart in (1, 2):
        first, last = slice(None, -apart), slice(apart, None)
        corners = [(rows, columns) for rows in (first, last) for columns in (first, last)]
        inside = np.logical_and.reduce([tissue[corner] for corner in corners])
        if np.count_nonzero(inside) < FEWEST:
            return None
        values = np.abs(image[corners[0]] - image[corners[1]] - image[corners[2]] + image[corners[3]])[inside]
        sizes.append(float(values[values <= 3.0 * np.median(values) + 1.0].mean()))
    return sizes[1] / sizes[0] if sizes[0] > 0.0 else None


def measure_softness(voxels: np.ndarray) -> float:
    """Of a stack of slices (slices, rows, columns) in HU: 0, the kernel kept detail, to 1, it smoothed it."""
    chosen = np.unique(np.linspace(0, len(voxels) - 1, SLICES).round().astype(int))
    textures = [texture for index in chosen if (texture := noise_texture(voxels[index])) is not None]
    if not textures:
        return UNKNOWN
    # further from the middle nothing changes, and powers would overflow
    power = np.clip(np.median(textures) / MIDDLE, 0.1, 10.0) ** STEEPNESS
    return float(power / (1.0 + power))


def with_softness(image: torch.Tensor, softness: torch.Tensor) -> torch.Tensor:
    """Slices (B, 1, H, W) and the softness of each, (B,), as the (B, 2, H, W) that a network takes that is told."""
    return torch.cat([image, softness.reshape(-1, 1, 1, 1).expand_as(image)], dim=1)
