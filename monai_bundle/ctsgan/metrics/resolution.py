"""Resolution from edges: the task transfer function of a rod, the modulation transfer function of an outline.

Both put the pixels near an edge in order of their distance to it (edge spread function), take the slope (line
spread function) and transform it. Richard, Husarik, Yadava, Murphy, Samei, "Towards task-based assessment of CT
performance", Medical Physics 39, 2012; AAPM Report 233 (TG-233), 2019; for edges that are not straight ISO 12233.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .phantom import Insert

STEPS_PER_PIXEL = 10
"""Bins of the edge spread function in a pixel."""

TAPER = 0.15
"""Share of the line spread function at each end that is faded to zero, so that far noise does not count."""


@dataclass(frozen=True)
class TransferFunction:
    """What is left of each frequency.

    Attributes:
        frequency: cycles/mm, ascending from 0, shape (n,).
        value: 1 at frequency 0, shape (n,).
        contrast_hu: height of the edge, inside minus outside.
        f50, f10: cycles/mm at which the value first falls to a half and to a tenth; NaN if it does not.
    """

    frequency: np.ndarray
    value: np.ndarray
    contrast_hu: float
    f50: float
    f10: float


def _crossing(frequency: np.ndarray, value: np.ndarray, level: float) -> float:
    below = np.nonzero(value < level)[0]
    if below.size == 0 or below[0] == 0:
        return float("nan")
    after = below[0]
    share = (value[after - 1] - level) / (value[after - 1] - value[after])
    return float(frequency[after - 1] + share * (frequency[after] - frequency[after - 1]))


def transfer_from_edge(
    distance_mm: np.ndarray, values_hu: np.ndarray, half_width_mm: float, pixel_mm: float
) -> TransferFunction:
    """The transfer function of an edge of which samples are given at known distances.

    Args:
        distance_mm: signed, positive outside, shape (n,).
        values_hu: the samples, shape (n,).
        half_width_mm: how far from the edge samples are used; the blur must end well before.
        pixel_mm: width of a pixel; bins are a tenth of it, and the result ends at one cycle a pixel.

    Raises:
        ValueError: if fewer than half of the bins have a sample.
    """
    step = pixel_mm / STEPS_PER_PIXEL
    count = 2 * int(half_width_mm / step)
    index = np.floor(distance_mm / step).astype(int) + count // 2
    near = (index >= 0) & (index < count)
    index, distance_mm, values_hu = index[near], distance_mm[near], values_hu[near]
    number = np.bincount(index, minlength=count)
    if np.count_nonzero(number) < count / 2:
        raise ValueError("too few pixels near the edge; take a larger object or a wider half_width_mm")
    filled = number > 0
    # a bin's samples are not evenly spread in it, so their mean belongs to their mean distance
    position = np.bincount(index, distance_mm, count)[filled] / number[filled]
    height = np.bincount(index, values_hu, count)[filled] / number[filled]
    edge = np.interp((np.arange(count) - count // 2 + 0.5) * step, position, height)
    plateau = max(count // 8, 1)
    inside, outside = edge[:plateau].mean(), edge[-plateau:].mean()
    slope = np.diff(edge)
    ramp = np.minimum(1.0, (0.5 + np.arange(slope.size)) / (TAPER * slope.size))
    fade = 0.5 - 0.5 * np.cos(np.pi * ramp)
    slope = slope * fade * fade[::-1]
    length = 16 * count
    frequency = np.fft.rfftfreq(length, step)
    spectrum = np.abs(np.fft.rfft(slope, length))
    kept = frequency <= 1.0 / pixel_mm
    frequency, spectrum = frequency[kept], spectrum[kept]
    # bins average over a step, differences over another
    value = spectrum / spectrum[0] / np.sinc(frequency * step) ** 2
    return TransferFunction(
        frequency, value, float(inside - outside), _crossing(frequency, value, 0.5), _crossing(frequency, value, 0.1)
    )


def disc_ttf(
    image: np.ndarray,
    spacing_mm: tuple[float, float],
    row: float,
    column: float,
    diameter_mm: float,
    half_width_mm: float | None = None,
) -> TransferFunction:
    """Task transfer function at the contrast of a rod (TG-233).

    The centre is found again from the image: as the centroid of what differs from the surroundings.

    Args:
        image: HU, (rows, columns) or, with noise, a stack (slices, rows, columns) that is averaged. At low contrast
            many are needed: contrast over noise of the mean should be above 10.
        spacing_mm: (row, column) distance.
        row, column: centre of the rod in pixels, to a pixel or two.
        diameter_mm: of the rod.
        half_width_mm: how far inside and outside of the edge is used; 0.8 of the radius unless told. Nothing but the
            rod and its uniform surroundings may lie there.

    Raises:
        ValueError: if the rod is so small, or so near to the border, that too few pixels lie near its edge.
    """
    image = np.asarray(image, dtype=np.float64)
    image = image.mean(axis=0) if image.ndim == 3 else image
    radius = diameter_mm / 2.0
    half_width = half_width_mm or 0.8 * radius
    rows, columns = (
        np.arange(size)[shape] for size, shape in zip(image.shape, ((..., None), (None, ...)), strict=True)
    )
    for _ in range(3):
        distance = np.hypot((rows - row) * spacing_mm[0], (columns - column) * spacing_mm[1])
        around = image[(distance > radius + half_width / 2.0) & (distance < radius + half_width)]
        if around.size == 0:
            raise ValueError("the rod has no surroundings in the image")
        near = distance < radius + half_width / 2.0
        weight = np.where(near, image - np.median(around), 0.0)
        row, column = (float((weight * axis).sum() / weight.sum()) for axis in (rows, columns))
    distance = np.hypot((rows - row) * spacing_mm[0], (columns - column) * spacing_mm[1]) - radius
    near = np.abs(distance) <= half_width
    return transfer_from_edge(distance[near], image[near], half_width, float(np.mean(spacing_mm)))


def rods_ttf(image: np.ndarray, spacing_mm: float, rods: Sequence[Insert], half_width_mm: float) -> TransferFunction:
    """Task transfer function of several rods of one size and HU, taken together where the contrast is too low for one.

    Their places are taken as known, so that a shift of the whole image counts as blur.

    Args:
        image: HU, (rows, columns), square pixels ``spacing_mm`` wide around the phantom's middle.
        spacing_mm: pixel width.
        rods: of the phantom.
        half_width_mm: how far inside and outside of the edge is used.
    """
    rows, columns = (np.arange(size) for size in image.shape)
    distances, values = [], []
    for rod in rods:
        row, column = rod.centre(image.shape, spacing_mm)
        distance = np.hypot((rows - row)[:, None], (columns - column)[None]) * spacing_mm - rod.diameter_mm / 2.0
        near = np.abs(distance) <= half_width_mm
        distances.append(distance[near])
        values.append(image[near])
    return transfer_from_edge(np.concatenate(distances), np.concatenate(values), half_width_mm, spacing_mm)


def _crossings(image: np.ndarray, region: np.ndarray, level: float) -> np.ndarray:
    """Points (row, column) where the image passes ``level`` between a pixel of the region and one outside."""
    points = []
    for axis in (0, 1):
        first = (slice(None, -1), slice(None)) if axis == 0 else (slice(None), slice(None, -1))
        second = (slice(1, None), slice(None)) if axis == 0 else (slice(None), slice(1, None))
        found = np.argwhere(region[first] != region[second])
        before, after = image[first][tuple(found.T)], image[second][tuple(found.T)]
        point = found.astype(np.float64)
        point[:, axis] += (level - before) / (after - before)
        points.append(point)
    return np.concatenate(points)


def edge_mtf(
    image: np.ndarray,
    spacing_mm: tuple[float, float],
    level_hu: float,
    half_width_mm: float = 3.0,
    arc_mm: float = 8.0,
    flatness: float = 0.1,
) -> TransferFunction:
    """Modulation transfer function from the irregular outline of a dense object, such as a skull phantom in air.

    The outline is cut into short arcs. Each arc is fitted with a parabola, which averages the noise of single
    crossings; pixels are sorted by their distance to it. Arcs whose two sides are not flat, or that no parabola
    fits to a fifth of a pixel, are left out; the others are scaled to their own height and taken together.

    Args:
        image: HU, (rows, columns).
        spacing_mm: (row, column) distance.
        level_hu: half way between the object and its surroundings; the outline is where the image passes it.
        half_width_mm: how far from the outline the profile is used; the object must be thicker.
        arc_mm: length of an arc.
        flatness: largest standard deviation of either side, as a share of the height of the edge.

    Raises:
        ValueError: if no arc is left.
    """
    import SimpleITK as sitk

    image = np.asarray(image, dtype=np.float64)
    dense = sitk.RelabelComponent(
        sitk.ConnectedComponent(sitk.GetImageFromArray((image > level_hu).astype(np.uint8))), sortByObjectSize=True
    )
    region = sitk.GetArrayFromImage(dense) == 1
    points = _crossings(image, region, level_hu) * spacing_mm
    pixel = float(np.mean(spacing_mm))
    reach = [int(np.ceil((half_width_mm + arc_mm / 2.0) / mm)) for mm in spacing_mm]
    remaining = np.ones(len(points), dtype=bool)
    distances, values, heights = [], [], []
    while remaining.any():
        seed = points[np.argmax(remaining)]
        offset = points - seed
        near = np.hypot(*offset.T) < arc_mm / 2.0
        remaining &= ~near
        if near.sum() < 6:
            continue
        directions = np.linalg.eigh(np.cov(offset[near].T))[1]
        along, across = offset[near] @ directions[:, 1], offset[near] @ directions[:, 0]
        parabola = np.polyfit(along, across, 2)
        if np.std(across - np.polyval(parabola, along)) > 0.2 * pixel:
            continue
        middle = np.rint(seed / spacing_mm).astype(int)
        low = np.maximum(middle - reach, 0)
        high = np.minimum(middle + np.array(reach) + 1, image.shape)
        rows, columns = np.mgrid[low[0] : high[0], low[1] : high[1]]
        place = np.stack([rows * spacing_mm[0], columns * spacing_mm[1]], axis=-1) - seed
        along, across = place @ directions[:, 1], place @ directions[:, 0]
        slope = np.polyval(np.polyder(parabola), along)
        distance = (across - np.polyval(parabola, along)) / np.hypot(1.0, slope)
        chosen = (np.abs(along) < arc_mm / 2.0) & (np.abs(distance) <= half_width_mm)
        distance, sample = distance[chosen], image[low[0] : high[0], low[1] : high[1]][chosen]
        sides = [sample[distance < -half_width_mm / 2.0], sample[distance > half_width_mm / 2.0]]
        if min(side.size for side in sides) < 4:
            continue
        if sides[0].mean() < sides[1].mean():
            distance, sides = -distance, sides[::-1]
        height = sides[0].mean() - sides[1].mean()
        if max(side.std() for side in sides) > flatness * height:
            continue
        distances.append(distance)
        values.append((sample - sides[1].mean()) / height)
        heights.append(height)
    if not distances:
        raise ValueError("no arc of the outline is a clean edge; check level_hu and half_width_mm")
    pooled = transfer_from_edge(np.concatenate(distances), np.concatenate(values), half_width_mm, pixel)
    return TransferFunction(pooled.frequency, pooled.value, float(np.mean(heights)), pooled.f50, pooled.f10)
