"""The one detector that reads the output of every method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .lesions import Lesion, lesion_profile


def detector_kernel(diameter_mm: float, spacing_mm: tuple[float, float]) -> np.ndarray:
    """Weights that read a lesion's contrast in HU: the least squares fit of its profile and a constant around it.

    A matched filter over a disc of twice the diameter; the weights sum to 0, so neither an offset nor a slope of the
    background counts. Shape odd x odd.
    """
    reach = [int(np.ceil(diameter_mm / mm)) for mm in spacing_mm]
    rows, columns = (np.arange(-extent, extent + 1) * mm for extent, mm in zip(reach, spacing_mm, strict=True))
    distance = np.hypot(rows[:, None], columns[None])
    inside = distance <= diameter_mm
    profile = lesion_profile(distance, diameter_mm)
    centred = np.where(inside, profile - profile[inside].mean(), 0.0)
    return centred / (centred**2).sum()


def detector_map(image: np.ndarray, diameter_mm: float, spacing_mm: tuple[float, float]) -> np.ndarray:
    """Contrast in HU that the detector reads at each pixel of (rows, columns); edges continue with their value."""
    kernel = detector_kernel(diameter_mm, spacing_mm)
    reach = [(size // 2, size // 2) for size in kernel.shape]
    padded = np.pad(np.asarray(image, dtype=np.float64), reach, mode="edge")
    # the kernel is symmetric, so that its convolution is the correlation; what wraps around lies in the padding
    product = np.fft.rfft2(padded) * np.fft.rfft2(kernel, padded.shape)
    return np.fft.irfft2(product, padded.shape)[kernel.shape[0] - 1 :, kernel.shape[1] - 1 :]


def read_contrasts(slices: np.ndarray, lesions: Sequence[Lesion], spacing_mm: tuple[float, float]) -> np.ndarray:
    """Contrast in HU that the detector reads at each lesion's place, shape (lesions,).

    Raises:
        ValueError: if a lesion lies so near to the border that the detector does not fit.
    """
    contrasts = []
    for lesion in lesions:
        kernel = detector_kernel(lesion.diameter_mm, spacing_mm)
        first = [lesion.row - kernel.shape[0] // 2, lesion.column - kernel.shape[1] // 2]
        part = slices[
            lesion.index, max(first[0], 0) : first[0] + kernel.shape[0], max(first[1], 0) : first[1] + kernel.shape[1]
        ]
        if part.shape != kernel.shape:
            raise ValueError(f"{lesion} is nearer to the border than its diameter")
        contrasts.append(float((kernel * part).sum()))
    return np.array(contrasts)


def peaks(height: np.ndarray, allowed: np.ndarray, above: float, apart: tuple[int, int]) -> np.ndarray:
    """Local maxima (n, 2), highest first, above a level, where allowed, the highest within +-``apart`` pixels."""
    import torch
    import torch.nn.functional as F

    stack = torch.from_numpy(np.where(allowed, height, -np.inf))[None, None]
    size = tuple(2 * extent + 1 for extent in apart)
    highest = F.max_pool2d(stack, size, stride=1, padding=tuple(apart))
    found = np.argwhere(((stack == highest) & (stack > above))[0, 0].numpy())
    return found[np.argsort(-height[tuple(found.T)])]
