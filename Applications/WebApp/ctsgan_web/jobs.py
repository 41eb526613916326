"""One queue for all visitors: jobs wait for a worker and for memory, and each runs in a process of its own."""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ctsgan.errors import CTError
from ctsgan.plan import free_memory_bytes

from .limits import Limits, shown_bytes

READING_BYTES = 2**29
"""Beside the voxels, for a process that reads files: Python and the formats' libraries."""

READERS = 2
"""Processes that read and measure at a time, beside those that enhance; they take a second or two."""

SAID = "said.txt"
"""What a process wrote on its standard error."""

_FRACTION = re.compile(r"<filter-progress>([\d.]+)</filter-progress>")


@dataclass
class Job:
    """Something that was asked for.

    Args:
        visitor: id of who asked.
        steps: tasks of :mod:`ctsgan_web.worker`, one process each, in order.
        folder: with ``request.json``; the tasks leave their results in it.
        need_bytes: memory of the step that is next or runs.
        state: waiting, running, done, failed or cancelled.
        fraction: of the step that runs, 0 to 1.
        started, told: when the step began, and when it last told how far it is, in seconds of ``time.monotonic``.
        error: the one sentence of a failed job.
    """

    visitor: str
    steps: list[str]
    folder: Path
    need_bytes: int
    id: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    state: str = "waiting"
    fraction: float = 0.0
    error: str = ""
    number: int = 0
    process: subprocess.Popen | None = None
    started: float = 0.0
    told: float = 0.0
    finished: threading.Event = field(default_factory=threading.Event)

    @property
    def lane(self) -> str:
        """Which workers take it: those that enhance, or those for all else."""
        return "enhance" if self.steps[0] == "enhance" else "read"

    @property
    def seconds_left(self) -> float | None:
        """Of the step that runs; ``None`` before it can be told."""
        if self.fraction == 0.0 or self.state != "running":
            return None
        then = (self.told - self.started) / self.fraction * (1.0 - self.fraction)
        return max(then - (time.monotonic() - self.told), 0.0)

    def request(self) -> dict[str, Any]:
        """What was asked for."""
        return json.loads((self.folder / "request.json").read_text(encoding="utf-8"))

    def result(self, task: str) -> dict[str, Any]:
        """What a finished task found out."""
        return json.loads((self.folder / f"{task}.json").read_text(encoding="utf-8"))


