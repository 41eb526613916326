"""A derived DICOM series as Slicer's own reader (MRML's archetype storage, over ITK and GDCM) finds it."""

import shutil

import numpy as np
import pytest

from ctsgan.geometry import LPS_TO_RAS
from ctsgan.io.files import read_volume
from ctsgan.workflow import Request, enhance_file

slicer = pytest.importorskip("slicer", reason="needs slicer-core: `make test-slicer` sets it up")


@pytest.mark.parametrize("scale", [1, 2])
def test_slicer_reads_the_voxels_and_the_place_of_the_command_line(scene, clinical_volume, tmp_path, scale):
    (tmp_path / "source").mkdir()
    for name in clinical_volume.header["dicom_files"][4:7]:
        shutil.copy(name, tmp_path / "source")
    request = Request(scale=scale, threads=1, roi="150:246,200:328,:")
    enhance_file(tmp_path / "source", tmp_path / "derived", request)
    enhance_file(tmp_path / "source", tmp_path / "expected.nrrd", request)
    expected = read_volume(tmp_path / "expected.nrrd")

    files = sorted(map(str, (tmp_path / "derived").iterdir()))
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(files[0])
    storage.ResetFileNameList()
    for file in files:
        storage.AddFileName(file)
    storage.SetSingleFile(0)
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    assert storage.ReadData(node) == 1
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), expected.voxels)
    matrix = slicer.util.vtkMatrixFromArray(np.eye(4))
    node.GetIJKToRASMatrix(matrix)
    np.testing.assert_allclose(slicer.util.arrayFromVTKMatrix(matrix), LPS_TO_RAS @ expected.affine, atol=1e-3)
