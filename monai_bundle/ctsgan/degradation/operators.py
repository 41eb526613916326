"""The operations themselves, without randomness: tensors of HU in, tensors of HU out.

Images are (..., H, W). What is a plain filter stands in :mod:`ctsgan.filters`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F

from ..filters import filter_separable


def bicubic_mean(image: torch.Tensor, factor: int) -> torch.Tensor:
    """Antialiased bicubic reduction (Keys, a = -0.5, widened by ``factor``), as picture programs do it."""
    if factor == 1:
        return image
    flat = image.reshape(-1, 1, *image.shape[-2:])
    size = (image.shape[-2] // factor, image.shape[-1] // factor)
    reduced = F.interpolate(flat, size=size, mode="bicubic", antialias=True, align_corners=False)
    return reduced.reshape(*image.shape[:-2], *size)


def correlated_noise(
    shape: Sequence[int], std_hu: float, taps: Sequence[float], generator: torch.Generator, device: torch.device
) -> torch.Tensor:
    """Gaussian noise of ``std_hu`` whose texture is white noise filtered by ``taps`` along both axes."""
    kernel = torch.tensor(taps, dtype=torch.float32)
    kernel = kernel / kernel.norm()
    radius = kernel.numel() // 2
    wide = (*shape[:-2], shape[-2] + 2 * radius, shape[-1] + 2 * radius)
    white = torch.randn(wide, generator=generator, device=device)
    smooth = filter_separable(white, kernel, kernel)
    rows, columns = shape[-2:]
    return std_hu * smooth[..., radius : radius + rows, radius : radius + columns]
