"""How soft the kernel was that a volume was reconstructed with, told from the texture of its noise.

What a reconstruction kernel does to detail it does to noise: where noise is smooth from pixel to pixel, detail was
smoothed too. Anatomy does not say it, as a slice of smooth tissue and a blurred one look alike; and a network sees too
little of a slice at a time to measure noise well.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch

UNKNOWN = 0.5
"""The softness of a volume without enough soft tissue to tell it from."""

TISSUE_HU = (-150.0, 200.0)
"""Where noise is measured: fat to enhanced organs, not lung and bone, which have a texture of their own."""

FEWEST = 500
"""Differences below which nothing is measured."""

SLICES = 16
"""At most so many, evenly spaced, are measured of a volume."""

# fmt: off
WEIGHTS: dict[int, tuple[float, ...]] = {
    1: (
        -6.084, -2.130, 7.372, -2.314, 2.231, 0.791,
        -0.164, 9.266, -7.192, 2.646, -2.021, -76.487, 8.429, 9.751, 18.302,
        -7.918, -3.576, -3.129, 2.425, 1.812, 0.725,
    ),
    2: (
        -4.797, 3.142, -16.942, -1.770, 3.337, -0.604,
        5.736, -12.742, -6.027, 5.238, 2.637, -64.238, -4.708, 0.198, -3.431,
        12.095, -4.584, -2.863, 3.628, 2.146, -0.566,
    ),
    4: (
        -4.346, 1.207, -10.702, -3.103, 3.643, -1.031,
        1.501, -9.623, -7.699, 4.312, -1.980, -20.801, -11.789, 2.208, -2.081,
        8.710, -5.115, -3.449, 3.604, -0.050, 0.326,
    ),
}
# fmt: on
"""By scale, of :func:`monomials`: those of the logistic function that tells slices which were blurred before noise came
from slices which were not. Fitted on degraded slices of 58 patients (``Testing/benchmarks/softness.py``)."""


def _differences(image: np.ndarray, tissue: np.ndarray, apart: tuple[int, int]) -> np.ndarray:
    """Over so many (rows, columns), mixed where both are more than 0, of places all of whose pixels are tissue."""
    inside, differences = tissue, image
    for axis, pixels in enumerate(apart):
        if pixels:
            last = range(pixels, differences.shape[axis])
            first = range(differences.shape[axis] - pixels)
            inside = inside.take(last, axis) & inside.take(first, axis)
            differences = differences.take(last, axis) - differences.take(first, axis)
    return differences[inside]


def _size(differences: np.ndarray) -> np.floating:
    """The mean of absolute values within three medians, so that edges do not count; nan where there are few."""
    if differences.size < FEWEST:
        return np.float64(np.nan)
    sizes = np.abs(differences)
    return sizes[sizes <= 3.0 * np.median(sizes) + 1.0].mean(dtype=np.float64)


def noise_texture(image: np.ndarray) -> np.ndarray | None:
    """How the differences of pixels of soft tissue grow with their distance, five logarithms.

    Differences along rows and columns see noise and, at a distance, anatomy. Mixed differences,
    x[i, j] - x[i + d, j] - x[i, j + d] + x[i + d, j + d], are blind to ramps and to edges along rows and columns, so
    they see noise almost alone: those at two pixels are as large as those at one where noise is white.

    Args:
        image: (rows, columns) in HU.

    Returns:
        the logarithms of the sizes of differences over 2 pixels to 1, over 3 to 2, of mixed differences to differences
        over 1 pixel, of mixed differences over 2 pixels to 1, and of differences over 1 pixel to 10 HU; ``None``
        without noise, or with fewer than :data:`FEWEST` places all of whose pixels are soft tissue.
    """
    image = image.astype(np.float32)
    tissue = (image > TISSUE_HU[0]) & (image < TISSUE_HU[1])
    straight = [
        np.concatenate([_differences(image, tissue, (d, 0)), _differences(image, tissue, (0, d))]) for d in (1, 2, 3)
    ]
    mixed = [_differences(image, tissue, (d, d)) for d in (1, 2)]
    one, two, three, mixed_one, mixed_two = (_size(differences) for differences in (*straight, *mixed))
    with np.errstate(divide="ignore", invalid="ignore"):
        texture = np.log([two / one, three / two, mixed_one / one, mixed_two / mixed_one, one / 10.0])
    return texture if np.isfinite(texture).all() else None


def monomials(texture: np.ndarray) -> np.ndarray:
    """1, the numbers of a texture (..., 5), and their products by twos, (..., 21)."""
    pairs = itertools.combinations_with_replacement(np.moveaxis(texture, -1, 0), 2)
    products = [first * second for first, second in pairs]
    return np.stack([np.ones_like(texture[..., 0]), *np.moveaxis(texture, -1, 0), *products], axis=-1)


def measure_softness(voxels: np.ndarray, scale: int) -> float:
    """Of a stack of slices (slices, rows, columns) in HU: 0, the kernel kept detail, to 1, it smoothed it.

    Args:
        voxels: the input of a network.
        scale: that of the network: with the pixels the anatomy changes that noise is measured in.
    """
    chosen = np.unique(np.linspace(0, len(voxels) - 1, SLICES).round().astype(int))
    textures = [texture for index in chosen if (texture := noise_texture(voxels[index])) is not None]
    if not textures:
        return UNKNOWN
    # clipped, as what is further from the middle than 0.999 is no surer
    return float(1.0 / (1.0 + np.exp(-np.clip(monomials(np.median(textures, axis=0)) @ WEIGHTS[scale], -7.0, 7.0))))


def with_softness(image: torch.Tensor, softness: torch.Tensor) -> torch.Tensor:
    """Slices (B, 1, H, W) and the softness of each, (B,), as the (B, 2, H, W) that a network takes that is told."""
    return torch.cat([image, softness.reshape(-1, 1, 1, 1).expand_as(image)], dim=1)
