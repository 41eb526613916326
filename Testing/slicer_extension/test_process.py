"""A run in its own process: how it ends well, and every way in which it does not. Needs no Slicer."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from ctsgan.geometry import cropped_affine
from ctsgan.io.files import read_volume, write_volume
from ctsgan.volume import Volume
from ctsgan.workflow import Request, enhance_file
from CTsGANEnhanceLib.Bundle import MODULE_FOLDER, bundle_folder, worker_environment
from CTsGANEnhanceLib.Process import LOG_LINES, LONGEST_LINE, BundleProcess, Progress
from slicer_extension.workers import (
    at_once,
    ends_within,
    processes_of,
    python_running,
    python_with_memory,
    python_with_memory_left,
    seconds_of,
    wait_for_end,
    wait_for_progress,
)

pytestmark = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


@pytest.fixture
def folder(tmp_path):
    """A run's own folder."""
    return tmp_path / "run"


@pytest.fixture
def arguments(folder, tmp_path, clinical_volume):
    """Of an enhancement that takes a few seconds."""
    voxels = np.ascontiguousarray(clinical_volume.voxels[8:12, 180:308, 120:248])
    volume = Volume(voxels, cropped_affine(clinical_volume.affine, (120, 180, 8)))
    write_volume(volume, tmp_path / "input.nrrd")
    return [str(tmp_path / "input.nrrd"), str(folder / "output.nrrd")]


@pytest.fixture
def long_arguments(folder, tmp_path, abdomen, clinical_volume):
    """Of an enhancement that takes a minute or more: the same slices again and again."""
    write_volume(Volume(np.tile(abdomen, (70, 1, 1)), clinical_volume.affine), tmp_path / "input.nrrd")
    return [str(tmp_path / "input.nrrd"), str(folder / "output.nrrd"), "--scale", "4"]


@pytest.fixture
def start(folder):
    runs = []

    def start_one(arguments, folder=folder, **options):
        folder.mkdir()
        runs.append(BundleProcess(["enhance", *arguments, "--progress", "slicer"], folder, **options))
        return runs[-1]

    yield start_one
    for run in runs:
        run.close()


def assert_nothing_is_left(run, folder):
    assert not folder.exists()
    assert ends_within(run.pid, 2.0)


def test_a_run_gives_the_voxels_of_ctsgan_enhance(start, arguments, folder, tmp_path):
    enhance_file(Path(arguments[0]), tmp_path / "expected.nrrd", Request(scale=2))
    run = start([*arguments, "--scale", "2"])
    seen = set()
    while run.poll() is None:
        seen.add(run.progress.fraction)
        time.sleep(0.005)
    assert run.poll().kind == "done", run.log
    assert run.progress.fraction == 1.0
    assert "4 of 4" in run.progress.text
    assert seen <= {0.0, 0.25, 0.5, 0.75, 1.0}
    np.testing.assert_array_equal(
        read_volume(arguments[1]).voxels, read_volume(tmp_path / "expected.nrrd").voxels, strict=True
    )
    run.cancel()
    assert run.poll().kind == "done"
    assert folder.exists()
    run.close()
    assert_nothing_is_left(run, folder)


@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.5, 2.0, "first slice"])
def test_cancel_answers_at_once_and_leaves_nothing(start, long_arguments, folder, after_s):
    def cancel_once():
        run = start(long_arguments)
        if after_s == "first slice":
            wait_for_progress(run)
            assert any("partial" in path.name for path in folder.iterdir())
        else:
            time.sleep(after_s)
        assert processes_of(run.pid)
        seconds = seconds_of(run.cancel)
        assert run.poll().kind == "cancelled"
        assert_nothing_is_left(run, folder)
        return seconds

    assert at_once(cancel_once)


def test_cancel_kills_a_worker_that_does_not_listen(start, folder):
    deaf = "import subprocess, time; subprocess.Popen(['sleep', '60']); print('up', flush=True); time.sleep(60)"

    def cancel_once():
        run = start([], python=python_running(deaf))
        while not run.log:
            time.sleep(0.01)
        assert len(processes_of(run.pid)) == 2
        seconds = seconds_of(run.cancel)
        assert_nothing_is_left(run, folder)
        return seconds

    assert at_once(cancel_once)


def test_cancel_goes_through_a_launcher(start, long_arguments, folder, tmp_path):
    launcher = tmp_path / "PythonSlicer"
    launcher.write_text(f'#!/bin/sh\n"{sys.executable}" "$@"\nexit $?\n')
    launcher.chmod(0o755)
    run = start(long_arguments, python=[str(launcher)])
    wait_for_progress(run)
    assert len(processes_of(run.pid)) >= 2
    run.cancel()
    assert_nothing_is_left(run, folder)


