"""The operations themselves, without a draw: tensors of HU in, tensors of HU out, on the device of the image.

Images are (..., H, W): all leading axes are a batch. What is a plain filter stands in :mod:`ctsgan.filters`, what
happens inside a scanner in :mod:`ctsgan.degradation.acquisition`, JPEG in :mod:`ctsgan.degradation.jpeg`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ..filters import antialiased, filter_separable

RESIZE_METHODS = ("area", "bilinear", "bicubic")


def convolve(image: torch.Tensor, kernel: torch.Tensor, edges: str = "reflect") -> torch.Tensor:
    """Convolve with a kernel (odd, odd); what lies beyond the edge is mirrored (``reflect``) or held (``replicate``).

    Raises:
        ValueError: if ``edges`` is ``reflect`` and the image is not larger than half the kernel.
    """
    above, left = kernel.shape[0] // 2, kernel.shape[1] // 2
    if edges == "reflect" and (image.shape[-2] <= above or image.shape[-1] <= left):
        raise ValueError(f"an image of {tuple(image.shape[-2:])} pixels is too small to be mirrored by {above, left}")
    flat = F.pad(image.reshape(-1, 1, *image.shape[-2:]), (left, left, above, above), mode=edges)
    # conv2d correlates, so the kernel is turned to make it a convolution
    return F.conv2d(flat, kernel.to(flat).flip(0, 1)[None, None]).reshape(image.shape)


def _overlaps(length: int, new_length: int) -> torch.Tensor:
    """Share of each new pixel that each old one covers along an axis, shape (new_length, length)."""
    step = length / new_length
    first = torch.arange(new_length, dtype=torch.float64)[:, None] * step
    pixel = torch.arange(length, dtype=torch.float64)[None]
    covered = torch.minimum(first + step, pixel + 1.0) - torch.maximum(first, pixel)
    return (covered.clamp_min(0.0) / step).float()


def resize(image: torch.Tensor, size: Sequence[int], method: str = "area") -> torch.Tensor:
    """Sample the same field of view with ``size`` (rows, columns) pixels.

    Corners stay on corners (the half-pixel convention), so nothing moves.

    Args:
        image: (..., H, W).
        size: of the result.
        method: ``area`` is the exact mean over each new pixel, also where it cuts old ones; ``bilinear`` and
            ``bicubic`` (Keys, a = -0.5) interpolate, widened by the reduction where the image shrinks.

    Raises:
        ValueError: for another method.
    """
    if method == "area":
        down, across = (_overlaps(old, new).to(image) for old, new in zip(image.shape[-2:], size, strict=True))
        return down @ image @ across.T
    if method not in RESIZE_METHODS:
        raise ValueError(f"there is no way to resize called {method!r}; choose one of {', '.join(RESIZE_METHODS)}")
    return antialiased(image, size, method)


def correlated_noise(
    shape: Sequence[int], std_hu: float, taps: Sequence[float], generator: torch.Generator, device: torch.device
) -> torch.Tensor:
    """Gaussian noise of ``std_hu`` whose texture is white noise filtered by ``taps`` along both axes; (1,) is white."""
    kernel = torch.tensor(taps, dtype=torch.float32)
    kernel = kernel / kernel.norm()
    radius = kernel.numel() // 2
    wide = (*shape[:-2], shape[-2] + 2 * radius, shape[-1] + 2 * radius)
    white = torch.randn(wide, generator=generator, device=device)
    smooth = filter_separable(white, kernel, kernel)
    rows, columns = shape[-2:]
    return std_hu * smooth[..., radius : radius + rows, radius : radius + columns]


def poisson_noise(
    image: torch.Tensor, scale: float, window: tuple[float, float], generator: torch.Generator
) -> torch.Tensor:
    """Add the shot noise of a picture: brightness in the window counted in 255 steps, as Real-ESRGAN models it.

    With v = (HU - low) / (high - low), clipped to 0..1, the noise is ``scale`` (P(255 v) / 255 - v) windows, where
    P draws from a Poisson distribution (Real-ESRGAN counts to the number of values in use, mostly 256). At the
    window's upper end its standard deviation is scale / sqrt(255) of the window's width, at the lower end none. It is
    a picture's noise, not a scanner's: attenuation is not a count.

    Args:
        image: (..., H, W) in HU; values outside the window get the noise of its nearer end.
        scale: 1 is one count for each of 255 grey values.
        window: (low, high) in HU.
        generator: of the device of ``image``.
    """
    low, high = window
    view = ((image - low) / (high - low)).clamp(0.0, 1.0)
    counted = torch.poisson(255.0 * view, generator=generator) / 255.0
    return image + scale * (high - low) * (counted - view)
