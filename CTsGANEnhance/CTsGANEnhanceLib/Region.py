"""The voxels of a volume that a region of interest touches."""

from __future__ import annotations

import itertools

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from .Bundle import use_bundle

STEPS = 9
"""Points along each edge of the region that are looked at, for transforms that bend it."""


def region_text(volume_node: slicer.vtkMRMLScalarVolumeNode, roi_node: slicer.vtkMRMLMarkupsROINode) -> str:
    """The region as ``ctsgan enhance --roi`` takes it, in voxels along the columns, rows and slices of the bundle.

    The region may be turned, and both nodes may have parent transforms; the box holds every voxel that is touched.

    Raises:
        ValueError: if the region lies outside the volume.
    """
    size = np.array(volume_node.GetImageData().GetDimensions())
    touched = np.floor(_indices(volume_node, roi_node, _points(roi_node)) + 0.5)
    first = np.maximum(touched.min(axis=0), 0).astype(int)
    stop = np.minimum(touched.max(axis=0) + 1, size).astype(int)
    if np.any(first >= stop):
        raise ValueError(
            _("The region {roi} lies outside {volume}; move it over the volume.").format(
                roi=roi_node.GetName(), volume=volume_node.GetName()
            )
        )
    return ",".join(f"{first[axis]}:{stop[axis]}" for axis in _bundle_axes(volume_node))


def _points(roi_node: slicer.vtkMRMLMarkupsROINode) -> np.ndarray:
    """Points all over the region in mm of its own parent transform, shape (points, 3)."""
    size = np.array(roi_node.GetSize())
    to_parent = slicer.util.arrayFromVTKMatrix(roi_node.GetObjectToNodeMatrix())
    unit = np.array(list(itertools.product(np.linspace(-0.5, 0.5, STEPS), repeat=3)))
    return unit * size @ to_parent[:3, :3].T + to_parent[:3, 3]


def _indices(
    volume_node: slicer.vtkMRMLScalarVolumeNode, roi_node: slicer.vtkMRMLMarkupsROINode, points: np.ndarray
) -> np.ndarray:
    """Points of the region as (i, j, k) of the volume, shape (points, 3)."""
    between = vtk.vtkGeneralTransform()
    slicer.vtkMRMLTransformNode.GetTransformBetweenNodes(
        roi_node.GetParentTransformNode(), volume_node.GetParentTransformNode(), between
    )
    local = np.array([between.TransformPoint(point) for point in points])
    ras_to_ijk = vtk.vtkMatrix4x4()
    volume_node.GetRASToIJKMatrix(ras_to_ijk)
    matrix = slicer.util.arrayFromVTKMatrix(ras_to_ijk)
    return local @ matrix[:3, :3].T + matrix[:3, 3]


def _bundle_axes(volume_node: slicer.vtkMRMLScalarVolumeNode) -> tuple[int, int, int]:
    """Which of the axes (i, j, k) the bundle takes for columns, rows and slices."""
    use_bundle()
    from ctsgan.io.common import slices_last

    ijk_to_ras = vtk.vtkMatrix4x4()
    volume_node.GetIJKToRASMatrix(ijk_to_ras)
    return slices_last(volume_node.GetImageData().GetDimensions(), slicer.util.arrayFromVTKMatrix(ijk_to_ras))
