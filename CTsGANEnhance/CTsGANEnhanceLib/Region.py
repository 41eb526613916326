"""The voxels of a volume in a region of interest: which they are, and their mean."""

from __future__ import annotations

import itertools

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from .Bundle import use_bundle

use_bundle()
from ctsgan.io.common import slices_last  # noqa: E402

STEPS = 9
"""Points along each edge of the region that are looked at, for transforms that bend it."""


def region_text(volume_node: slicer.vtkMRMLScalarVolumeNode, roi_node: slicer.vtkMRMLMarkupsROINode) -> str:
    """The region as ``ctsgan enhance --roi`` takes it, in voxels along the columns, rows and slices of the bundle.

    The region may be turned, and both nodes may have parent transforms; the box holds every voxel that is touched.

    Raises:
        ValueError: if the region lies outside the volume.
    """
    first, stop = _box(volume_node, roi_node)
    return ",".join(f"{first[axis]}:{stop[axis]}" for axis in bundle_axes(volume_node))


def mean_and_deviation(
    volume_node: slicer.vtkMRMLScalarVolumeNode, roi_node: slicer.vtkMRMLMarkupsROINode
) -> tuple[float, float]:
    """Mean and standard deviation (HU) of the voxels whose centres lie in the region.

    Raises:
        ValueError: if there are none.
    """
    first, stop = _box(volume_node, roi_node)
    indices = np.stack(np.meshgrid(*map(np.arange, first, stop), indexing="ij"), axis=-1).reshape(-1, 3)
    size, to_parent = _shape(roi_node)
    matrix = ijk_to_ras(volume_node)
    points = _between(volume_node, roi_node, indices @ matrix[:3, :3].T + matrix[:3, 3])
    unit = (points - to_parent[:3, 3]) @ np.linalg.inv(to_parent[:3, :3]).T / size
    i, j, k = indices[np.all(np.abs(unit) <= 0.5, axis=1)].T
    if not len(i):
        raise ValueError(
            _("The region {roi} holds no voxel of {volume}; make it larger.").format(
                roi=roi_node.GetName(), volume=volume_node.GetName()
            )
        )
    values = slicer.util.arrayFromVolume(volume_node)[k, j, i].astype(float)
    return float(values.mean()), float(values.std())


def _box(
    volume_node: slicer.vtkMRMLScalarVolumeNode, roi_node: slicer.vtkMRMLMarkupsROINode
) -> tuple[np.ndarray, np.ndarray]:
    """(i, j, k) of the first voxel that the region touches and of the one after the last.

    Raises:
        ValueError: if there are none.
    """
    size = np.array(volume_node.GetImageData().GetDimensions())
    matrix = ijk_to_ras(volume_node)
    local = _between(roi_node, volume_node, _points(roi_node))
    touched = np.floor((local - matrix[:3, 3]) @ np.linalg.inv(matrix[:3, :3]).T + 0.5)
    first = np.maximum(touched.min(axis=0), 0).astype(int)
    stop = np.minimum(touched.max(axis=0) + 1, size).astype(int)
    if np.any(first >= stop):
        raise ValueError(
            _("The region {roi} lies outside {volume}; move it over the volume.").format(
                roi=roi_node.GetName(), volume=volume_node.GetName()
            )
        )
    return first, stop


def _shape(roi_node: slicer.vtkMRMLMarkupsROINode) -> tuple[np.ndarray, np.ndarray]:
    """Edges in mm, and the 4 x 4 matrix from the region's own axes to its parent transform."""
    return np.array(roi_node.GetSize()), slicer.util.arrayFromVTKMatrix(roi_node.GetObjectToNodeMatrix())


def _points(roi_node: slicer.vtkMRMLMarkupsROINode) -> np.ndarray:
    """Points all over the region in mm of its own parent transform, shape (points, 3)."""
    size, to_parent = _shape(roi_node)
    unit = np.array(list(itertools.product(np.linspace(-0.5, 0.5, STEPS), repeat=3)))
    return unit * size @ to_parent[:3, :3].T + to_parent[:3, 3]


def _between(
    source: slicer.vtkMRMLTransformableNode, target: slicer.vtkMRMLTransformableNode, points: np.ndarray
) -> np.ndarray:
    """Points in mm, shape (points, 3), from the parent transform of one node to that of another."""
    between = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        source.GetParentTransformNode(), target.GetParentTransformNode(), between
    )
    given, moved = vtk.vtkPoints(), vtk.vtkPoints()
    given.SetDataTypeToDouble()
    moved.SetDataTypeToDouble()
    given.SetData(numpy_to_vtk(np.ascontiguousarray(points, dtype=float), deep=True))
    between.TransformPoints(given, moved)
    return vtk_to_numpy(moved.GetData())


def ijk_to_ras(volume_node: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray:
    """4 x 4, from indices to mm in the volume's parent transform."""
    matrix = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def bundle_axes(volume_node: slicer.vtkMRMLScalarVolumeNode) -> tuple[int, int, int]:
    """Which of the axes (i, j, k) the bundle takes for columns, rows and slices."""
    return slices_last(volume_node.GetImageData().GetDimensions(), ijk_to_ras(volume_node))
