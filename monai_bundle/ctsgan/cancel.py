"""Work that can be ended at once, whatever it is doing."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn, TypeVar

T = TypeVar("T")

CANCELLED = 130
"""Exit status after Ctrl-C or a closed standard input, as a shell gives it."""
TERMINATED = 143
"""Exit status after SIGTERM, with which batch systems and containers end what runs too long."""


def _leave(left_behind: str, status: int = CANCELLED) -> NoReturn:
    """End the process now: a convolution under way would keep an ordinary exit waiting."""
    from .io.output import remove_partials

    try:
        remove_partials()
        print(f"cancelled; {left_behind}", file=sys.stderr, flush=True)
    finally:
        # also where there is nobody left to tell: a host that died has closed its end of standard error
        os._exit(status)


def _watch_stdin(left_behind: str) -> None:
    while True:
        try:
            if not os.read(0, 1):
                break
        except OSError:
            break
    _leave(left_behind)


@contextmanager
def _leaving_at_sigterm(left_behind: str) -> Iterator[None]:
    # Python lets only the main thread decide what a signal does
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, lambda *_: _leave(left_behind, TERMINATED))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def run_cancellable(work: Callable[[], T], watch_stdin: bool = False, left_behind: str = "nothing was written") -> T:
    """Run ``work`` in a thread and wait for it, so that Ctrl-C and SIGTERM are answered at once.

    Args:
        work: what to do; its result is returned and its exception raised here.
        watch_stdin: end as well when standard input, a pipe held by the host program, is closed. This goes
            through launchers that do not pass on signals, and ends the work if the host dies.
        left_behind: what a user is told has become of the work that was done.
    """
    outcome: dict[str, object] = {}

    def target() -> None:
        try:
            outcome["result"] = work()
        except BaseException as error:
            outcome["error"] = error

    if watch_stdin:
        mode = os.fstat(0).st_mode
        if stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode):
            threading.Thread(target=_watch_stdin, args=(left_behind,), daemon=True).start()
    worker = threading.Thread(target=target, daemon=True)
    with _leaving_at_sigterm(left_behind):
        try:
            worker.start()
            while worker.is_alive():
                worker.join(0.1)
        except KeyboardInterrupt:
            _leave(left_behind)
    if "error" in outcome:
        raise outcome["error"]  # type: ignore[misc]
    return outcome["result"]  # type: ignore[return-value]
