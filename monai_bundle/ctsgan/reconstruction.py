"""The loop back to the measured data: what the output may not change.

A CT number is the mean attenuation over the voxel's footprint, so the mean of an upscaled image over an input
pixel's footprint can be compared with that pixel. Pixel by pixel the difference is the noise that was removed
and the blur or sharpening that was undone; what is left of its mean over a region is an error, and that part is
put back. So is what stands out of the removed noise, which is noise no longer.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from .filters import bicubic_mean, filter_separable, footprint_mean, gaussian_taps

FWHM = 2.3548200450309493
"""Full width at half maximum of a Gaussian, in standard deviations: 2 sqrt(2 ln 2)."""

PASSES = 2
"""How often the low-pass part of what is still missing is added: of an error twice as wide as the low-pass the first
time leaves 11 %, the second 2 %."""

BLUR_SIGMA = 0.7
"""Standard deviation in input pixels of the blur that is looked for."""

NEIGHBOURHOOD_MM = 20.0
"""Full width at half maximum of the neighbourhood that says together how much blur or sharpening was undone, and how
strong the removed noise is."""

BLUR_FLOOR_HU = 5.0
"""Where blur would change less than this nothing can be said of it."""

LARGEST_BLUR = 2.0
"""In units of :data:`BLUR_SIGMA`'s effect, which grows about with the variance: a standard deviation of 1 pixel."""

SHARPENING_FLOOR_HU = 2.0
"""Where sharpening would change less than this nothing can be said of it."""

LARGEST_SHARPENING = 1.0
"""In units of what a bicubic reduction does; what sharpens more is not put down to a kernel."""

DETAIL_MM = 3.0
"""Full width at half maximum of the details that are looked for in what was removed: that of a lesion of 3 to 5 mm."""

STANDS_OUT = (1.5, 2.5)
"""In standard deviations of the removed noise at that width: from where on a detail is put back in part, and in full.
Of normally distributed noise 13 % lie beyond the first and 1 % beyond the second."""

BICUBIC_REACH = 2
"""Pixels on each side that take part in a value of the enlarged correction."""

NOISE_FLOOR_HU = 1.0
"""Least standard deviation of the removed noise: stored CT numbers are rounded to 1 HU."""


def _taps(width_mm: float, spacing_mm: tuple[float, float]) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(gaussian_taps(width_mm / FWHM / mm) for mm in spacing_mm)


