"""Filters on slices: tensors in, tensors out.

Images are (..., H, W). Lengths are in millimetres where a function asks for a spacing, in pixels elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F

Slices = TypeVar("Slices", torch.Tensor, np.ndarray)


def gaussian_taps(sigma: float, truncate: float = 4.0) -> torch.Tensor:
    """Normalised samples of a Gaussian of standard deviation ``sigma`` pixels, cut at ``truncate`` sigma."""
    radius = max(int(truncate * sigma + 0.5), 1)
    positions = torch.arange(-radius, radius + 1, dtype=torch.float64)
    taps = torch.exp(-0.5 * (positions / sigma) ** 2)
    return taps / taps.sum()


def filter_separable(image: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Convolve (..., H, W) with ``rows`` taps down the columns and ``columns`` taps along the rows.

    Beyond the edge the image goes on with its edge value, so that a constant stays that constant.
    """
    flat = image.reshape(-1, 1, *image.shape[-2:])
    for taps, axis in ((rows, 0), (columns, 1)):
        radius = taps.numel() // 2
        if radius == 0:
            continue
        padding = (0, 0, radius, radius) if axis == 0 else (radius, radius, 0, 0)
        kernel = taps.to(flat).reshape((1, 1, -1, 1) if axis == 0 else (1, 1, 1, -1))
        flat = F.conv2d(F.pad(flat, padding, mode="replicate"), kernel)
    return flat.reshape(image.shape)


def gaussian_blur(image: torch.Tensor, sigma_mm: float, spacing_mm: Sequence[float]) -> torch.Tensor:
    """Blur with an isotropic Gaussian of ``sigma_mm``; ``spacing_mm`` is (row distance, column distance)."""
    if sigma_mm <= 0:
        return image
    return filter_separable(image, gaussian_taps(sigma_mm / spacing_mm[0]), gaussian_taps(sigma_mm / spacing_mm[1]))


def whole_footprints(image: Slices, factor: int) -> Slices:
    """Slices (..., H, W), tensor or array, without the rows and columns at the end that fill no footprint."""
    rows, columns = (size // factor * factor for size in image.shape[-2:])
    return image[..., :rows, :columns]


def footprint_mean(image: torch.Tensor, factor: int) -> torch.Tensor:
    """What a detector pixel ``factor`` times as wide would read: the mean over factor x factor pixels."""
    if factor == 1:
        return image
    flat = image.reshape(-1, 1, *image.shape[-2:])
    reduced = F.avg_pool2d(flat, factor)
    return reduced.reshape(*image.shape[:-2], *reduced.shape[-2:])


def antialiased(image: torch.Tensor, size: Sequence[int], method: str) -> torch.Tensor:
    """The same field of view with ``size`` (rows, columns) pixels, by interpolation widened where the image shrinks.

    Args:
        image: (..., H, W).
        size: of the result.
        method: ``bilinear``, or ``bicubic`` (Keys, a = -0.5).
    """
    flat = image.reshape(-1, 1, *image.shape[-2:])
    resized = F.interpolate(flat, size=tuple(size), mode=method, antialias=True, align_corners=False)
    return resized.reshape(*image.shape[:-2], *size)


def bicubic_mean(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Antialiased bicubic reduction, as picture programs do it."""
    if factor == 1:
        return image
    return antialiased(image, (image.shape[-2] // factor, image.shape[-1] // factor), "bicubic")


def unsharp(image: torch.Tensor, amount: float = 0.5, sigma: float = 8.0, threshold_hu: float = 160.0) -> torch.Tensor:
    """Unsharp masking as Real-ESRGAN (Wang et al., ICCV Workshops 2021) sharpens its targets, on HU.

    The image plus ``amount`` times what a Gaussian blur takes away, where that is more than a threshold; the
    places above the threshold are blurred too, so that the change sets in gradually. A CT number on either side
    of an edge then is no longer the tissue's (``Testing/benchmarks/unsharp.py`` shows by how much).

    Args:
        image: HU, shape (..., H, W).
        amount: share of the difference that is added.
        sigma: standard deviation of the blur in pixels; 8 is a kernel of 51 pixels in OpenCV's reckoning.
        threshold_hu: 160 is Real-ESRGAN's 10 of 255 on the 12-bit range.
    """
    taps = gaussian_taps(sigma)
    difference = image - filter_separable(image, taps, taps)
    edges = filter_separable((difference.abs() > threshold_hu).to(image.dtype), taps, taps)
    return image + amount * edges * difference


def blurred_disc(distance_mm: torch.Tensor, diameter_mm: float, edge_mm: float) -> torch.Tensor:
    """A disc of height 1 at a distance from its centre, its edge blurred by a standard deviation of ``edge_mm``."""
    return 0.5 * torch.special.erfc((distance_mm - diameter_mm / 2.0) / (edge_mm * 2.0**0.5))
