"""Volume nodes in real MRML scenes through the bundle and back."""

import numpy as np
import pytest

from ctsgan.geometry import LPS_TO_RAS, upscaled_affine
from ctsgan.io.files import read_volume
from ctsgan.workflow import Request, enhance_file

slicer = pytest.importorskip("slicer", reason="needs slicer-core: `make test-slicer` sets it up")
import vtk  # noqa: E402

from CTsGANEnhanceLib.Settings import Settings  # noqa: E402
from slicer_extension.workers import (  # noqa: E402
    wait_for_end,
)

TILT = np.array([[1.0, 0, 0, 0], [0, 1, 0.3, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


@pytest.fixture
def enhanced(start):
    def enhance(*arguments, **options):
        run = start(*arguments, **options)
        outcome = wait_for_end(run)
        assert outcome.kind == "done", (outcome, run.log)
        return run.output_node

    return enhance


def matrix_of(node) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def add_transform(scene, matrix):
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    return node


def rotation(degrees) -> np.ndarray:
    transform = vtk.vtkTransform()
    for axis in ((1, 0, 0), (0, 1, 0)):
        transform.RotateWXYZ(degrees, axis)
    return slicer.util.arrayFromVTKMatrix(transform.GetMatrix())


@pytest.mark.parametrize(
    "turn",
    [
        pytest.param(lambda ras: ras, id="axial"),
        pytest.param(lambda ras: ras @ np.diag([-1.0, 1, -1, 1]), id="flipped"),
        pytest.param(lambda ras: np.diag([1.0, 1, -1, 1]) @ ras, id="left-handed"),
        pytest.param(lambda ras: rotation(25) @ ras, id="oblique"),
        pytest.param(lambda ras: TILT @ ras, id="tilted"),
    ],
)
def test_the_output_is_that_of_ctsgan_enhance_and_lies_where_the_input_does(add_volume, enhanced, crop, tmp_path, turn):
    affine = turn(LPS_TO_RAS @ crop.affine)
    ct = add_volume(affine_ras=affine)
    storage = slicer.vtkMRMLNRRDStorageNode()
    storage.SetFileName(str(tmp_path / "saved.nrrd"))
    assert storage.WriteData(ct)
    enhance_file(tmp_path / "saved.nrrd", tmp_path / "expected.nrrd", Request(scale=2))

    output = enhanced(ct, Settings(scale=2))

    expected = read_volume(tmp_path / "expected.nrrd")
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(output), expected.voxels, strict=True)
    np.testing.assert_allclose(matrix_of(output), LPS_TO_RAS @ expected.affine, atol=1e-6)
    np.testing.assert_allclose(matrix_of(output), upscaled_affine(affine, 2), atol=1e-3)


def test_slices_may_lie_along_the_first_axis(add_volume, enhanced, crop):
    voxels = np.ascontiguousarray(crop.voxels[:, :48].transpose(2, 1, 0))
    affine = (LPS_TO_RAS @ crop.affine)[:, [2, 1, 0, 3]]
    output = enhanced(add_volume(voxels=voxels, affine_ras=affine), Settings(scale=2))
    assert slicer.util.arrayFromVolume(output).shape == (96, 96, 3)
    np.testing.assert_allclose(matrix_of(output)[:3, 2], affine[:3, 2] / 2, atol=1e-6)


def test_floats_stay_floats(add_volume, enhanced, crop):
    output = enhanced(add_volume(voxels=crop.voxels + np.float32(0.25)), Settings(scale=1))
    assert slicer.util.arrayFromVolume(output).dtype == np.float32


def test_the_output_looks_and_lies_as_the_input_does(scene, ct, enhanced):
    transform = add_transform(scene, rotation(10))
    ct.SetAndObserveTransformNodeID(transform.GetID())
    ct.SetAttribute("DICOM.instanceUIDs", "1.2.3 1.2.4")
    display = ct.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    display.SetWindowLevel(321, 45)
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeInvertedGrey")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    study = hierarchy.CreateStudyItem(hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Patient"), "Study")
    hierarchy.CreateItem(study, ct)

    output = enhanced(ct, Settings(scale=2))

    assert output.GetName() == "CT_x2"
    assert output.GetTransformNodeID() == transform.GetID()
    shown = output.GetDisplayNode()
    assert (shown.GetWindow(), shown.GetLevel(), shown.GetAutoWindowLevel()) == (321, 45, 0)
    assert shown.GetColorNodeID() == "vtkMRMLColorTableNodeInvertedGrey"
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(output)) == study
    assert output.GetNodeReference("CTsGANEnhance.input") is ct
    assert output.GetAttribute("CTsGANEnhance.SourceInstanceUIDs") == "1.2.3 1.2.4"
    assert output.GetAttribute("DICOM.instanceUIDs") is None
    assert output.GetAttribute("CTsGANEnhance.Options").startswith("--scale 2 ")


def test_a_grid_transform_of_uneven_slices_is_kept(scene, ct, enhanced):
    grid = vtk.vtkImageData()
    grid.SetDimensions(2, 2, 3)
    grid.AllocateScalars(vtk.VTK_DOUBLE, 3)
    grid.GetPointData().GetScalars().Fill(1.5)
    displacement = slicer.vtkOrientedGridTransform()
    displacement.SetDisplacementGridData(grid)
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "acquisition")
    node.SetAndObserveTransformFromParent(displacement)
    ct.SetAndObserveTransformNodeID(node.GetID())
    assert enhanced(ct, Settings(scale=1)).GetParentTransformNode() is node


def test_a_scene_saved_and_loaded_again_holds_the_same(scene, ct, enhanced, tmp_path):
    output = enhanced(ct, Settings(scale=2))
    voxels, matrix, name = slicer.util.arrayFromVolume(output).copy(), matrix_of(output), output.GetName()
    for node in (ct, output):
        node.AddDefaultStorageNode()
        node.GetStorageNode().SetFileName(str(tmp_path / f"{node.GetName()}.nrrd"))
        assert node.GetStorageNode().WriteData(node)
    scene.SetURL(str(tmp_path / "scene.mrml"))
    assert scene.Commit()
    again = slicer.vtkMRMLScene()
    again.SetURL(str(tmp_path / "scene.mrml"))
    again.Connect()
    loaded = again.GetFirstNodeByName(name)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(loaded), voxels, strict=True)
    np.testing.assert_allclose(matrix_of(loaded), matrix, atol=1e-6)
    assert loaded.GetNodeReference("CTsGANEnhance.input").GetName() == "CT"


def test_an_existing_output_is_replaced_on_success(scene, ct, add_volume, enhanced):
    existing = add_volume("mine")
    assert enhanced(ct, Settings(scale=2), output_node=existing) is existing
    assert existing.GetName() == "mine"
    assert slicer.util.arrayFromVolume(existing).shape == (3, 128, 96)
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 2