def fidelity_margin(width_mm: float, spacing_mm: tuple[float, float]) -> int:
    """How many input pixels around a region take part in its correction."""
    regions, edges = (
        max(taps.numel() // 2 for taps in _taps(width, spacing_mm)) for width in (width_mm, NEIGHBOURHOOD_MM)
    )
    details = max(taps.numel() // 2 for taps in _taps(DETAIL_MM, spacing_mm))
    blur = gaussian_taps(BLUR_SIGMA).numel() // 2
    return PASSES * regions + 2 * edges + (1 + PASSES) * details + max(blur, BICUBIC_REACH) + BICUBIC_REACH


def _explained(
    difference: torch.Tensor,
    pattern: torch.Tensor,
    spacing_mm: tuple[float, float],
    floor_hu: float,
    largest: float,
) -> torch.Tensor:
    """The part of a difference that a pattern explains, by least squares in the neighbourhood of each pixel.

    Noise, which knows nothing of the pattern, does not change it.
    """
    rows, columns = _taps(NEIGHBOURHOOD_MM, spacing_mm)
    agreement = filter_separable(difference * pattern, rows, columns)
    energy = filter_separable(pattern * pattern, rows, columns) + floor_hu**2
    return (agreement / energy).clamp(0.0, largest) * pattern


def undone_blur(
    difference: torch.Tensor, mean: torch.Tensor, valid: torch.Tensor, spacing_mm: tuple[float, float]
) -> torch.Tensor:
    """The part of (measured - footprint mean of the output) that a scanner's blur explains.

    A scanner blurs before it reads its pixels, and a network that undoes that differs from what was measured at every
    edge, on both sides, without any region being wrong. Seen through a low-pass, the rim of a lung would be 20 HU off.
    How far the difference looks like blur, a (B * mean - mean) with a Gaussian B, is estimated in the neighbourhood of
    each pixel: a is 0 where the input was not blurred.

    Args:
        difference: HU, shape (B, 1, H, W).
        mean: footprint mean of the output in HU, same shape.
        valid: pixels that count, same shape, 0 or 1.
        spacing_mm: (row distance, column distance).

    Returns:
        HU, same shape.
    """
    taps = gaussian_taps(BLUR_SIGMA)
    blur = (filter_separable(mean, taps, taps) - mean) * valid
    return _explained(difference, blur, spacing_mm, BLUR_FLOOR_HU, LARGEST_BLUR)


def undone_sharpening(
    difference: torch.Tensor,
    mean: torch.Tensor,
    sharper: torch.Tensor,
    valid: torch.Tensor,
    spacing_mm: tuple[float, float],
) -> torch.Tensor:
    """The part of (measured - footprint mean of the output) that a filter sharper than the mean explains.

    The counterpart of :func:`undone_blur`: software and edge-enhancing kernels make pixels that overshoot at edges,
    and that, seen through a low-pass, is no error of a region either. How far the difference looks like the one
    between a bicubic reduction and the mean is estimated in the neighbourhood of each pixel.

    Args:
        difference: HU, shape (B, 1, H, W).
        mean: footprint mean of the output in HU, same shape.
        sharper: bicubic reduction of the output in HU, same shape.
        valid: pixels that count, same shape, 0 or 1.
        spacing_mm: (row distance, column distance).

    Returns:
        HU, same shape.
    """
    sharpening = (sharper - mean) * valid
    return _explained(difference, sharpening, spacing_mm, SHARPENING_FLOOR_HU, LARGEST_SHARPENING)


def lost_details(removed: torch.Tensor, valid: torch.Tensor, spacing_mm: tuple[float, float]) -> torch.Tensor:
    """What stands out of the removed noise: a small lesion that was taken for it.

    At the width of a small lesion what was removed is compared with its own root mean square in the neighbourhood of
    each pixel. Where it is larger than noise would be (:data:`STANDS_OUT`) it is returned. With z = m / s, m the
    low-passed difference and s its root mean square, the share is (|z| - 1.5) / (2.5 - 1.5) within [0, 1].

    Args:
        removed: measured - footprint mean of the output in HU, shape (B, 1, H, W), without its errors of regions.
        valid: pixels that count, same shape, 0 or 1.
        spacing_mm: (row distance, column distance).

    Returns:
        HU, same shape.
    """
    details, neighbours = _taps(DETAIL_MM, spacing_mm), _taps(NEIGHBOURHOOD_MM, spacing_mm)
    mean = filter_separable(removed * valid, *details)
    noise = filter_separable(mean.square(), *neighbours).clamp_min(NOISE_FLOOR_HU**2).sqrt()
    first, last = STANDS_OUT
    share = ((mean.abs() / noise - first) / (last - first)).clamp(0.0, 1.0)
    lost = share * mean
    for _ in range(PASSES - 1):
        lost = lost + share * filter_separable((removed - lost) * valid, *details)
    return lost


def restore_means(
    output: torch.Tensor,
    measured: torch.Tensor,
    valid: torch.Tensor,
    scale: int,
    width_mm: float,
    spacing_mm: tuple[float, float],
    sharp: bool = False,
) -> torch.Tensor:
    """Add back errors of regions and :func:`lost_details`, apart from :func:`undone_blur` and sharpening.

    The error of a region is the low-pass part of (measured - footprint mean of the output).

    Args:
        output: HU, shape (B, 1, scale H, scale W).
        measured: the input in HU, shape (B, 1, H, W).
        valid: pixels of the input that were really measured (not padding), shape (B, 1, H, W), 0 or 1.
        scale: output pixels for an input pixel along each axis.
        width_mm: full width at half maximum of the Gaussian low-pass in mm. Regions wider than this keep
            their mean; noise, which is finer, stays removed.
        spacing_mm: of the input, (row distance, column distance).
        sharp: whether the input may have been made by a filter sharper than the mean over its pixels, so that
            :func:`undone_sharpening` counts too. Of a soft kernel it is not asked: what its noise has in common with
            edges would pass for it.

    Returns:
        The corrected output, same shape.
    """
    rows, columns = _taps(width_mm, spacing_mm)
    mean = footprint_mean(output, scale)
    difference = (measured - mean) * valid
    undone = undone_blur(difference, mean, valid, spacing_mm)
    if sharp:
        undone = undone + undone_sharpening(difference, mean, bicubic_mean(output, scale), valid, spacing_mm)
    difference = difference - undone
    weight = filter_separable(valid, rows, columns).clamp_min(1e-3)
    correction = torch.zeros_like(difference)
    for _ in range(PASSES):
        correction = correction + filter_separable(difference - correction * valid, rows, columns) / weight
    correction = correction + lost_details(difference - correction, valid, spacing_mm)
    if scale > 1:
        # bilinear would take a quarter of a detail of two pixels away again
        correction = F.interpolate(correction, scale_factor=float(scale), mode="bicubic", align_corners=False)
    return output + correction
