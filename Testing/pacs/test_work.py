"""What becomes of a series between its last image and the other side's acknowledgement."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from pathlib import Path

import pytest

from ctsgan.workflow import Request
from ctsgan_pacs.dimse import DimseArchive, Node
from ctsgan_pacs.inbox import Inbox, Limits
from ctsgan_pacs.queue import Job
from ctsgan_pacs.worker import MOST_FAILURES, enhance_job, send_job
from dicom.ct_series import store_series
from pacs.conftest import LIMITS
from pacs.processes import wait_for
from pacs.series import small_slices
from pacs.sink import Sink

REQUEST = Request(scale=1, threads=1, device="cpu")


def bring(inbox: Inbox, folder: Path) -> None:
    """Put a folder's files into the inbox as a sender would that says goodbye."""
    series = set()
    for path in sorted(folder.iterdir()):
        file = inbox.new_file()
        file.write_bytes(path.read_bytes())
        series.add(inbox.add(file)[2])
    inbox.queue.settle(sorted(series), 0.0)


def work(inbox: Inbox, state: str, does, *what: object) -> Job:
    job = inbox.queue.next(state)
    does(inbox, job, *what)
    return job


def counts(inbox: Inbox) -> dict[str, int]:
    return {state: count for state, count in inbox.queue.counts().items() if count}


@pytest.fixture
def archive(sink: Sink) -> DimseArchive:
    return DimseArchive(Node("SINK", "127.0.0.1", sink.port))


@pytest.fixture
def enhanced(inbox: Inbox, tmp_path: Path) -> Inbox:
    """One series of four images that is to be sent."""
    bring(inbox, store_series(small_slices(5, count=4), tmp_path / "source"))
    work(inbox, "waiting", enhance_job, REQUEST)
    assert counts(inbox) == {"enhanced": 1}
    return inbox


class TestSending:
    def test_nothing_of_it_stays_on_the_disk(self, enhanced: Inbox, archive, sink: Sink) -> None:
        job = work(enhanced, "enhanced", send_job, archive)
        assert counts(enhanced) == {"sent": 1}
        assert len(sink.images) == 4
        assert not enhanced.received(job.id).parent.exists()

    def test_an_acknowledgement_that_was_lost_sends_nothing_twice(
        self, enhanced: Inbox, archive, sink: Sink, tmp_path: Path
    ) -> None:
        sink.deaf_after = 2
        work(enhanced, "enhanced", send_job, archive)
        assert counts(enhanced) == {"enhanced": 1}
        again = Inbox(tmp_path / "queue", LIMITS)  # as after an end of the process
        again.queue.postpone(Job(1, "", 0, 0), 0.0, "")
        work(again, "enhanced", send_job, archive)
        assert counts(again) == {"sent": 1}
        assert Counter(sink.sent.values()) == {1: 4}

    def test_an_archive_that_says_no_is_tried_again_where_it_stopped(
        self, enhanced: Inbox, archive, sink: Sink
    ) -> None:
        sink.answers = [0x0000, 0xA700]
        work(enhanced, "enhanced", send_job, archive)
        assert enhanced.queue.next("enhanced") is None  # not at once
        enhanced.queue.postpone(Job(1, "", 0, 0), 0.0, "")
        work(enhanced, "enhanced", send_job, archive)
        assert counts(enhanced) == {"sent": 1}
        assert len(sink.images) == 3  # the first was taken, though this archive did not keep it

    def test_an_archive_that_is_away_is_waited_for(self, enhanced: Inbox, archive, sink: Sink) -> None:
        sink.stop()
        work(enhanced, "enhanced", send_job, archive)
        assert counts(enhanced) == {"enhanced": 1}
        sink.start()
        enhanced.queue.postpone(Job(1, "", 0, 0), 0.0, "")
        work(enhanced, "enhanced", send_job, archive)
        assert Counter(sink.sent.values()) == {1: 4}


