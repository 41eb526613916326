"""A digital phantom: a body-like ellipse with rods whose size and HU are known exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BODY_MM = (190.0, 236.0)
"""Axes (down, across) of the ellipse."""

BACKGROUND_HU = 40.0
OUTSIDE_HU = -1000.0


@dataclass(frozen=True)
class Insert:
    """A round rod: its centre in mm (down, across) from the middle of the image, diameter in mm and HU inside."""

    down_mm: float
    across_mm: float
    diameter_mm: float
    hu: float

    def centre(self, shape: Sequence[int], spacing_mm: float) -> tuple[float, float]:
        """Its (row, column) in an image of ``shape`` whose pixels are ``spacing_mm`` wide; whole numbers are centres.

        Holds at every pixel size, since the middle of the image is the same place in all of them.
        """
        return (shape[0] - 1) / 2.0 + self.down_mm / spacing_mm, (shape[1] - 1) / 2.0 + self.across_mm / spacing_mm


@dataclass(frozen=True)
class Phantom:
    """The image in HU, (rows, columns) float64, its pixel spacing in mm, its inserts and what surrounds them."""

    image: np.ndarray
    spacing_mm: float
    inserts: tuple[Insert, ...]
    background_hu: float


def ring(radius_mm: float, diameter_mm: float, values_hu: Sequence[float]) -> tuple[Insert, ...]:
    """Rods evenly spaced on a circle around the middle, the first at the top."""
    angles = np.pi / 2.0 + 2.0 * np.pi * np.arange(len(values_hu)) / len(values_hu)
    return tuple(
        Insert(float(-radius_mm * np.sin(angle)), float(radius_mm * np.cos(angle)), diameter_mm, hu)
        for angle, hu in zip(angles, values_hu, strict=True)
    )


MATERIAL_RODS = ring(70.0, 25.0, (-1000.0, -95.0, 0.0, 120.0, 955.0))
"""Air, polyethylene, water, acrylic and bone as in module 1 of the ACR CT accreditation phantom, 25 mm wide."""

LOW_CONTRAST_RODS = tuple(
    Insert(16.0 * row - 16.0, 18.0 * column - 27.0, diameter, BACKGROUND_HU + contrast)
    for row, contrast in enumerate((10.0, 20.0, 50.0))
    for column, diameter in enumerate((3.0, 5.0, 8.0, 12.0))
)
"""Contrasts of 10, 20 and 50 HU (down) in diameters of 3, 5, 8 and 12 mm (across)."""


def ellipse_coverage(
    shape: Sequence[int],
    spacing_mm: float,
    centre: tuple[float, float],
    axes_mm: tuple[float, float],
    strips: int = 16,
) -> np.ndarray:
    """How much of each pixel an ellipse covers, 0 to 1, shape (rows, columns).

    Where its edge can cross a pixel, the pixel is cut into ``strips`` strips along the axis that the edge crosses
    more steeply; in each the covered length is exact. With 16 the fraction is right to a thousandth.

    Args:
        shape: (rows, columns).
        spacing_mm: pixel width.
        centre: (row, column), fractions allowed.
        axes_mm: full axes (down, across).
        strips: in a pixel.
    """
    semi = [axis / 2.0 / spacing_mm for axis in axes_mm]
    rows, columns = (np.arange(size, dtype=np.float64) - middle for size, middle in zip(shape, centre, strict=True))
    radius = np.hypot(rows[:, None] / semi[0], columns[None] / semi[1])
    covered = (radius <= 1.0).astype(np.float64)
    # a pixel's corner is 0.71 pixels from its centre, measured in the shorter axis
    edge = np.nonzero(np.abs(radius - 1.0) <= 0.75 / min(semi))
    place = rows[edge[0]], columns[edge[1]]
    offsets = (np.arange(strips) + 0.5) / strips - 0.5
    steep = np.abs(place[0]) / semi[0] ** 2 > np.abs(place[1]) / semi[1] ** 2
    for along, across, chosen in ((0, 1, steep), (1, 0, ~steep)):
        middle = place[along][chosen, None]
        share = (place[across][chosen, None] + offsets) / semi[across]
        half = semi[along] * np.sqrt(np.maximum(1.0 - share**2, 0.0))
        length = np.minimum(middle + 0.5, half) - np.maximum(middle - 0.5, -half)
        covered[edge[0][chosen], edge[1][chosen]] = np.maximum(length, 0.0).mean(axis=1)
    return covered


def digital_phantom(
    spacing_mm: float = 0.5,
    shape: Sequence[int] = (512, 512),
    inserts: Sequence[Insert] = MATERIAL_RODS + LOW_CONTRAST_RODS,
    background_hu: float = BACKGROUND_HU,
) -> Phantom:
    """The phantom as a noiseless detector with square pixels would see it: each pixel the mean over its area.

    Args:
        spacing_mm: pixel width.
        shape: (rows, columns).
        inserts: must not overlap; an empty sequence leaves the uniform body, for noise.
        background_hu: of the body; around it is air of -1000 HU.

    Raises:
        ValueError: if the body does not fit into the image.
    """
    extent = [size * spacing_mm for size in shape]
    if any(room < axis for room, axis in zip(extent, BODY_MM, strict=True)):
        raise ValueError(f"the phantom is {BODY_MM[0]:g} x {BODY_MM[1]:g} mm and does not fit into {extent} mm")
    middle = ((shape[0] - 1) / 2.0, (shape[1] - 1) / 2.0)
    body = ellipse_coverage(shape, spacing_mm, middle, BODY_MM)
    image = OUTSIDE_HU + (background_hu - OUTSIDE_HU) * body
    for insert in inserts:
        axes = (insert.diameter_mm, insert.diameter_mm)
        covered = ellipse_coverage(shape, spacing_mm, insert.centre(shape, spacing_mm), axes)
        image += (insert.hu - background_hu) * covered
    return Phantom(image, spacing_mm, tuple(inserts), background_hu)
