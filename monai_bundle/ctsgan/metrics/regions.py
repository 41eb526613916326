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
"""Mean HU (lowest, highest) of a region in each tissue; liver and muscle as in contrast-enhanced CT, where the
ranges of Kalender's Computed Tomography (3rd edition, fig. 1.12) are shifted apart."""

PIXEL_RANGES = {
    "air": (-1023.0, -950.0),
    "lung": (-950.0, -500.0),
    "fat": (-140.0, -40.0),
    "soft tissue": (0.0, 130.0),
    "bone": (200.0, 3071.0),
}
"""HU (lowest, below the highest) by which a single pixel of the reference is counted to a tissue. -1024 is left out
of air: it is padding, or clipped."""

FEWEST_PIXELS = 200
"""A tissue with fewer pixels in a slice has no mean worth printing."""


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
        rows, columns = (np.arange(size) for size in shape)
        distance = np.hypot(
            (rows - self.row)[:, None] * spacing_mm[0],
            (columns - self.column)[None] * spacing_mm[1],
        )
        return (distance <= self.diameter_mm / 2.0).repeat(scale, axis=0).repeat(scale, axis=1)


def tissue_bias(
    image: np.ndarray, reference: np.ndarray, body: np.ndarray, ranges: dict[str, tuple[float, float]] = PIXEL_RANGES
) -> dict[str, float]:
    """Mean error in HU over the pixels whose reference lies in each tissue's range; NaN where there are too few.

    The reference chooses its pixels with their noise, and edges with them: where a range cuts off a
    distribution (bone above 200 HU), any smoothing shows as a bias towards what lies beyond the cut. So the
    figure compares methods on the same slices; for the mean of a region in itself see :func:`find_disc`.

    Args:
        image: HU, (rows, columns).
        reference: HU, the same shape.
        body: the patient's pixels, bool; every tissue but air is looked for within it.
        ranges: HU (lowest, below the highest) by tissue.
    """
    error = np.clip(image, -1024, 3071).astype(np.float64) - reference
    means = {}
    for tissue, (lowest, highest) in ranges.items():
        chosen = (reference >= lowest) & (reference < highest)
        if tissue != "air":
            chosen &= body
        means[tissue] = float(error[chosen].mean()) if chosen.sum() >= FEWEST_PIXELS else float("nan")
    return means


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
