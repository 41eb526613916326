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
        -6.403, 0.612, 7.065, -1.599, 2.863, 0.753,
        2.495, 1.192, -0.966, 2.947, 1.189, -30.689, 6.551, 2.398, 10.808,
        -2.517, -0.266, -3.060, 2.036, 1.354, 0.242,
    ),
    2: (
        -5.834, 3.198, -11.151, -2.888, 4.197, -0.043,
        3.400, -14.501, -3.262, 5.087, 3.157, -49.866, 3.768, -0.079, 1.413,
        -8.658, -3.465, -5.288, 4.126, 2.132, -0.835,
    ),
    4: (
        -3.912, -0.103, -12.782, -2.148, 4.863, -0.626,
        -1.992, -15.953, -5.041, 4.813, -1.148, -28.269, -4.736, 0.882, 1.969,
        -5.019, -4.873, -5.335, 5.118, 1.270, -0.063,
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


def _plateaus(image: np.ndarray) -> np.ndarray:
    """Pixels that equal all their neighbours along rows and columns: padding, whose value may be that of tissue."""
    plateaus = np.ones(image.shape, dtype=bool)
    for axis in range(2):
        equal = np.diff(image, axis=axis) == 0
        for first, last in ((0, 1), (1, 0)):
            edges = [(0, 0), (0, 0)]
            edges[axis] = (first, last)
            plateaus &= np.pad(equal, edges, constant_values=True)
    return plateaus


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
        without noise, or with fewer than :data:`FEWEST` places all of whose pixels are soft tissue and no padding.
    """
    image = image.astype(np.float32)
    tissue = (image > TISSUE_HU[0]) & (image < TISSUE_HU[1]) & ~_plateaus(image)
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
