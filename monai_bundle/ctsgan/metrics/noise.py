"""Noise: how much, and of which texture.

Samei et al., AAPM Report 233 (TG-233), 2019; ICRU Report 87, 2012; for patients Christianson, Winslow, Frush, Samei,
"Automated technique to measure noise in clinical CT examinations", American Journal of Roentgenology 205, 2015.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .regions import squares

SOFT_TISSUE_HU = (0.0, 170.0)
"""HU of the tissue in which the noise of patients is measured."""

MODE_BIN_HU = 0.25


@dataclass(frozen=True)
class NoisePowerSpectrum:
    """Variance by spatial frequency.

    Attributes:
        spectrum: HU^2 mm^2, shape (rows, columns) of a region, frequency zero in the middle (``fftshift``).
        frequency: cycles/mm, ascending, shape (n,).
        radial: HU^2 mm^2, mean of the spectrum over all directions, shape (n,).
        peak_frequency: cycles/mm, where the radial spectrum, smoothed over three bins, is highest.
        mean_frequency: cycles/mm, centroid of the radial spectrum.
        noise_hu: standard deviation: root of the spectrum's integral.
    """

    spectrum: np.ndarray
    frequency: np.ndarray
    radial: np.ndarray
    peak_frequency: float
    mean_frequency: float
    noise_hu: float


def _detrended(regions: np.ndarray) -> np.ndarray:
    """Regions (n, rows, columns) minus the polynomial of second order that fits each best."""
    rows, columns = (np.linspace(-1.0, 1.0, size) for size in regions.shape[1:])
    y, x = (axis.ravel() for axis in np.meshgrid(rows, columns, indexing="ij"))
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    basis = np.linalg.qr(terms)[0]
    flat = regions.reshape(len(regions), -1)
    return (flat - (flat @ basis) @ basis.T).reshape(regions.shape)


def noise_power_spectrum(regions: np.ndarray, spacing_mm: tuple[float, float]) -> NoisePowerSpectrum:
    """The noise power spectrum of uniform regions (TG-233).

    NPS(u, v) = dx dy / (Nx Ny) <|DFT(region - trend)|^2>, the trend a polynomial of second order. The radial mean has
    bins of one over the region's length.

    Args:
        regions: HU, (n, rows, columns): regions of one size, at least 32 pixels wide, in uniform parts of a phantom.
            For a patient take differences of two scans, divided by the root of two.
        spacing_mm: (row, column) distance.

    Raises:
        ValueError: if there is no region.
    """
    regions = np.asarray(regions, dtype=np.float64)
    if regions.ndim != 3 or len(regions) == 0:
        raise ValueError("a noise power spectrum needs at least one region, shape (n, rows, columns)")
    shape = regions.shape[1:]
    area = spacing_mm[0] * spacing_mm[1]
    power = np.mean(np.abs(np.fft.fft2(_detrended(regions))) ** 2, axis=0) * area / (shape[0] * shape[1])
    frequencies = [np.fft.fftfreq(size, mm) for size, mm in zip(shape, spacing_mm, strict=True)]
    distance = np.hypot(frequencies[0][:, None], frequencies[1][None])
    step = max(1.0 / (size * mm) for size, mm in zip(shape, spacing_mm, strict=True))
    # to the corner of the square of frequencies no direction is complete
    count = int(min(np.abs(axis).max() for axis in frequencies) / step)
    index = np.rint(distance / step).astype(int).ravel()
    number = np.bincount(index)[1 : count + 1]
    radial = np.bincount(index, power.ravel())[1 : count + 1] / number
    frequency = np.bincount(index, distance.ravel())[1 : count + 1] / number
    smooth = np.convolve(np.pad(radial, 1, mode="edge"), np.ones(3) / 3.0, mode="valid")
    cell = 1.0 / (shape[0] * shape[1] * area)
    return NoisePowerSpectrum(
        spectrum=np.fft.fftshift(power),
        frequency=frequency,
        radial=radial,
        peak_frequency=float(frequency[np.argmax(smooth)]),
        mean_frequency=float((frequency * radial).sum() / radial.sum()),
        noise_hu=float(np.sqrt(power.sum() * cell)),
    )


def square_regions(images: np.ndarray, mask: np.ndarray, size: int) -> np.ndarray:
    """All squares of ``size`` pixels on a regular grid that lie wholly in a mask.

    Args:
        images: HU, (slices, rows, columns).
        mask: bool, (slices, rows, columns) or, for all slices alike, (rows, columns).
        size: pixels along each side.

    Returns:
        (n, size, size); n may be 0.
    """
    within = squares(np.broadcast_to(mask, images.shape), size).all(axis=(1, 2))
    return squares(np.asarray(images), size)[within]


def noise_by_difference(first: np.ndarray, second: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Standard deviation in HU of the noise of two acquisitions of one object: of their difference, over root 2."""
    difference = first.astype(np.float64) - second
    return float(np.std(difference if mask is None else difference[mask]) / np.sqrt(2.0))


