"""Regions of interest as voxels of the volume."""

import numpy as np
import pytest

from ctsgan.geometry import cropped_affine, upscaled_affine

slicer = pytest.importorskip("slicer", reason="needs slicer-core: `make test-slicer` sets it up")
import vtk  # noqa: E402

from CTsGANEnhanceLib.Logic import EnhanceRun  # noqa: E402
from CTsGANEnhanceLib.Region import region_text  # noqa: E402
from CTsGANEnhanceLib.Settings import Settings  # noqa: E402
from slicer_extension.workers import wait_for_end  # noqa: E402

FIRST, STOP = np.array([10, 20, 1]), np.array([30, 52, 2])
BOX = "10:30,20:52,1:2"


@pytest.fixture
def roi(scene, affine):
    """Around the voxels of BOX, a tenth of a voxel inside their outer faces."""
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "lesion")
    node.SetCenter(*(affine @ [*(FIRST + STOP - 1) / 2, 1])[:3])
    node.SetSize(*(np.abs(np.diag(affine)[:3]) * (STOP - FIRST - 0.2)))
    return node


def add_transform(scene, degrees, scale=1.0):
    transform = vtk.vtkTransform()
    transform.RotateWXYZ(degrees, 1, 2, 3)
    transform.Scale(scale, scale, scale)
    transform.Translate(5, -7, 11)
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    node.SetMatrixTransformToParent(transform.GetMatrix())
    return node


def test_every_voxel_that_is_touched_and_no_other(ct, roi):
    assert region_text(ct, roi) == BOX


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_volume_and_region_moved_together_keep_the_voxels(scene, ct, roi, scale):
    transform = add_transform(scene, 40, scale)
    ct.SetAndObserveTransformNodeID(transform.GetID())
    roi.SetAndObserveTransformNodeID(transform.GetID())
    assert region_text(ct, roi) == BOX


def test_a_moved_volume_under_a_region_that_stays(scene, ct, roi, affine):
    shift = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "shift")
    matrix = np.eye(4)
    matrix[:3, 3] = affine[:3, 0] * -4
    shift.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    ct.SetAndObserveTransformNodeID(shift.GetID())
    assert region_text(ct, roi) == "14:34,20:52,1:2"


def test_a_turned_region_gives_the_box_around_it(ct, roi, affine):
    turn = vtk.vtkTransform()
    turn.RotateZ(45)
    matrix = slicer.util.arrayFromVTKMatrix(turn.GetMatrix())
    matrix[:3, 3] = roi.GetCenter()
    size = np.array([8.0, 8.0, 1.0])
    roi.SetSize(*size)
    roi.SetAndObserveObjectToNodeMatrix(slicer.util.vtkMatrixFromArray(matrix))
    half = np.sqrt(2) * 4 / abs(affine[0, 0])
    columns, rows, slices = (tuple(map(int, part.split(":"))) for part in region_text(ct, roi).split(","))
    assert columns[1] - columns[0] == pytest.approx(2 * half, abs=2)
    assert rows[1] - rows[0] == pytest.approx(2 * half, abs=2)
    assert slices == (1, 2)


def test_a_region_over_the_edge_is_cut_there(ct, roi):
    roi.SetSize(1000, 1000, 1000)
    assert region_text(ct, roi) == "0:48,0:64,0:3"


def test_a_region_elsewhere_is_refused(ct, roi):
    roi.SetCenter(5000, 0, 0)
    with pytest.raises(ValueError, match="The region lesion lies outside CT; move it"):
        region_text(ct, roi)


def test_axes_are_those_of_the_bundle(add_volume, roi, crop, affine):
    voxels = np.ascontiguousarray(crop.voxels[:, :48].transpose(2, 1, 0))
    volume = add_volume(voxels=voxels, affine_ras=affine[:, [2, 1, 0, 3]])
    assert region_text(volume, roi) == "20:48,10:30,1:2"


def test_only_the_region_comes_out_with_the_voxels_of_the_whole(ct, roi, affine):
    whole = EnhanceRun(ct, Settings(scale=2))
    part = EnhanceRun(ct, Settings(scale=2), roi_node=roi)
    for run in (whole, part):
        assert wait_for_end(run).kind == "done", run.log
    voxels = slicer.util.arrayFromVolume(part.output_node)
    assert voxels.shape == (1, 64, 40)
    np.testing.assert_array_equal(voxels, slicer.util.arrayFromVolume(whole.output_node)[1:2, 40:104, 20:60])
    matrix = vtk.vtkMatrix4x4()
    part.output_node.GetIJKToRASMatrix(matrix)
    expected = upscaled_affine(cropped_affine(affine, FIRST), 2)
    np.testing.assert_allclose(slicer.util.arrayFromVTKMatrix(matrix), expected, atol=1e-3)
