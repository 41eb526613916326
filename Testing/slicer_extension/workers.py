"""Workers to start and to look for, by process id."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

from CTsGANEnhanceLib.Process import BundleProcess, Outcome


def python_running(code: str) -> list[str]:
    """A command that runs ``code`` in the place of the bundle."""
    return [sys.executable, "-c", code]


def python_with_memory(gigabytes: float) -> list[str]:
    """A Python that gets no more address space than this, from its first breath on."""
    code = (
        "import os, resource, sys; resource.setrlimit(resource.RLIMIT_AS, (int({0}),) * 2); "
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    )
    return python_running(code.format(gigabytes * 2**30))


def python_with_memory_left(gigabytes: float) -> list[str]:
    """A Python that has loaded PyTorch and the bundle, and from there on gets this much more address space."""
    code = (
        "import resource, runpy, sys, ctsgan.workflow; "
        "held = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize(); "
        "resource.setrlimit(resource.RLIMIT_AS, (held + int({0}),) * 2); "
        "del sys.argv[:2]; runpy.run_module('ctsgan', run_name='__main__')"
    )
    return python_running(code.format(gigabytes * 2**30))


def processes_of(session: int) -> list[int]:
    """Ids of all processes, zombies left out, in the session that the worker with this id began."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, _, its_session = stat.read_text().rpartition(")")[2].split()[:4]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(its_session) == session and state != "Z":
            found.append(int(stat.parent.name))
    return found


def ends_within(session: int, seconds: float) -> bool:
    """Whether all of them are gone by then: the system takes a moment to clear away what was killed."""
    deadline = time.monotonic() + seconds
    while processes_of(session):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def at_once(end_once: Callable[[], float], promised_s: float = 0.5, tries: int = 5) -> bool:
    """Whether one of a few tries ends in time: on a loaded machine other programs may take the time of one.

    Args:
        end_once: begins something, ends it, and returns how many seconds the end took.
    """
    return any(end_once() < promised_s for _ in range(tries))


def seconds_of(action: Callable[[], object]) -> float:
    started = time.monotonic()
    action()
    return time.monotonic() - started


def wait_for_progress(run: BundleProcess) -> None:
    """Until the first slice is done."""
    deadline = time.monotonic() + 60
    while run.progress.fraction == 0.0 and run.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert run.progress.fraction > 0.0, run.log


def wait_for_end(run: BundleProcess, seconds: float = 90) -> Outcome:
    deadline = time.monotonic() + seconds
    while (outcome := run.poll()) is None:
        assert time.monotonic() < deadline, "the run goes on and on"
        time.sleep(0.01)
    return outcome
