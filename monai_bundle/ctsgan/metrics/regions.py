"""Regions of interest as a physicist places them: round, of a size in mm, in one tissue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

TISSUES = {
    "air": (-1024.0, -950.0),
    "lung": (-930.0, -700.0),
    "fat": (-125.0, -70.0),
    "muscle": (25.0, 85.0),
    "liver": (90.0, 140.0),
    "bone": (150.0, 1000.0),
}
"""Mean HU (lowest, highest) of a region in each tissue, by which regions are found: a choice within what textbooks
give, liver and muscle apart as in contrast-enhanced CT. Nothing is measured against these limits."""


def distance_mm(shape: Sequence[int], spacing_mm: Sequence[float], row: float, column: float) -> np.ndarray:
    """Distance in mm of each pixel of (rows, columns) from a place (row, column) in pixels; shape ``shape``."""
    rows, columns = (np.arange(size) for size in shape)
    return np.hypot((rows - row)[:, None] * spacing_mm[0], (columns - column)[None] * spacing_mm[1])


def squares(images: np.ndarray, size: int) -> np.ndarray:
    """All squares of ``size`` pixels, side by side, row by row; what fills none is left out.

    Args:
        images: (slices, rows, columns).
        size: pixels along each side.

    Returns:
        (n, size, size).
    """
    count, rows, columns = len(images), *(extent // size for extent in images.shape[1:])
    cut = images[:, : rows * size, : columns * size].reshape(count, rows, size, columns, size)
    return cut.swapaxes(2, 3).reshape(-1, size, size)


@dataclass(frozen=True)
class Disc:
    """A round region: slice, centre pixel (row, column) of the image it was found in, diameter in mm."""

    index: int
    row: int
    column: int
    diameter_mm: float

    def mask(self, shape: Sequence[int], spacing_mm: Sequence[float], scale: int = 1) -> np.ndarray:
        """Its pixels, bool (scale rows, scale columns), in an image whose pixels are ``scale`` times finer.

        The same physical region whatever the scale: each pixel of the image the disc was found in, of ``shape``
        (rows, columns) and ``spacing_mm`` (row, column distance), is inside as a whole or not at all.
        """
        distance = distance_mm(shape, spacing_mm, self.row, self.column)
        return (distance <= self.diameter_mm / 2.0).repeat(scale, axis=0).repeat(scale, axis=1)


def find_disc(
    voxels: np.ndarray,
    spacing_mm: Sequence[float],
    mean_hu: tuple[float, float],
    diameter_mm: float = 20.0,
    within: np.ndarray | None = None,
) -> Disc | None:
    """The disc with the least spread of all whose mean lies in ``mean_hu``, or ``None``.

    Args:
        voxels: HU, (slices, rows, columns).
        spacing_mm: (row, column) distance.
        mean_hu: lowest and highest mean.
        diameter_mm: of the disc.
        within: pixels that it may cover, such as the patient's, bool, the shape of ``voxels``.
    """
    radius = [int(np.ceil(diameter_mm / 2.0 / mm)) for mm in spacing_mm]
    shape = voxels.shape[1:]
    disc = Disc(0, *radius, diameter_mm).mask(shape, spacing_mm)
    transform = np.fft.rfft2(disc / disc.sum()).conj()
    inner = tuple(slice(0, size - 2 * extent) for size, extent in zip(shape, radius, strict=True))
    best: tuple[float, Disc] | None = None
    for index, image in enumerate(voxels):
        values = np.clip(image, -1024, 3071).astype(np.float64)
        mean, square = (np.fft.irfft2(np.fft.rfft2(x) * transform, shape)[inner] for x in (values, values**2))
        spread = square - mean**2
        # below 1 HU^2 it is padding, not tissue
        spread[(mean < mean_hu[0]) | (mean > mean_hu[1]) | (spread < 1.0)] = np.inf
        if within is not None:
            covered = np.fft.irfft2(np.fft.rfft2(within[index].astype(np.float64)) * transform, shape)[inner]
            spread[covered < 1.0 - 1e-6] = np.inf
        row, column = np.unravel_index(np.argmin(spread), spread.shape)
        variance = float(spread[row, column])
        if np.isfinite(variance) and (best is None or variance < best[0]):
            best = (variance, Disc(index, int(row) + radius[0], int(column) + radius[1], diameter_mm))
    return best[1] if best else None
