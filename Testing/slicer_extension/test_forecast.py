"""What is said before a run, held to what the run then does."""

import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ctsgan import plan
from ctsgan.cli import main
from ctsgan.geometry import LPS_TO_RAS
from ctsgan.io.files import read_volume

slicer = pytest.importorskip("slicer", reason="needs slicer-core: `make test-slicer` sets it up")
from CTsGANEnhanceLib.Forecast import SpeedTrial, describe, forecast, volume_of  # noqa: E402
from CTsGANEnhanceLib.Settings import Settings  # noqa: E402
from slicer_extension.workers import python_running, wait_for_end  # noqa: E402


@pytest.fixture
def try_speed(tmp_path):
    trials = []

    def try_one(*arguments, **options):
        trials.append(SpeedTrial(*arguments, temporary_folder=str(tmp_path), **options))
        deadline = time.monotonic() + 90
        while not trials[-1].poll():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return trials[-1]

    yield try_one
    for trial in trials:
        trial.cancel()


def save(node, path):
    storage = slicer.vtkMRMLNRRDStorageNode()
    storage.SetFileName(str(path))
    assert storage.WriteData(node)


@pytest.mark.parametrize("first_axis", [False, True])
def test_a_node_is_the_volume_that_the_bundle_reads(add_volume, crop, tmp_path, first_axis):
    affine = LPS_TO_RAS @ crop.affine
    node = add_volume(affine_ras=affine)
    if first_axis:
        voxels = np.ascontiguousarray(crop.voxels[:, :48].transpose(2, 1, 0))
        node = add_volume(voxels=voxels, affine_ras=affine[:, [2, 1, 0, 3]])
    save(node, tmp_path / "saved.nrrd")
    expected, given = read_volume(tmp_path / "saved.nrrd"), volume_of(node)
    np.testing.assert_array_equal(given.voxels, expected.voxels, strict=True)
    np.testing.assert_allclose(given.affine, expected.affine, atol=1e-6)


def test_grids_and_memory_are_those_of_ctsgan_info(ct, tmp_path, capsys):
    save(ct, tmp_path / "saved.nrrd")
    assert main(["info", str(tmp_path / "saved.nrrd"), "--scale", "4"]) == 0
    said = capsys.readouterr().out
    expected = forecast(ct, Settings(scale=4))
    assert f"input   {expected.input_grid}, int16" in said
    assert f"output  {expected.output_grid}, int16" in said
    assert f"about {expected.memory_bytes / 2**30:.1f} GiB, " in said
    assert expected.free_bytes > 0
    assert expected.cautions == ()


def test_the_output_is_as_large_as_was_said(scene, ct, start):
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "part")
    bounds = np.zeros(6)
    ct.GetRASBounds(bounds)
    roi.SetCenter(*bounds.reshape(3, 2).mean(axis=1))
    roi.SetSize(*np.ptp(bounds.reshape(3, 2), axis=1) / 2)
    expected = forecast(ct, Settings(scale=2), roi)
    run = start(ct, Settings(scale=2), roi_node=roi)
    assert wait_for_end(run).kind == "done", run.log
    size = run.output_node.GetImageData().GetDimensions()
    assert expected.output_grid.startswith("{} x {} x {} voxels".format(*size))
    assert expected.pixels == np.prod(size) / 4


def test_the_time_is_of_the_size_that_a_run_takes(add_volume, clinical_volume, try_speed, start):
    voxels = np.ascontiguousarray(clinical_volume.voxels[:4])
    node = add_volume(voxels=voxels, affine_ras=np.diag([-0.8, -0.8, 5.0, 1.0]))
    settings = Settings(scale=1, threads=1)
    trial = try_speed(node, settings)
    promised = trial.seconds_per_pixel * forecast(node, settings).pixels
    run = start(node, settings)
    while run.progress.fraction == 0.0 and run.poll() is None:
        time.sleep(0.01)
    started = time.monotonic()
    assert wait_for_end(run).kind == "done", run.log
    # from the first of four slices on
    taken = (time.monotonic() - started) * 4 / 3
    assert promised / 4 < taken < 4 * promised
    assert "1 threads" in trial.device_name


def test_a_trial_leaves_no_file_and_a_failed_one_says_why(ct, try_speed, tmp_path):
    failed = try_speed(ct, Settings(device="cuda:99"))
    assert failed.seconds_per_pixel is None
    assert "there is no device" in failed.problem or "is not there" in failed.problem
    assert "Time: not known, " in describe(forecast(ct, Settings()), failed)
    broken = try_speed(ct, Settings(), python=python_running("raise SystemExit('no PyTorch')"))
    assert broken.problem == "no PyTorch"
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_ct_is_doubted_until_it_is_forced(scene, add_volume, crop):
    mask = add_volume("mask", voxels=(crop.voxels > 0).astype("uint8"))
    (doubt,) = forecast(mask, Settings()).cautions
    assert doubt.startswith("mask has values 0 to 1, not HU")
    assert doubt.endswith("tick Force under Advanced to take them as they are")
    assert forecast(mask, Settings(force=True)).cautions == ()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), mask)
    for modality, count in (("CT", 0), ("MR", 1)):
        hierarchy.SetItemAttribute(item, "DICOM.Modality", modality)
        assert len(forecast(mask, Settings(force=True)).cautions) == count
    holes = add_volume("holes", voxels=np.where(crop.voxels > 0, np.float32("nan"), crop.voxels))
    assert "NaN" in forecast(holes, Settings()).cautions[0]


def test_fine_pixels_and_too_little_memory_or_room_are_cautioned(add_volume, ct, monkeypatch, tmp_path):
    fine = add_volume(affine_ras=np.diag([0.3, 0.3, 1.0, 1.0]))
    assert "already finer" in forecast(fine, Settings(scale=2)).cautions[0]
    assert forecast(fine, Settings(scale=1)).cautions == ()
    with monkeypatch.context() as small:
        small.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=2**20))
        assert "GiB are free" in forecast(ct, Settings()).cautions[0]
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=1000))
    assert "make room there" in forecast(ct, Settings(), temporary_folder=str(tmp_path)).cautions[0]


def test_without_psutil_nothing_is_said_of_free_memory(ct, monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    expected = forecast(ct, Settings())
    assert expected.free_bytes is None
    assert "free" not in describe(expected, None)


def test_what_cannot_be_done_is_one_sentence(scene, ct):
    elsewhere = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "elsewhere")
    elsewhere.SetCenter(5000, 0, 0)
    elsewhere.SetSize(10, 10, 10)
    with pytest.raises(ValueError, match="elsewhere lies outside CT"):
        forecast(ct, Settings(), elsewhere)
    with pytest.raises(ValueError, match="choose one of"):
        forecast(ct, Settings(model="other"))


def test_the_lines_for_the_panel(ct):
    expected = replace(forecast(ct, Settings()), memory_bytes=plan.WORKING_MEMORY, free_bytes=2**31, pixels=1000)
    measured = SimpleNamespace(seconds_per_pixel=0.3, device_name="processor, 2 threads")
    lines = describe(expected, measured).splitlines()
    assert lines[0] == f"{expected.input_grid} → {expected.output_grid}"
    assert lines[1:] == ["Memory: about 1.0 GiB, 2.0 GiB free", "Time: about 5 min (processor, 2 threads)"]