def test_a_killed_worker_is_reported_and_leaves_nothing(start, long_arguments, folder):
    run = start(long_arguments)
    wait_for_progress(run)
    os.killpg(run.pid, signal.SIGKILL)
    outcome = wait_for_end(run, seconds=5)
    assert (outcome.kind, outcome.exit_status) == ("killed", -signal.SIGKILL)
    assert_nothing_is_left(run, folder)


@pytest.mark.parametrize(
    "python",
    [
        pytest.param(python_with_memory(0.3), id="while loading"),
        pytest.param(python_with_memory_left(0.05), id="while working"),
    ],
)
def test_a_worker_without_memory_is_reported_as_that(start, long_arguments, folder, python):
    run = start(long_arguments, python=python)
    outcome = wait_for_end(run)
    assert outcome.kind == "memory", (outcome, run.log)
    assert_nothing_is_left(run, folder)


def test_a_refusal_is_the_worker_s_own_sentence(start, arguments, folder):
    run = start([*arguments, "--scale", "2", "--roi", "900:901,0:1,0:1"])
    outcome = wait_for_end(run)
    assert outcome.kind == "refused"
    assert outcome.detail.startswith("--roi 900:901,0:1,0:1 holds no voxel")
    assert_nothing_is_left(run, folder)


RUBBISH = r"""
import os, sys
out = sys.stdout.buffer
out.write(b"\xff\xfe\x00 no text\n<filter-progress>nan</filter-progress>\n<filter-progress>7.5</filter-progress>\n")
out.write(b"<filter-progress>1.2.3</filter-progress>\n<filter-progress>0.25</filter-progress>\n<filter-progress>\n")
out.write(b"x" * 10_000_000 + b"\n" + b"line\n" * 200_000)
out.flush()
os._exit(3)
"""


def test_rubbish_on_standard_output_is_no_progress_and_fills_no_memory(start, folder):
    run = start([], python=python_running(RUBBISH))
    outcome = wait_for_end(run)
    assert (outcome.kind, outcome.detail, outcome.exit_status) == ("failed", "line", 3)
    assert run.progress == Progress(0.25, "")
    assert run.log.count("\n") < LOG_LINES
    assert len(run.log) < LOG_LINES * LONGEST_LINE
    assert_nothing_is_left(run, folder)


def test_two_runs_at_once_do_not_touch_each_other(start, arguments, folder, tmp_path):
    other = tmp_path / "other"
    first = start([*arguments, "--scale", "1"])
    second = start([arguments[0], str(other / "output.nrrd"), "--scale", "4"], other)
    wait_for_progress(second)
    second.cancel()
    assert_nothing_is_left(second, other)
    assert wait_for_end(first).kind == "done", first.log
    assert (folder / "output.nrrd").exists()


def test_a_program_that_is_not_there_is_an_error_and_leaves_no_folder(start, arguments, folder):
    with pytest.raises(FileNotFoundError):
        start(arguments, python=["/no/such/PythonSlicer"])
    assert not folder.exists()


HOST = """
import sys, time
from pathlib import Path
from CTsGANEnhanceLib.Process import BundleProcess
run = BundleProcess(sys.argv[2:], Path(sys.argv[1]))
while not run.progress.fraction:
    time.sleep(0.01)
print(run.pid, flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("end", ["closes", "is killed"])
def test_the_worker_ends_when_its_host(long_arguments, folder, end):
    environment = worker_environment()
    environment["PYTHONPATH"] += os.pathsep + str(MODULE_FOLDER)
    folder.mkdir()
    pipes = dict.fromkeys(("stdin", "stdout"), subprocess.PIPE)
    command = [sys.executable, "-c", HOST, str(folder), "enhance", *long_arguments, "--progress", "slicer"]
    host = subprocess.Popen(command, env=environment, text=True, **pipes)
    worker = int(host.stdout.readline())
    assert processes_of(worker)
    if end == "is killed":
        host.kill()
    else:
        host.stdin.close()
    host.wait(timeout=10)
    assert ends_within(worker, 2.0)
    # nobody is there to remove the folder of a host that was killed; the worker's own files are gone
    assert folder.exists() == (end == "is killed")
    assert list(folder.glob("*")) == []
    with contextlib.suppress(OSError):
        host.stdin.close()
    host.stdout.close()


def test_the_bundle_is_found_in_the_source_tree_and_installed(tmp_path):
    assert bundle_folder() == MODULE_FOLDER.parent / "monai_bundle"
    installed = tmp_path / "qt-scripted-modules"
    (installed / "monai_bundle/ctsgan").mkdir(parents=True)
    (installed / "monai_bundle/ctsgan/__main__.py").touch()
    assert bundle_folder(installed) == installed / "monai_bundle"
    with pytest.raises(FileNotFoundError, match="install the extension again"):
        bundle_folder(tmp_path / "elsewhere/deep")
