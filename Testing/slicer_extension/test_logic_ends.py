"""Runs that do not end well, or not alone: the scene is as it was, and nothing is left."""

import time

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="needs slicer-core: `make test-slicer` sets it up")
from CTsGANEnhanceLib.Logic import EnhanceRun, explain  # noqa: E402
from CTsGANEnhanceLib.Settings import Settings  # noqa: E402
from slicer_extension.workers import (  # noqa: E402
    ends_within,
    processes_of,
    python_running,
    wait_for_end,
    wait_for_progress,
)


def state_of(scene) -> list:
    """What there is in a scene and when it was last changed."""
    nodes = [scene.GetNthNode(index) for index in range(scene.GetNumberOfNodes())]
    return [(node.GetID(), node.GetName(), node.GetMTime()) for node in nodes]


@pytest.mark.parametrize("end", ["cancelled", "refused", "killed", "failed"])
def test_without_success_the_scene_is_as_it_was(scene, ct, add_volume, start, tmp_path, end):
    existing = add_volume("mine")
    settings = Settings(scale=2, model="no such model") if end == "refused" else Settings(scale=4)
    python = {
        "killed": python_running("import os, signal; os.kill(os.getpid(), signal.SIGKILL)"),
        # a worker that says it is done and wrote no volume
        "failed": python_running("import sys; open(sys.argv[5], 'w').write('rubbish')"),
    }.get(end)
    before = state_of(scene)
    run = start(ct, settings, output_node=existing, python=python)
    if end == "cancelled":
        run.cancel()
    outcome = wait_for_end(run)
    assert outcome.kind == end
    assert state_of(scene) == before
    assert list((tmp_path / "runs").iterdir()) == []
    assert ends_within(run.pid, 2.0)
    sentence = explain(outcome)
    assert sentence[0].isupper()
    assert "{" not in sentence
    assert ("no such model" in sentence) == (end == "refused")


def test_a_finished_run_that_nobody_has_looked_at_can_still_be_cancelled(scene, ct, start):
    before = state_of(scene)
    run = start(ct, Settings(scale=1))
    deadline = time.monotonic() + 60
    while processes_of(run.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    run.cancel()
    assert run.poll().kind == "cancelled"
    assert state_of(scene) == before


def test_two_runs_at_once_give_two_outputs(scene, ct, start):
    runs = [start(ct, Settings(scale=1)), start(ct, Settings(scale=1))]
    for run in runs:
        assert wait_for_end(run).kind == "done", run.log
    names = {run.output_node.GetName() for run in runs}
    assert len(names) == 2
    first, second = (slicer.util.arrayFromVolume(run.output_node) for run in runs)
    np.testing.assert_array_equal(first, second)


def test_nodes_may_go_while_a_run_is_under_way(scene, ct, add_volume, start, tmp_path):
    existing = add_volume("mine")
    run = start(ct, Settings(scale=2), output_node=existing)
    wait_for_progress(run)
    scene.RemoveNode(existing)
    scene.RemoveNode(ct)
    assert wait_for_end(run).kind == "done", run.log
    assert run.output_node is scene.GetFirstNodeByName("CT_x2")
    assert list((tmp_path / "runs").iterdir()) == []


def test_what_cannot_be_enhanced_is_refused_before_anything_is_written(scene, ct, start, tmp_path):
    empty = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")
    with pytest.raises(ValueError, match="nothing holds no voxels; load a CT"):
        start(empty, Settings())
    with pytest.raises(ValueError, match="cannot be its own output"):
        start(ct, Settings(), output_node=ct)
    colours = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "photograph")
    slicer.util.updateVolumeFromArray(colours, np.zeros((2, 8, 8, 3), np.uint8))
    with pytest.raises(ValueError, match="photograph holds colours or vectors"):
        start(colours, Settings())
    with pytest.raises(OSError, match="No such file"):
        EnhanceRun(ct, Settings(), temporary_folder=str(tmp_path / "missing"))
    assert list((tmp_path / "runs").iterdir()) == []
