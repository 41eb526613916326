"""What was acknowledged is kept through an end of the process at any moment, and handed on once."""

from __future__ import annotations

import errno
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ctsgan_pacs.inbox import Damaged, Full, Inbox, Limits, Refused, file_name
from ctsgan_pacs.queue import Queue
from pacs.conftest import LIMITS
from pacs.processes import python_environment
from pacs.series import small_series

DUE = 0.0


def bring(inbox: Inbox, folder: Path) -> list[str]:
    """Put a folder's files into the inbox; their SOPInstanceUIDs."""
    taken = []
    for path in sorted(folder.iterdir()):
        file = inbox.new_file()
        file.write_bytes(path.read_bytes())
        taken.append(inbox.add(file)[1])
    return taken


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    queue = Queue(tmp_path / "queue.sqlite")
    for number in range(3):
        assert queue.receive("1.2", f"1.2.{number}", DUE, lambda job: None)
    return queue


class TestReceiving:
    def test_images_of_a_series_are_one_job(self, queue: Queue) -> None:
        job = queue.next("waiting")
        assert (job.uid, job.instances, job.attempts) == ("1.2", 3, 0)

    def test_nothing_is_begun_before_it_is_due(self, queue: Queue) -> None:
        queue.settle(["1.2"], time.time() + 60)
        assert queue.next("waiting") is None

    def test_an_image_that_comes_again_is_one(self, queue: Queue) -> None:
        assert queue.receive("1.2", "1.2.0", DUE, lambda job: None)
        assert queue.next("waiting").instances == 3

    def test_a_sent_series_that_comes_again_is_not_sent_again(self, queue: Queue) -> None:
        job = queue.next("waiting")
        queue.enhanced(job, ["a"])
        queue.finish(queue.next("enhanced"), "sent")
        assert not queue.receive("1.2", "1.2.1", DUE, lambda job: pytest.fail("placed"))
        assert queue.next("waiting") is None

    def test_a_refused_series_is_taken_up_again_with_what_comes_later(self, queue: Queue) -> None:
        queue.finish(queue.next("waiting"), "refused", "a slice is missing")
        assert queue.receive("1.2", "1.2.7", DUE, lambda job: None)
        assert queue.next("waiting").instances == 4

    def test_an_entry_whose_file_cannot_be_placed_is_none(self, queue: Queue) -> None:
        def fail(job: int) -> None:
            raise OSError

        with pytest.raises(OSError):  # noqa: PT011
            queue.receive("1.9", "1.9.1", DUE, fail)
        assert queue.instances() == 3
        assert queue.counts()["waiting"] == 1


class TestWorking:
    def test_an_image_that_comes_during_enhancement_has_it_done_again(self, queue: Queue) -> None:
        job = queue.next("waiting")
        queue.receive("1.2", "1.2.8", DUE, lambda job: None)
        assert not queue.enhanced(job, ["a", "b", "c"])
        assert queue.next("waiting").instances == 4

    def test_what_was_acknowledged_is_not_sent_again(self, queue: Queue) -> None:
        queue.enhanced(queue.next("waiting"), ["a", "b", "c"])
        job = queue.next("enhanced")
        queue.acknowledged(job, "a")
        assert queue.unsent(job) == ["b", "c"]

    def test_attempts_are_counted_over_ends_of_the_process(self, queue: Queue, tmp_path: Path) -> None:
        queue.next("waiting")
        again = Queue(tmp_path / "queue.sqlite")
        assert again.next("waiting").attempts == 1

    def test_old_entries_are_forgotten_and_waiting_ones_are_not(self, queue: Queue) -> None:
        assert queue.forget(time.time() + 1) == []
        queue.finish(queue.next("waiting"), "sent")
        assert queue.forget(time.time() + 1) == [1]
        assert queue.instances() == 0


