"""How soft the kernel was that a volume was reconstructed with, told from the texture of its noise.

What a reconstruction kernel does to detail it does to noise: where noise is smooth from pixel to pixel, detail was
smoothed too, and so it is with software that makes pixels wider. Anatomy does not say it, as a slice of smooth tissue
and a blurred one look alike; and a network sees too little of a slice at a time to measure noise well.
"""

from __future__ import annotations

import functools
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from .errors import CTError

UNKNOWN = 0.5
"""The softness of a volume without enough soft tissue to tell it from."""

SHARP = 0.3
"""Softness up to which the measure leaves no doubt that detail was not smoothed."""

TISSUE_HU = (-150.0, 200.0)
"""Where noise is measured: fat to enhanced organs, not lung and bone, which have a texture of their own."""

FEWEST = 500
"""Places below which nothing is measured."""

SLICES = 16
"""At most so many, evenly spaced, are measured of a volume."""

ONE = (1.0,)
STENCILS = (
    *((ONE, along) for along in ((1.0, -1.0), (1.0, 0.0, -1.0), (1.0, 0.0, 0.0, -1.0), (1.0, 0.0, 0.0, 0.0, -1.0))),
    *((ONE, along) for along in ((1.0, -2.0, 1.0), (1.0, 0.0, -2.0, 0.0, 1.0))),
    *((ONE, along) for along in ((1.0, -3.0, 3.0, -1.0), (1.0, -4.0, 6.0, -4.0, 1.0))),
    *((taps, taps) for taps in ((1.0, -1.0), (1.0, 0.0, -1.0), (1.0, 0.0, 0.0, -1.0), (1.0, -2.0, 1.0))),
    ((1.0, -1.0), (1.0, 0.0, -1.0)),
    ((1.0, -2.0, 1.0), (1.0, -1.0)),
    ((1.0, -1.0), (1.0, 0.0, 0.0, -1.0)),
)
"""Weights across and along a line of pixels, whose weighted sums are measured in both directions: differences over 1 to
4 pixels, second ones over 1 and 2, third and fourth ones; mixed ones, which are blind to ramps and to edges along rows
and columns and so see noise almost alone. The first is what the others are compared with."""


def _sums(image: np.ndarray, tissue: np.ndarray, stencil: Sequence[Sequence[float]]) -> np.ndarray:
    """Sums weighted by a stencil (rows, columns), of all places where it covers nothing but tissue."""
    inside, sums = tissue, image
    for axis, taps in enumerate(stencil):
        length = sums.shape[axis] - len(taps) + 1
        if length < 1:
            return np.empty(0, image.dtype)
        parts = [(slice(None),) * axis + (slice(start, start + length),) for start in range(len(taps))]
        inside = np.logical_and.reduce([inside[part] for part in parts])
        sums = sum(tap * sums[part] for tap, part in zip(taps, parts, strict=True) if tap)
    return sums[inside]


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


def _size(sums: np.ndarray) -> np.floating:
    """The mean of absolute values within three medians, so that edges do not count; nan where there are few."""
    if sums.size < FEWEST:
        return np.float64(np.nan)
    sizes = np.abs(sums)
    return sizes[sizes <= 3.0 * np.median(sizes) + 1.0].mean(dtype=np.float64)


def noise_texture(image: np.ndarray) -> np.ndarray | None:
    """How large differences of pixels of soft tissue are, near and far, straight and mixed: as many logarithms as
    there are :data:`STENCILS`.

    Args:
        image: (rows, columns) in HU.

    Returns:
        the logarithms of the sizes of all sums but the first's over the first's, and of the first's over 10 HU;
        ``None`` without noise, or with fewer than :data:`FEWEST` places that are soft tissue and no padding.
    """
    image = image.astype(np.float32)
    tissue = (image > TISSUE_HU[0]) & (image < TISSUE_HU[1]) & ~_plateaus(image)
    sizes = []
    for across, along in STENCILS:
        directions = {(across, along), (along, across)}
        sizes.append(_size(np.concatenate([_sums(image, tissue, stencil) for stencil in sorted(directions)])))
    with np.errstate(divide="ignore", invalid="ignore"):
        texture = np.log(np.append(np.divide(sizes[1:], sizes[0]), sizes[0] / 10.0))
    return texture if np.isfinite(texture).all() else None


def monomials(texture: np.ndarray) -> np.ndarray:
    """1, the numbers of a texture (..., n), and their products by twos, (..., 1 + n + n (n + 1) / 2)."""
    numbers = np.moveaxis(texture, -1, 0)
    products = [first * second for first, second in itertools.combinations_with_replacement(numbers, 2)]
    return np.stack([np.ones_like(texture[..., 0]), *numbers, *products], axis=-1)


@functools.cache
def fitted(scale: int) -> dict[str, np.ndarray]:
    """What tells a texture's kind: ``mean`` and ``spread`` that textures are taken to units of, and for two kinds,
    ``sharpened`` and ``soft``, the weights of the :func:`monomials` of that; those of the third kind are zero.

    Fitted on degraded slices of 58 patients (``Testing/benchmarks/softness.py``).

    Raises:
        CTError: for a scale at which it was not fitted.
    """
    content = json.loads(Path(__file__).with_name("softness.json").read_text(encoding="utf-8"))
    if str(scale) not in content:
        raise CTError(f"at x{scale} noise does not tell how soft a kernel was; train with --tell False")
    return {name: np.array(values) for name, values in content[str(scale)].items()}


def softness_of(texture: np.ndarray, fit: Mapping[str, np.ndarray]) -> np.ndarray:
    """From textures (..., n), -1 to 1: the chance that detail was smoothed, less the chance that it was sharpened."""
    inputs = monomials((texture - fit["mean"]) / fit["spread"])
    # clipped, as what is further than that is no surer
    sharpened, soft = (np.exp(np.clip(inputs @ fit[kind], -7.0, 7.0)) for kind in ("sharpened", "soft"))
    return (soft - sharpened) / (1.0 + soft + sharpened)


def measure_softness(voxels: np.ndarray, scale: int) -> float:
    """Of a stack of slices (slices, rows, columns) in HU: 1, the kernel smoothed detail; 0, pixels are means over their
    footprints; to -1, finer ones were reduced by a filter that is sharper than the mean, as software does.

    Args:
        voxels: the input of a network.
        scale: that of the network: with the pixels the anatomy changes that noise is measured in.
    """
    fit = fitted(scale)
    chosen = np.unique(np.linspace(0, len(voxels) - 1, SLICES).round().astype(int))
    textures = [texture for index in chosen if (texture := noise_texture(voxels[index])) is not None]
    return float(softness_of(np.median(textures, axis=0), fit)) if textures else UNKNOWN


def with_softness(image: torch.Tensor, softness: torch.Tensor) -> torch.Tensor:
    """Slices (B, 1, H, W) and the softness of each, (B,), as the (B, 2, H, W) that a network takes that is told."""
    return torch.cat([image, softness.reshape(-1, 1, 1, 1).expand_as(image)], dim=1)
