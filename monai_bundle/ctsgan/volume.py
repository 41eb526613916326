"""A CT volume as every part of the package hands it on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .geometry import half_pixel_shift, upscaled_affine, voxel_spacing


@dataclass(frozen=True)
class Volume:
    """A stack of slices in HU and where they are.

    Args:
        voxels: HU, shape (slices, rows, columns), C-contiguous, any integer or float type.
        affine: 4 x 4, (column, row, slice) index to LPS millimetres. Where slices are not evenly spaced its
            third column is the mean step.
        slice_origins: centre of each slice's first pixel in LPS mm, shape (slices, 3), given only where the
            slices are not evenly spaced along the affine; else ``None``.
        file_axes: for formats that store axes in any order, the file's axes (0, 1, 2) that run along
            (column, row, slice), so that a writer can store the result as the source was stored.
        source: the file or folder it came from.
        header: what the format's writer wants to carry over (a nibabel header, DICOM data sets, ...).
    """

    voxels: np.ndarray
    affine: np.ndarray
    slice_origins: np.ndarray | None = None
    file_axes: tuple[int, int, int] = (0, 1, 2)
    source: Path | None = None
    header: dict[str, Any] = field(default_factory=dict)

    @property
    def spacing_mm(self) -> np.ndarray:
        """Distance between voxels along (column, row, slice), shape (3,), mm."""
        return voxel_spacing(self.affine)

    @property
    def row_and_column_mm(self) -> tuple[float, float]:
        """Distance between rows, and between columns: the spacing of a slice (rows, columns), mm."""
        column_mm, row_mm = (float(mm) for mm in self.spacing_mm[:2])
        return row_mm, column_mm

    def origins_mm(self) -> np.ndarray:
        """Centre of each slice's first pixel, LPS mm, shape (slices, 3), evenly spaced or not."""
        if self.slice_origins is not None:
            return np.asarray(self.slice_origins, dtype=float)
        return self.affine[:3, 3] + np.arange(len(self.voxels))[:, None] * self.affine[:3, 2]

    def upscaled(self, voxels: np.ndarray, scale: float) -> Volume:
        """The same patient in the same place with ``voxels`` of ``scale`` times as many rows and columns.

        A scale below 1 is the way back: 1 / 2 for half as many.
        """
        origins = self.slice_origins
        if origins is not None:
            origins = origins + half_pixel_shift(self.affine, (scale, scale))
        return replace(self, voxels=voxels, affine=upscaled_affine(self.affine, scale), slice_origins=origins)
