"""The queue: real jobs in real processes."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

import numpy as np
import pytest

from ctsgan.cli import main
from ctsgan.errors import CTError
from ctsgan.io.files import read_volume, write_volume
from ctsgan.volume import Volume
from ctsgan_web import limits
from ctsgan_web.jobs import Job
from ctsgan_web.service import Options, Service, result_path
from ctsgan_web.visitors import Visitor

WAIT_S = 120


def sent(service: Service, visitor: Visitor, path: Path, options: Options | None = None) -> Job:
    """A job that reads and enhances a file or the files of a folder."""
    paths = sorted(path.iterdir()) if path.is_dir() else [path]
    stored = service.store(visitor, [(one.name, io.BytesIO(one.read_bytes())) for one in paths])
    return service.process(visitor, stored, options or Options())


def until(condition, seconds: float = WAIT_S) -> None:
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def large(slab: Volume, tmp_path: Path) -> Path:
    """A volume that takes minutes."""
    path = tmp_path / "large.nii.gz"
    write_volume(Volume(np.tile(slab.voxels, (40, 4, 4)), slab.affine), path)
    return path


@pytest.mark.parametrize("kind", [".nii.gz", ".nrrd", ".mha", ".tif"])
def test_a_job_gives_the_command_lines_voxels(new_service, files, tmp_path, kind):
    service = new_service()
    job = sent(service, service.visitors.enter(), files[kind])
    assert job.finished.wait(WAIT_S)
    assert job.state == "done", job.error
    expected = tmp_path / f"expected{kind}"
    assert main(["enhance", str(files[kind]), str(expected), "--progress", "none"]) == 0
    got, wanted = read_volume(result_path(job)), read_volume(expected)
    assert got.voxels.dtype == wanted.voxels.dtype
    np.testing.assert_array_equal(got.voxels, wanted.voxels)
    np.testing.assert_allclose(got.affine, wanted.affine, atol=1e-4)


def test_a_job_is_cancelled_at_once_and_leaves_nothing(new_service, large):
    service = new_service()
    visitor = service.visitors.enter()
    job = sent(service, visitor, large)
    until(lambda: job.fraction > 0 and job.steps == ["enhance"])
    assert job.seconds_left > 1
    process = job.process
    started = time.monotonic()
    service.queue.cancel(job)
    process.wait()
    assert time.monotonic() - started < 0.5
    assert job.state == "cancelled"
    service.visitors.leave(visitor.id)
    assert list(service.visitors.folder.iterdir()) == []


def test_a_visitor_who_leaves_frees_the_worker_for_the_next(new_service, large, files):
    service = new_service()
    first, second = service.visitors.enter(), service.visitors.enter()
    running = sent(service, first, large)
    until(lambda: running.fraction > 0 and running.steps == ["enhance"])
    waiting = sent(service, second, files[".nii.gz"])
    until(lambda: waiting.steps == ["enhance"])
    assert service.queue.place(waiting) == 1
    service.visitors.leave(first.id)
    assert not first.folder.exists()
    assert service.queue.get(running.id) is None
    assert waiting.finished.wait(WAIT_S)
    assert waiting.state == "done"


def test_visitors_take_turns(new_service, large):
    service = new_service()
    service.queue._slots = {"read": 0, "enhance": 0}
    many, one = service.visitors.enter(), service.visitors.enter()
    jobs = [sent(service, many, large) for _ in range(3)]
    last = sent(service, one, large)
    assert [service.queue.place(job) for job in (*jobs, last)] == [1, 3, 4, 2]


def test_what_needs_more_memory_than_there_is_is_refused(new_service, large):
    tight = new_service(memory_bytes=limits.WORKING_MEMORY + 200 * 10**6)
    job = sent(tight, tight.visitors.enter(), large, Options(scale=4))
    assert job.finished.wait(WAIT_S)
    assert job.state == "failed"
    assert "GB of memory and 1.3 GB are there" in job.error


def test_a_job_waits_for_memory_that_another_has(new_service, large, files):
    need = limits.WORKING_MEMORY + 600 * 10**6
    service = new_service(memory_bytes=need, workers=2)
    running = sent(service, service.visitors.enter(), large)
    until(lambda: running.fraction > 0 and running.steps == ["enhance"])
    waiting = sent(service, service.visitors.enter(), files[".nii.gz"])
    time.sleep(2)
    assert waiting.state == "waiting"
    service.queue.cancel(running)
    assert waiting.finished.wait(WAIT_S)
    assert waiting.state == "done", waiting.error


def test_a_process_gets_no_more_memory_than_was_reckoned(new_service, large, monkeypatch):
    reckoned = {"memory_bytes": {"4": 100 * 10**6}}
    monkeypatch.setattr(Job, "result", lambda self, task: reckoned)
    service = new_service()
    job = sent(service, service.visitors.enter(), large, Options(scale=4))
    assert job.finished.wait(WAIT_S)
    assert job.error == "it does not fit into 100.0 MB of memory; cut it into parts"


def test_too_many_jobs_of_one_visitor_are_refused(new_service, files):
    service = new_service(jobs=2)
    visitor = service.visitors.enter()
    for _ in range(2):
        sent(service, visitor, files[".nii.gz"])
    with pytest.raises(CTError, match="2 of your jobs are not finished"):
        sent(service, visitor, files[".nii.gz"])
    sent(service, service.visitors.enter(), files[".nii.gz"])


def test_files_are_removed_after_an_hour_and_when_the_page_is_closed(new_service, files):
    service = new_service(kept_s=3600, away_s=30)
    here, away, old = (service.visitors.enter(is_here) for is_here in (lambda: True, lambda: False, lambda: True))
    for visitor in (here, away, old):
        service.store(visitor, [("slab.nii.gz", files[".nii.gz"].open("rb"))])
    old.used -= 3601
    away.seen -= 29
    service.visitors.sweep()
    assert here.folder.is_dir()
    assert away.folder.is_dir()
    assert not old.folder.exists()
    away.seen -= 2
    service.visitors.sweep()
    assert not away.folder.exists()
    assert service.visitors.get(old.id) is None


def test_only_the_owner_can_look_into_a_visitors_folder(new_service):
    service = new_service()
    for folder in (service.visitors.folder, service.visitors.enter().folder):
        assert folder.stat().st_mode & 0o077 == 0


def test_what_a_killed_server_left_is_removed_by_the_next(new_service):
    left = new_service().visitors.folder.with_name("ctsgan-web-999999999-left")
    left.mkdir()
    mine = left.with_name(f"ctsgan-web-{os.getpid()}-mine")
    mine.mkdir()
    new_service()
    assert not left.exists()
    assert mine.is_dir()
    mine.rmdir()
