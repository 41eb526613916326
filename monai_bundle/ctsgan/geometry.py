"""Where voxels are: the grid of a stack of slices, before and after its pixels get smaller.

Indices are (column i, row j, slice k), positions are millimetres in LPS, the patient coordinates of DICOM
and ITK (NIfTI's RAS has the first two signs turned). An affine is 4 x 4, maps (i, j, k, 1) to the centre of
that voxel and may be oblique, flipped or sheared (gantry tilt): none of the functions assumes right angles.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Turns an LPS affine into a RAS affine, and back, by multiplication from the left."""


def voxel_spacing(affine: np.ndarray) -> np.ndarray:
    """Distances in mm between neighbouring voxels along (i, j, k), shape (3,)."""
    return np.linalg.norm(np.asarray(affine, dtype=float)[:3, :3], axis=0)


def outer_corners(affine: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """Where the eight corners of a volume of ``shape`` (slices, rows, columns) lie in mm, (8, 3), i running slowest.

    The corners are those of the pixels, so they stay when pixels get smaller; along the stack, where nothing gets
    smaller, they are in the middle of the first and of the last slice.
    """
    slices, rows, columns = shape
    ends = ((-0.5, columns - 0.5), (-0.5, rows - 0.5), (0.0, slices - 1.0))
    corners = np.array([(*corner, 1.0) for corner in itertools.product(*ends)])
    return (corners @ np.asarray(affine, dtype=float).T)[:, :3]


def half_pixel_shift(affine: np.ndarray, factors: Sequence[float]) -> np.ndarray:
    """How far in mm, shape (3,), the first voxel's centre moves when spacing is divided by ``factors`` (i, j).

    The corner of the image stays where it is, so the centre of the first, smaller pixel moves towards it by
    (1 - 1/r) / 2 input pixels along each axis.
    """
    columns = np.asarray(affine, dtype=float)[:3, :2]
    return columns @ ((1.0 / np.asarray(factors, dtype=float) - 1.0) / 2.0)


def upscaled_affine(affine: np.ndarray, factors: Sequence[float] | float) -> np.ndarray:
    """The affine after the in-plane spacing is divided by ``factors`` (one for both axes, or (i, j)).

    The physical bounds of the slices, their directions and positions along the stack do not change.
    """
    factors = np.broadcast_to(np.asarray(factors, dtype=float), 2)
    result = np.array(affine, dtype=float)
    result[:3, 3] += half_pixel_shift(affine, factors)
    result[:3, :2] /= factors
    return result


def grid_for_spacing(shape: Sequence[int], affine: np.ndarray, spacing_mm: float) -> tuple[tuple[int, int], np.ndarray]:
    """A grid of square pixels of ``spacing_mm`` around the same centre as the given slices.

    Args:
        shape: (slices, rows, columns) of the given grid.
        affine: of the given grid.
        spacing_mm: distance between pixels of the new grid along rows and columns.

    Returns:
        (rows, columns) of the new grid, the nearest to the extent of the given one, and its affine.
    """
    affine = np.asarray(affine, dtype=float)
    given = voxel_spacing(affine)[:2]
    old_size = np.array([shape[2], shape[1]], dtype=float)
    new_size = np.maximum(np.round(old_size * given / spacing_mm), 1.0)
    step = spacing_mm / given
    first = (old_size - 1.0) / 2.0 - step * (new_size - 1.0) / 2.0
    result = affine.copy()
    result[:3, 3] += affine[:3, :2] @ first
    result[:3, :2] *= step
    return (int(new_size[1]), int(new_size[0])), result


def cropped_affine(affine: np.ndarray, first: Sequence[int]) -> np.ndarray:
    """The affine of a box whose first voxel is (i, j, k) = ``first`` of the given grid."""
    result = np.array(affine, dtype=float)
    result[:3, 3] += result[:3, :3] @ np.asarray(first, dtype=float)
    return result


def slice_axis(shape: Sequence[int], spacing_mm: Sequence[float]) -> int:
    """Which of a file's three axes runs from slice to slice.

    Slices have square pixels and, mostly, as many rows as columns: the axis whose two partners agree in
    spacing (to 1 %) and size is the one. Where that does not single one out it is the last, as scanners
    and converters store it.
    """
    candidates = []
    for axis in range(3):
        first, second = (other for other in range(3) if other != axis)
        same_spacing = abs(spacing_mm[first] / spacing_mm[second] - 1.0) < 0.01
        if same_spacing and shape[first] == shape[second]:
            candidates.append(axis)
    return candidates[0] if len(candidates) == 1 else 2