class Queue:
    """Jobs of all visitors. Visitors take turns: a visitor's second job waits for everybody's first."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._slots = {"read": READERS, "enhance": limits.workers}
        self._jobs: dict[str, Job] = {}
        self._submitted = 0
        self._closed = False
        self._changed = threading.Condition()
        threading.Thread(target=self._dispatch, name="queue", daemon=True).start()

    def submit(self, visitor: str, steps: Sequence[str], folder: Path, request: dict[str, Any], need: int) -> Job:
        """A new job, which starts when its turn has come.

        Args:
            visitor: id of who asks.
            steps: tasks of :mod:`ctsgan_web.worker`; after ``read`` it is known how much memory ``enhance`` needs.
            folder: for the request and the results.
            request: for the tasks, JSON.
            need: bytes of memory of the first step.

        Raises:
            CTError: if it can never be had, or the visitor has too many jobs.
        """
        self._require_memory(need)
        (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
        with self._changed:
            unfinished = sum(job.visitor == visitor and not job.finished.is_set() for job in self._jobs.values())
            if unfinished >= self.limits.jobs:
                raise CTError(f"{unfinished} of your jobs are not finished; wait for them, or cancel some")
            self._submitted += 1
            job = Job(visitor, list(steps), folder, need, number=self._submitted)
            self._jobs[job.id] = job
            self._changed.notify_all()
        return job

    def get(self, identity: str) -> Job | None:
        """The job of that id."""
        return self._jobs.get(identity)

    def place(self, job: Job) -> int:
        """How many jobs start before it, plus one; 0 if it does not wait."""
        with self._changed:
            waiting = self._in_order(job.lane) if job.state == "waiting" else []
            return waiting.index(job) + 1 if job in waiting else 0

    def cancel(self, job: Job) -> None:
        """End a job now, whatever it is doing."""
        with self._changed:
            if job.finished.is_set():
                return
            self._finish(job, "cancelled")
            if job.process:
                job.process.kill()

    def forget(self, visitor: str) -> None:
        """End and forget all jobs of a visitor; when it returns, none of them writes any more."""
        for job in [job for job in list(self._jobs.values()) if job.visitor == visitor]:
            self.drop(job)

    def drop(self, job: Job) -> None:
        """End and forget a job; when it returns, it writes no more."""
        self.cancel(job)
        if job.process:
            job.process.wait()
        self._jobs.pop(job.id, None)

    def close(self) -> None:
        """End all jobs and take no more."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for job in list(self._jobs.values()):
            self.cancel(job)

    def _require_memory(self, need: int) -> None:
        if need > self.limits.memory_bytes:
            raise CTError(
                f"this needs {shown_bytes(need)} of memory and {shown_bytes(self.limits.memory_bytes)} are there; "
                "choose a smaller scale, or cut the volume into parts"
            )

    def _in_order(self, lane: str) -> list[Job]:
        waiting = sorted(
            (job for job in self._jobs.values() if job.state == "waiting" and job.lane == lane),
            key=lambda job: job.number,
        )
        running = Counter(job.visitor for job in self._jobs.values() if job.state == "running" and job.lane == lane)
        turns = []
        for job in waiting:
            turns.append((running[job.visitor], job.number, job))
            running[job.visitor] += 1
        return [job for *_, job in sorted(turns, key=lambda turn: turn[:2])]

    def _next(self) -> Job | None:
        running = [job for job in self._jobs.values() if job.state == "running"]
        free = self.limits.memory_bytes - sum(job.need_bytes for job in running)
        there = free_memory_bytes()
        if there is not None:
            free = min(free, there)
        for lane, slots in self._slots.items():
            waiting = self._in_order(lane)
            # the first waits until there is memory for it: small ones that pass it by would keep it waiting for ever
            if waiting and sum(job.lane == lane for job in running) < slots and waiting[0].need_bytes <= free:
                return waiting[0]
        return None

    def _dispatch(self) -> None:
        with self._changed:
            while not self._closed:
                job = self._next()
                if job is None:
                    # memory that other programs free is not announced
                    self._changed.wait(1.0)
                    continue
                job.state, job.fraction, job.started = "running", 0.0, time.monotonic()
                job.process = _started(job)
                threading.Thread(target=self._follow, args=(job, job.process), daemon=True).start()

    def _follow(self, job: Job, process: subprocess.Popen) -> None:
        """Read a process's progress until it ends, then see what comes next."""
        for line in process.stdout:
            if match := _FRACTION.search(line):
                job.fraction, job.told = float(match[1]), time.monotonic()
        status = process.wait()
        process.stdin.close()
        process.stdout.close()
        with self._changed:
            if job.finished.is_set():
                return
            try:
                if status != 0:
                    raise CTError(_sentence(job))
                self._advance(job)
            except CTError as error:
                job.error = str(error)
                self._finish(job, "failed")
            self._changed.notify_all()

    def _advance(self, job: Job) -> None:
        done = job.steps[0]
        if len(job.steps) == 1:
            self._finish(job, "done")
            return
        job.need_bytes = job.result(done)["memory_bytes"][str(job.request()["scale"])]
        self._require_memory(job.need_bytes)
        job.steps.pop(0)
        job.state, job.fraction = "waiting", 0.0

    def _finish(self, job: Job, state: str) -> None:
        job.state = state
        job.finished.set()
        self._changed.notify_all()


def _started(job: Job) -> subprocess.Popen:
    """The worker's process; it ends when this one does, since it watches its standard input."""
    command = [sys.executable, "-m", "ctsgan_web.worker", job.steps[0], str(job.folder), str(job.need_bytes)]
    environment = {**os.environ, "TMPDIR": str(job.folder)}
    with (job.folder / SAID).open("w") as said:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            env=environment,
            text=True,
            errors="replace",
        )


def _sentence(job: Job) -> str:
    """The worker's last line; what was no sentence of ours is a fault of the program or the end of its memory."""
    with suppress(IndexError):
        line = (job.folder / SAID).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1]
        if line.startswith("ctsgan: "):
            return line.removeprefix("ctsgan: ")
        if "MemoryError" in line or "alloc" in line:
            return f"it does not fit into {shown_bytes(job.need_bytes)} of memory; cut it into parts"
    return "this could not be done, and the program does not know why; try another file"
