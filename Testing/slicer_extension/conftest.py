"""Real MRML scenes from slicer-core; the few parts of Slicer that it lacks stand in ``standins``."""

import importlib.util
import sys

import numpy as np
import pytest

from ctsgan.geometry import LPS_TO_RAS, cropped_affine
from ctsgan.volume import Volume
from slicer_extension.workers import STANDINS

if importlib.util.find_spec("slicer_core"):
    # slicer-core takes whatever folders named `slicer` on the path hold for parts of itself
    sys.path += map(str, STANDINS)


@pytest.fixture
def scene():
    """An empty scene, which is the application's."""
    import slicer

    slicer.mrmlScene = slicer.vtkMRMLScene()
    yield slicer.mrmlScene
    slicer.mrmlScene.Clear()


@pytest.fixture(scope="session")
def crop(clinical_volume) -> Volume:
    """Three slices of 64 x 48 pixels of the clinical CT where they really lie."""
    voxels = np.ascontiguousarray(clinical_volume.voxels[8:11, 200:264, 150:198])
    return Volume(voxels, cropped_affine(clinical_volume.affine, (150, 200, 8)))


@pytest.fixture
def affine(crop) -> np.ndarray:
    """Of the crop, RAS."""
    return LPS_TO_RAS @ crop.affine


@pytest.fixture
def add_volume(scene, crop, affine):
    """Adds a volume node, the crop unless told otherwise, with a display node."""
    import slicer

    def add(name="CT", voxels=crop.voxels, affine_ras=affine):
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        slicer.util.updateVolumeFromArray(node, voxels)
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine_ras))
        node.CreateDefaultDisplayNodes()
        return node

    return add


@pytest.fixture
def ct(add_volume):
    """The crop in the scene."""
    return add_volume()


@pytest.fixture
def views(scene) -> dict:
    """The two slice views and the layout that Slicer's window has, by name."""
    scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    found = {}
    for name in ("Red", "Yellow"):
        for kind in ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode"):
            node = scene.CreateNodeByClass(kind)
            node.UnRegister(None)
            node.SetLayoutName(name)
            node = scene.AddNode(node)
            found.setdefault(name, node)
    return found


@pytest.fixture
def start(tmp_path):
    """Starts runs that keep their files in the test's folder ``runs``."""
    from CTsGANEnhanceLib.Logic import EnhanceRun

    runs = []
    (tmp_path / "runs").mkdir()

    def start_one(*arguments, **options):
        runs.append(EnhanceRun(*arguments, temporary_folder=str(tmp_path / "runs"), **options))
        return runs[-1]

    yield start_one
    for run in runs:
        run.cancel()