def local_deviation(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Standard deviation within a box of ``size`` (rows, columns), odd, around each pixel whose box fits in.

    Shape (rows - size[0] + 1, columns - size[1] + 1).
    """
    import torch
    import torch.nn.functional as F

    stack = torch.from_numpy(np.asarray(image, dtype=np.float64))[None, None]
    stack = stack - stack.mean()
    mean = F.avg_pool2d(stack, size, stride=1)
    variance = F.avg_pool2d(stack**2, size, stride=1) - mean**2
    count = size[0] * size[1]
    return (variance.clamp_min(0.0) * (count / (count - 1.0))).sqrt()[0, 0].numpy()


def global_noise(
    slices: np.ndarray,
    spacing_mm: tuple[float, float],
    kernel_mm: float = 6.0,
    tissue_hu: tuple[float, float] = SOFT_TISSUE_HU,
    bodies: np.ndarray | None = None,
    segmented: np.ndarray | None = None,
) -> float:
    """Global noise of a patient in HU: the most frequent local standard deviation in soft tissue.

    After Christianson et al. 2015: soft tissue is told by its HU, the standard deviation is taken in a small square
    around each pixel, and the mode of its histogram is where tissue is uniform, so that edges and vessels, which
    have more, do not count. Here the square is averaged before the threshold, so that noise does not decide who
    belongs to the tissue, and has to lie within it as a whole.

    Args:
        slices: HU, (slices, rows, columns).
        spacing_mm: (row, column) distance.
        kernel_mm: side of the square.
        tissue_hu: lowest and highest mean.
        bodies: pixels that count, bool, shape of ``slices``.
        segmented: HU from which the tissue is told, shape of ``slices``: the reference, so that all methods are
            measured in the same places. ``None`` is ``slices``.

    Raises:
        ValueError: if there is no such tissue.
    """
    import torch
    import torch.nn.functional as F

    size = tuple(2 * round(kernel_mm / mm / 2.0) + 1 for mm in spacing_mm)
    values = []
    for index, image in enumerate(slices):
        told = torch.from_numpy(np.asarray((slices if segmented is None else segmented)[index], dtype=np.float32))
        mean = F.avg_pool2d(told[None, None], 3, stride=1, padding=1)
        inside = (mean >= tissue_hu[0]) & (mean <= tissue_hu[1])
        if bodies is not None:
            inside &= torch.from_numpy(np.ascontiguousarray(bodies[index]))
        whole = -F.max_pool2d(-inside.float(), size, stride=1) > 0.5
        whole = whole[0, 0].numpy()
        if whole.any():
            values.append(local_deviation(image, size)[whole])
    if not values:
        raise ValueError(f"no square of {kernel_mm:g} mm lies in tissue of {tissue_hu[0]:g} to {tissue_hu[1]:g} HU")
    found = np.concatenate(values)
    histogram, edges = np.histogram(found, np.arange(0.0, found.max() + 2 * MODE_BIN_HU, MODE_BIN_HU))
    # a mode of few counts jumps from bin to bin: smooth over +-1 HU
    width = int(1.0 / MODE_BIN_HU)
    weights = np.hanning(2 * width + 3)[1:-1]
    smooth = np.convolve(histogram, weights / weights.sum(), mode="same")
    peak = int(np.argmax(smooth))
    return float(edges[peak] + MODE_BIN_HU / 2.0)


@dataclass(frozen=True)
class SliceConsistency:
    """How steady the error of a method is from slice to slice; all are 0 for a constant offset.

    Attributes:
        step_rmse_hu: root mean square over the body of the change of the error from one slice to the next.
        jitter_hu: root mean square of the change of the slice's mean error.
        independence: ``step_rmse_hu`` over what errors that know nothing of each other would give, root 2 times
            the error's own standard deviation: 1 is independent, 0 is the same error in every slice.
    """

    step_rmse_hu: float
    jitter_hu: float
    independence: float


def slice_consistency(
    images: np.ndarray, references: np.ndarray, bodies: np.ndarray | Sequence[np.ndarray] | None = None
) -> SliceConsistency:
    """Whether a stack enhanced slice by slice flickers when one scrolls through it.

    Of the error e = image - reference, what changes from slice k to slice k + 1, within the body of both.

    Args:
        images, references: HU, (slices, rows, columns), at least two slices that lie next to each other.
        bodies: bool, same shape, or ``None`` for all pixels.

    Raises:
        ValueError: if there are fewer than two slices, or no body common to neighbours.
    """
    error = images.astype(np.float64) - references
    if len(error) < 2:
        raise ValueError("slice-to-slice consistency needs at least two slices")
    within = np.ones(error.shape, bool) if bodies is None else np.asarray(bodies)
    both = within[1:] & within[:-1]
    if not both.any(axis=(1, 2)).all():
        raise ValueError("neighbouring slices have no body in common")
    steps = [(after - before)[common] for before, after, common in zip(error[:-1], error[1:], both, strict=True)]
    step_rmse = float(np.sqrt(np.mean(np.concatenate(steps) ** 2)))
    jitter = float(np.sqrt(np.mean([step.mean() ** 2 for step in steps])))
    spread = float(error[within].std())
    return SliceConsistency(step_rmse, jitter, step_rmse / (np.sqrt(2.0) * spread) if spread > 0 else 0.0)