class TestInbox:
    def test_files_are_kept_as_they_came_under_names_that_say_nothing(self, inbox: Inbox, tmp_path: Path) -> None:
        folder = small_series(tmp_path / "source", 4)
        taken = bring(inbox, folder)
        for uid, path in zip(taken, sorted(folder.iterdir()), strict=True):
            assert (inbox.received(1) / file_name(uid)).read_bytes() == path.read_bytes()
        names = [path.name for path in (tmp_path / "queue").rglob("*")]
        assert not any("SECRET" in name.upper() or uid in name for name in names for uid in taken)

    def test_what_was_half_done_is_swept_and_the_rest_stays(self, inbox: Inbox, tmp_path: Path) -> None:
        bring(inbox, small_series(tmp_path / "source", 4))
        inbox.new_file().write_bytes(b"half an image")
        (inbox.received(1).parent / ".enhanced.partial-77" / "enhanced").mkdir(parents=True)
        inbox.received(99).mkdir(parents=True)
        (inbox.received(1) / "of-another-series.dcm").write_bytes(b"moved, and not entered")
        again = Inbox(tmp_path / "queue", LIMITS)
        assert [path.name for path in again.received(1).parent.iterdir()] == ["received"]
        assert len(list(again.received(1).iterdir())) == 3
        assert list((tmp_path / "queue" / "incoming").iterdir()) == []
        assert not again.received(99).parent.exists()

    @pytest.mark.parametrize(
        ("content", "kind"),
        [
            (lambda good: b"this is no image", Damaged),
            (lambda good: good[:-2000], Damaged),
            (lambda good: good[:400], Damaged),
            (lambda good: good.replace(b"1.2.840.10008.5.1.4.1.1.2\0", b"1.2.840.10008.5.1.4.1.1.4\0"), Refused),
            (lambda good: good + b"\0" * 10**6, Refused),
        ],
    )
    def test_what_is_no_whole_ct_image_is_refused_and_leaves_nothing(
        self, inbox: Inbox, tmp_path: Path, content, kind: type[Refused]
    ) -> None:
        good = (small_series(tmp_path / "source", 4) / "000").read_bytes()
        file = inbox.new_file()
        file.write_bytes(content(good))
        with pytest.raises(kind) as caught:
            inbox.add(file)
        assert "secret" not in str(caught.value).lower()
        assert inbox.queue.instances() == 0
        assert not file.exists()

    def test_an_image_that_does_not_bear_the_name_it_was_sent_under_is_refused(
        self, inbox: Inbox, tmp_path: Path
    ) -> None:
        file = inbox.new_file()
        file.write_bytes((small_series(tmp_path / "source", 4) / "000").read_bytes())
        with pytest.raises(Damaged, match="SOPInstanceUID"):
            inbox.add(file, "1.2.3")

    def test_an_image_that_cannot_be_entered_is_not_left_for_the_next_series(
        self, inbox: Inbox, tmp_path: Path, monkeypatch
    ) -> None:
        def full(path: Path) -> None:
            if path == inbox.received(1):
                raise OSError(errno.ENOSPC, "no space")

        first, second = (small_series(tmp_path / f"{number}", number) for number in (1, 2))
        with monkeypatch.context() as patch:
            patch.setattr("ctsgan_pacs.inbox._sync", full)
            with pytest.raises(Full):
                bring(inbox, first)
        taken = bring(inbox, second)
        assert {path.name for path in inbox.received(1).iterdir()} == set(map(file_name, taken))

    def test_a_full_disk_takes_nothing(self, tmp_path: Path) -> None:
        limits = Limits(instance_bytes=10**6, reserve_bytes=2**62, settle_s=1, abandon_s=1)
        inbox = Inbox(tmp_path / "queue", limits)
        with pytest.raises(Full):
            bring(inbox, small_series(tmp_path / "source", 4))
        assert inbox.queue.instances() == 0


KILLED = """
import sys
from pathlib import Path
from ctsgan_pacs.inbox import Inbox, Limits
inbox = Inbox(Path(sys.argv[1]), Limits(10**6, 10**6, 1.0, 600.0))
for path in sorted(Path(sys.argv[2]).iterdir()):
    file = inbox.new_file()
    file.write_bytes(path.read_bytes())
    print(inbox.add(file)[1], flush=True)
"""


def test_a_process_killed_at_any_moment_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    folder = small_series(tmp_path / "source", 1, count=6)
    for round_number, pause in enumerate((0.0, 0.005, 0.02)):
        queue = tmp_path / f"queue{round_number}"
        process = subprocess.Popen(
            [sys.executable, "-c", KILLED, queue, folder], stdout=subprocess.PIPE, text=True, env=python_environment()
        )
        first = process.stdout.readline()
        time.sleep(pause)
        process.kill()
        acknowledged = {first.strip(), *process.stdout.read().split()}
        process.wait()
        inbox = Inbox(queue, LIMITS)
        inbox.queue.settle([inbox.queue._database.execute("SELECT uid FROM series").fetchone()[0]], DUE)
        job = inbox.queue.next("waiting")
        there = {path.name for path in inbox.received(job.id).iterdir()}
        assert {file_name(uid) for uid in acknowledged} <= there
        assert job.instances >= len(acknowledged)
