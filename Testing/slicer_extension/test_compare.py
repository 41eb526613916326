"""Views of a real scene that show input and output, and what a region measures in both."""

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="needs slicer-core: `make test-slicer` sets it up")
import vtk  # noqa: E402

from CTsGANEnhanceLib.Compare import first_view, set_fade, show_side_by_side, shown_slice  # noqa: E402
from CTsGANEnhanceLib.Region import mean_and_deviation  # noqa: E402
from CTsGANEnhanceLib.Settings import Settings  # noqa: E402
from slicer_extension.workers import wait_for_end  # noqa: E402


@pytest.fixture
def roi(scene, affine):
    """Around the centres of columns 10 to 29, rows 20 to 51 and the middle slice."""
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "liver")
    node.SetCenter(*(affine @ [19.5, 35.5, 1, 1])[:3])
    node.SetSize(*(np.abs(np.diag(affine)[:3]) * [20, 32, 1]))
    return node


def composite(scene, name):
    nodes = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode", scene)
    return next(node for node in nodes if node.GetLayoutName() == name)


def look_at(view, point):
    for row, value in enumerate(point):
        view.GetSliceToRAS().SetElement(row, 3, value)
    view.UpdateMatrices()


def test_input_and_output_are_side_by_side_at_one_place_and_linked(scene, views, ct, add_volume):
    output = add_volume("CT_x2")
    look_at(views["Red"], (10, 20, 30))
    show_side_by_side(ct, output, fade=0.25)
    left, right = composite(scene, "Red"), composite(scene, "Yellow")
    assert (left.GetBackgroundVolumeID(), left.GetForegroundVolumeID()) == (ct.GetID(), output.GetID())
    assert (right.GetBackgroundVolumeID(), right.GetForegroundVolumeID()) == (output.GetID(), None)
    assert left.GetLinkedControl() == right.GetLinkedControl() == 1
    assert left.GetForegroundOpacity() == 0.25
    matrices = [slicer.util.arrayFromVTKMatrix(views[name].GetSliceToRAS()) for name in ("Red", "Yellow")]
    np.testing.assert_array_equal(*matrices)
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert layout.GetViewArrangement() == slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView
    set_fade(scene, 1.0)
    assert left.GetForegroundOpacity() == 1.0


def test_the_slice_in_a_view_is_found_wherever_the_volume_lies(scene, views, ct, affine):
    view = first_view(scene)
    for index in range(3):
        look_at(view, (affine @ [24, 32, index + 0.4, 1])[:3])
        assert shown_slice(ct, view) == index
    moved = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    shift = np.eye(4)
    shift[:3, 3] = affine[:3, 2]
    moved.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(shift))
    ct.SetAndObserveTransformNodeID(moved.GetID())
    assert shown_slice(ct, view) == 1
    look_at(view, (0, 0, 9000))
    with pytest.raises(ValueError, match="The view shows no slice of CT; move it"):
        shown_slice(ct, view)


def test_a_preview_is_that_slice_of_the_whole(ct, start):
    whole = start(ct, Settings(scale=2))
    preview = start(ct, Settings(scale=2), slice_index=1)
    for run in (whole, preview):
        assert wait_for_end(run).kind == "done", run.log
    assert preview.output_node.GetName() == "CT_x2_preview"
    expected = slicer.util.arrayFromVolume(whole.output_node)[1:2]
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(preview.output_node), expected, strict=True)
    bounds, of_slice = np.zeros(6), np.zeros(6)
    whole.output_node.GetRASBounds(bounds)
    preview.output_node.GetRASBounds(of_slice)
    np.testing.assert_allclose(of_slice[:4], bounds[:4], atol=1e-6)
    np.testing.assert_allclose(of_slice[4:].mean(), bounds[4:].mean(), atol=1e-6)


def test_a_preview_of_a_region_is_the_region_in_that_slice(ct, roi, start):
    preview = start(ct, Settings(scale=1), roi_node=roi, slice_index=2)
    assert wait_for_end(preview).kind == "done", preview.log
    assert preview.output_node.GetImageData().GetDimensions()[2] == 1
    assert preview.output_node.GetImageData().GetDimensions()[0] < 30


def test_mean_and_deviation_are_of_the_voxels_inside(ct, roi, crop):
    inside = crop.voxels[1, 20:52, 10:30]
    mean, deviation = mean_and_deviation(ct, roi)
    assert mean == pytest.approx(inside.mean())
    assert deviation == pytest.approx(inside.std())


def test_a_finer_volume_is_measured_in_the_same_place(ct, roi, crop, start):
    run = start(ct, Settings(scale=2))
    assert wait_for_end(run).kind == "done", run.log
    inside = slicer.util.arrayFromVolume(run.output_node)[1, 40:104, 20:60]
    assert mean_and_deviation(run.output_node, roi) == pytest.approx((inside.mean(), inside.std()))
    # the promise of the whole: a region keeps its mean
    assert mean_and_deviation(run.output_node, roi)[0] == pytest.approx(mean_and_deviation(ct, roi)[0], abs=1.0)


def test_a_turned_region_measures_what_is_inside_it(ct, roi, affine, crop):
    turn = vtk.vtkTransform()
    turn.RotateZ(30)
    matrix = slicer.util.arrayFromVTKMatrix(turn.GetMatrix())
    matrix[:3, 3] = roi.GetCenter()
    roi.SetAndObserveObjectToNodeMatrix(slicer.util.vtkMatrixFromArray(matrix))
    rows, columns = np.mgrid[:64, :48]
    places = np.stack([columns, rows, np.ones_like(rows), np.ones_like(rows)], axis=-1) @ affine.T
    local = np.abs((places - [*roi.GetCenter(), 1]) @ matrix)[..., :2]
    inside = crop.voxels[1][np.all(local <= np.array(roi.GetSize())[:2] / 2, axis=-1)]
    assert mean_and_deviation(ct, roi) == pytest.approx((inside.mean(), inside.std()))


def test_a_region_of_no_voxel_is_refused(ct, roi, affine):
    roi.SetCenter(*(affine @ [19.5, 35.5, 1, 1])[:3])
    roi.SetSize(0.01, 0.01, 0.01)
    with pytest.raises(ValueError, match="The region liver holds no voxel of CT; make it larger"):
        mean_and_deviation(ct, roi)
