"""A run of the bundle's command line in a process of its own, so that the window never freezes.

Knows neither 3D Slicer nor Qt: whoever starts a run asks :meth:`BundleProcess.poll` from a timer.
"""

from __future__ import annotations

import math
import os
import re
import shutil
import signal
import subprocess
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from .Bundle import python_command, worker_environment

PATIENCE_S = 0.3
"""How long a worker whose standard input was closed may take to end by itself before it is killed."""

LOG_LINES = 1000
LONGEST_LINE = 4096
"""Bytes; what a worker says beyond these two is not kept, whatever it prints."""

_FRACTION = re.compile(r"<filter-progress>([\d.]+)</filter-progress>")
_TEXT = re.compile(r"<filter-progress-text>([^<]*)</filter-progress-text>")
_MARKUP = re.compile(r"</?filter-")
_REASON = re.compile(r"^ctsgan: (.+)")
# the last is what a library says that does not fit any more
_MEMORY = re.compile(r"out of memory|MemoryError|bad_alloc|allocate memory|failed to map segment", re.IGNORECASE)


@dataclass(frozen=True)
class Progress:
    """How far a run has come: 0 to 1, and the worker's own words (slices done, time left)."""

    fraction: float = 0.0
    text: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        kind: ``done``; ``cancelled``; ``refused``, for something the user can mend; ``memory``, where there was
            too little; ``killed``, by something outside; ``failed``, for everything else.
        detail: the worker's own sentence if it was refused, else the last line that it printed.
        exit_status: of the worker, negative for a signal.
    """

    kind: str
    detail: str
    exit_status: int


class BundleProcess:
    """A worker, what it says, and its end.

    The worker also ends when this program does, however that happens: its standard input is closed then.

    Args:
        arguments: of ``ctsgan``.
        work_folder: holds the run's files; it is removed with the run, unless that is ``done``, when
            :meth:`close` removes it.
        python: what starts Python; another program in its place gets the same arguments.

    Raises:
        OSError: if the worker cannot be started; ``work_folder`` is removed.
    """

    def __init__(self, arguments: Sequence[str], work_folder: Path, python: Sequence[str] | None = None) -> None:
        command = [*(python or python_command()), "-m", "ctsgan", *arguments]
        try:
            self._worker = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=worker_environment(),
                # Python looks for packages in the current folder first, and Slicer's may hold anything
                cwd=work_folder,
                # a group of its own can be killed with everything that a launcher in between has started
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError:
            shutil.rmtree(work_folder, ignore_errors=True)
            raise
        self.progress = Progress()
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._outcome: Outcome | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        # called once, by close() or when the program ends
        self._end = weakref.finalize(self, _end, self._worker, work_folder)

    @property
    def log(self) -> str:
        """What the worker printed, without its progress lines; the last :data:`LOG_LINES` lines of it."""
        return "\n".join(self._log)

    @property
    def pid(self) -> int:
        """Of the worker, or of the launcher that started it."""
        return self._worker.pid

    def poll(self) -> Outcome | None:
        """How the run ended; ``None`` while it goes on. Returns at once."""
        status = self._worker.poll()
        if self._outcome is None and status is not None:
            # the last words of a worker that has ended are in the pipe; one it may have left holds the pipe open
            self._reader.join(PATIENCE_S)
            self._outcome = self._ended(status)
            if self._outcome.kind != "done":
                self.close()
        return self._outcome

    def cancel(self) -> None:
        """End the worker and remove its files; takes :data:`PATIENCE_S` at most, and a moment if it is killed."""
        if self._outcome is None:
            self.close()
            self._outcome = Outcome("cancelled", "", self._worker.returncode)

    def close(self) -> None:
        """Remove the run's files, after the worker has ended or is made to."""
        self._end()

    def _read(self) -> None:
        with suppress(ValueError), self._worker.stdout as stdout:
            while line := stdout.readline(LONGEST_LINE):
                self._take(line.decode("utf-8", "replace").rstrip())

    def _take(self, line: str) -> None:
        if (match := _FRACTION.search(line)) and (fraction := _number(match[1])) is not None:
            self.progress = Progress(fraction, self.progress.text)
        elif match := _TEXT.search(line):
            self.progress = Progress(self.progress.fraction, match[1])
        elif line and not _MARKUP.match(line):
            self._log.append(line)

    def _ended(self, status: int) -> Outcome:
        lines = list(self._log)
        last = lines[-1] if lines else ""
        if status == 0:
            return Outcome("done", last, status)
        if any(_MEMORY.search(line) for line in lines[-20:]):
            return Outcome("memory", last, status)
        reasons = [match[1] for line in lines if (match := _REASON.match(line))]
        if status == 1 and reasons:
            return Outcome("refused", reasons[-1], status)
        # a launcher hands a signal on as a shell does
        if status < 0 or status > 128:
            return Outcome("killed", last, status)
        return Outcome("failed", last, status)


def _number(text: str) -> float | None:
    """A fraction from 0 to 1, or ``None`` for what is none."""
    try:
        fraction = float(text)
    except ValueError:
        return None
    return fraction if math.isfinite(fraction) and 0.0 <= fraction <= 1.0 else None


def _end(worker: subprocess.Popen, work_folder: Path) -> None:
    """Ask the worker to end, kill it if it does not, remove the files."""
    with suppress(OSError):
        worker.stdin.close()
    try:
        worker.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        _kill(worker)
        worker.wait()
    shutil.rmtree(work_folder, ignore_errors=True)


def _kill(worker: subprocess.Popen) -> None:
    if os.name == "posix":
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, signal.SIGKILL)
    else:
        worker.kill()
