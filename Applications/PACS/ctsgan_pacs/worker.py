"""The service's work: series that are complete are enhanced, and what is enhanced is sent."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import threading
import time
from collections.abc import Callable

from ctsgan.errors import CTError, DiskFullError
from ctsgan.workflow import Request, enhance_file

from .archive import Archive
from .inbox import Inbox, sync_folder
from .queue import Job
from .selection import why_not

IDLE_S = 0.5
"""Between two looks at the queue."""

FULL_S = 5.0
"""Until the queue is tried again that could not be written."""

ROOM_S = 60.0
"""Until a series is tried again that found no room on the disk."""

MOST_FAILURES = 5
"""Times that a series may end the process, by memory or a crash, before it is refused."""

SLOWEST_RETRY_S = 300.0
"""Between two tries to send; the first come faster."""

logger = logging.getLogger(__name__)


def enhance_job(inbox: Inbox, job: Job, request: Request) -> None:
    """Enhance a complete series, and enter what is to be sent."""
    queue, source, target = inbox.queue, inbox.received(job.id), inbox.enhanced(job.id)
    if job.attempts >= MOST_FAILURES:
        queue.finish(job, "refused", f"it ended the program {job.attempts} times")
        logger.error("series %d is refused: it ended the program %d times", job.id, job.attempts)
        return
    shutil.rmtree(target, ignore_errors=True)
    try:
        reason = why_not(source)
        if reason:
            queue.finish(job, "skipped", reason)
            inbox.discard(job.id)
            logger.info("series %d is left alone: %s", job.id, reason)
            return
        report = enhance_file(source, target, request)
        sync_folder(target)
    except (DiskFullError, OSError):
        queue.later(job, time.time() + ROOM_S, "the disk has no room")
        logger.warning("series %d waits for room on the disk", job.id)
        return
    except CTError as error:
        queue.finish(job, "refused", str(error))
        logger.error("series %d is refused: %s", job.id, error)
        return
    names = sorted(path.name for path in target.iterdir())
    if queue.enhanced(job, names):
        logger.info("series %d: %d images enhanced in %.1f s", job.id, len(names), report.compute_s)
    else:
        logger.info("series %d got more images meanwhile and is enhanced again", job.id)


def send_job(inbox: Inbox, job: Job, archive: Archive) -> None:
    """Send what the other side has not acknowledged; later, if it does not answer."""
    queue, folder = inbox.queue, inbox.enhanced(job.id)
    try:
        left = [folder / name for name in queue.unsent(job)]
        if job.attempts and left and archive.holds(left[0]):
            # it arrived before, and its acknowledgement did not
            queue.acknowledged(job, left.pop(0).name)
        if left:
            archive.store(left, lambda file: queue.acknowledged(job, file.name))
    except CTError as error:
        wait = min(2.0**job.attempts, SLOWEST_RETRY_S)
        queue.postpone(job, time.time() + wait, str(error))
        logger.warning("series %d is sent later (try %d): %s", job.id, job.attempts + 1, error)
        return
    queue.finish(job, "sent")
    inbox.discard(job.id)
    logger.info("series %d is sent", job.id)


class Worker:
    """A thread that does one kind of work as long as the service lives.

    Args:
        inbox: whose queue is worked on.
        state: of the series that wait for this work.
        work: does it for one series.
    """

    def __init__(self, inbox: Inbox, state: str, work: Callable[[Job], None]) -> None:
        self._inbox, self._state, self._work = inbox, state, work
        self._stop = threading.Event()
        self._job: Job | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name=state)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self, wait_s: float) -> None:
        """Begin nothing more, and wait for what is under way; what takes longer is done again at the next start."""
        self._stop.set()
        self._thread.join(wait_s)
        if self._job and self.alive():
            self._inbox.queue.later(self._job, time.time(), "the service was stopped")

    def alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                job = self._job = self._inbox.queue.next(self._state)
                if job is None:
                    self._stop.wait(IDLE_S)
                else:
                    self._attempt(job)
            except sqlite3.OperationalError as error:
                # a full disk; what was under way is begun again
                logger.error("the queue cannot be written: %s", error)
                self._stop.wait(FULL_S)
            self._job = None

    def _attempt(self, job: Job) -> None:
        try:
            self._work(job)
        except sqlite3.OperationalError:
            raise
        except Exception as error:  # a fault of ours must not stop the other series
            # its text may quote a header, and so a patient
            logger.error("series %d failed: %s; it is tried again", job.id, type(error).__name__)
            self._inbox.queue.postpone(job, time.time() + ROOM_S, type(error).__name__)