class TestEnhancing:
    def test_a_missing_slice_is_refused_and_made_good_when_it_comes(
        self, inbox: Inbox, archive, sink: Sink, tmp_path: Path
    ) -> None:
        slices = small_slices(6, count=5)
        bring(inbox, store_series(slices[:2] + slices[3:], tmp_path / "gap"))
        work(inbox, "waiting", enhance_job, REQUEST)
        assert counts(inbox) == {"refused": 1}
        bring(inbox, store_series(slices[2:3], tmp_path / "late"))
        work(inbox, "waiting", enhance_job, REQUEST)
        work(inbox, "enhanced", send_job, archive)
        assert len(sink.images) == 5

    def test_what_was_sent_is_not_enhanced_again_when_it_comes_back(
        self, enhanced: Inbox, archive, sink: Sink, tmp_path: Path
    ) -> None:
        work(enhanced, "enhanced", send_job, archive)
        (tmp_path / "back").mkdir()
        for number, image in enumerate(sink.images):
            image.save_as(tmp_path / "back" / f"{number}", enforce_file_format=True)
        bring(enhanced, tmp_path / "back")
        work(enhanced, "waiting", enhance_job, REQUEST)
        assert counts(enhanced) == {"sent": 1, "skipped": 1}

    def test_a_scout_is_left_alone(self, inbox: Inbox, tmp_path: Path) -> None:
        slices = small_slices(6, count=2)
        for dataset in slices:
            dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        bring(inbox, store_series(slices, tmp_path / "scout"))
        work(inbox, "waiting", enhance_job, REQUEST)
        assert counts(inbox) == {"skipped": 1}

    def test_a_full_disk_postpones_and_refuses_nothing(self, inbox: Inbox, tmp_path: Path, monkeypatch) -> None:
        bring(inbox, store_series(small_slices(6), tmp_path / "source"))
        usage = shutil.disk_usage(tmp_path)
        with monkeypatch.context() as patch:
            patch.setattr("ctsgan.io.output.shutil.disk_usage", lambda path: usage._replace(free=10))
            work(inbox, "waiting", enhance_job, REQUEST)
        assert counts(inbox) == {"waiting": 1}
        inbox.queue.postpone(Job(1, "", 0, 0), 0.0, "")
        assert inbox.queue.next("waiting").attempts == 0

    def test_a_series_that_ends_the_program_again_and_again_is_refused(self, inbox: Inbox, tmp_path: Path) -> None:
        bring(inbox, store_series(small_slices(6), tmp_path / "source"))
        for _ in range(MOST_FAILURES):
            assert inbox.queue.next("waiting")
        work(inbox, "waiting", enhance_job, REQUEST)
        assert counts(inbox) == {"refused": 1}

    def test_slices_of_another_patient_are_refused_without_a_name(self, inbox: Inbox, tmp_path: Path, caplog) -> None:
        slices = small_slices(6, count=4)
        slices[2].PatientName = "Other^Secret"
        bring(inbox, store_series(slices, tmp_path / "mixed"))
        work(inbox, "waiting", enhance_job, REQUEST)
        assert counts(inbox) == {"refused": 1}
        assert "several patients" in caplog.text
        assert "secret" not in caplog.text.lower()


def test_senders_side_by_side_lose_nothing(serving, sink: Sink, tmp_path: Path) -> None:
    settings = serving(limits=Limits(10**6, 10**6, 1.0, 600.0))
    folders = [store_series(small_slices(number), tmp_path / f"{number}") for number in range(8)]

    def send(folder: Path) -> None:
        archive = DimseArchive(Node("CTSGAN", "127.0.0.1", settings.port, "SENDER"))
        archive.store(sorted(folder.iterdir()), lambda file: None)

    threads = [threading.Thread(target=send, args=(folder,)) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_for(lambda: len(sink.images) == 24, 40.0)
    assert Counter(sink.of_series().values()) == {3: 8}
    assert Counter(sink.sent.values()) == {1: 24}
