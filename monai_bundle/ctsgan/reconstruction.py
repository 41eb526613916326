"""The loop back to the measured data: what the output may not change.

A CT number is the mean attenuation over the voxel's footprint, so the mean of an upscaled image over an input
pixel's footprint can be compared with that pixel. Pixel by pixel the difference is the noise that was removed
and the edges that were sharpened; its mean over a region is an error, and that part is put back.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .filters import filter_separable, footprint_mean, gaussian_taps

FWHM = 2.3548200450309493
"""Full width at half maximum of a Gaussian, in standard deviations: 2 sqrt(2 ln 2)."""


PASSES = 2
"""How often the low-pass part of what is still missing is added: of an error twice as wide as the low-pass the first
time leaves 11 %, the second 2 %."""


def fidelity_margin(width_mm: float, spacing_mm: tuple[float, float]) -> int:
    """How many input pixels around a region take part in its correction."""
    return PASSES * max(gaussian_taps(width_mm / FWHM / mm).numel() // 2 for mm in spacing_mm)


def restore_means(
    output: torch.Tensor,
    measured: torch.Tensor,
    valid: torch.Tensor,
    scale: int,
    width_mm: float,
    spacing_mm: tuple[float, float],
) -> torch.Tensor:
    """Add back the low-pass part of (measured - footprint mean of the output).

    Args:
        output: HU, shape (B, 1, scale H, scale W).
        measured: the input in HU, shape (B, 1, H, W).
        valid: pixels of the input that were really measured (not padding), shape (B, 1, H, W), 0 or 1.
        scale: output pixels for an input pixel along each axis.
        width_mm: full width at half maximum of the Gaussian low-pass in mm. Regions wider than this keep
            their mean; noise, which is finer, stays removed.
        spacing_mm: of the input, (row distance, column distance).

    Returns:
        The corrected output, same shape.
    """
    rows, columns = (gaussian_taps(width_mm / FWHM / mm).to(output) for mm in spacing_mm)
    difference = (measured - footprint_mean(output, scale)) * valid
    weight = filter_separable(valid, rows, columns).clamp_min(1e-3)
    correction = torch.zeros_like(difference)
    for _ in range(PASSES):
        correction = correction + filter_separable(difference - correction * valid, rows, columns) / weight
    if scale > 1:
        correction = F.interpolate(correction, scale_factor=float(scale), mode="bilinear", align_corners=False)
    return output + correction
