"""Who is here: a private folder for each visitor, removed when the visitor leaves, after an hour, and at the end."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

PREFIX = "ctsgan-web-"


@dataclass
class Visitor:
    """One visitor.

    Args:
        id: cannot be guessed; whoever has it is the visitor.
        folder: with all of the visitor's files, which no other user of the machine can read.
        is_here: whether the visitor's page is open; always true for those who come over plain HTTP.
        used: when something was last asked for, in the seconds of ``time.monotonic``.
        seen: when ``is_here`` last was true.
    """

    id: str
    folder: Path
    is_here: Callable[[], bool]
    used: float = field(default_factory=time.monotonic)
    seen: float = field(default_factory=time.monotonic)

    def new_folder(self, purpose: str) -> Path:
        """A new empty folder within the visitor's."""
        return Path(tempfile.mkdtemp(prefix=f"{purpose}-", dir=self.folder))


def _always() -> bool:
    return True


class Visitors:
    """All visitors of a server.

    Args:
        kept_s, away_s: see :class:`ctsgan_web.limits.Limits`.
        leaving: called with the id of each who leaves, before the files are removed.
    """

    def __init__(self, kept_s: float, away_s: float, leaving: Callable[[str], None]) -> None:
        self.kept_s, self.away_s, self._leaving = kept_s, away_s, leaving
        _remove_of_dead_servers()
        self.folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
        self._visitors: dict[str, Visitor] = {}
        self._lock = threading.Lock()
        self._closed = threading.Event()
        threading.Thread(target=self._sweep, name="visitors", daemon=True).start()

    def enter(self, is_here: Callable[[], bool] = _always) -> Visitor:
        """A new visitor with an empty folder."""
        identity = secrets.token_urlsafe(24)
        visitor = Visitor(identity, Path(tempfile.mkdtemp(dir=self.folder)), is_here)
        with self._lock:
            self._visitors[identity] = visitor
        return visitor

    def get(self, identity: str) -> Visitor | None:
        """The visitor of that id, who thereby has asked for something; ``None`` if there is none (any more)."""
        with self._lock:
            visitor = self._visitors.get(identity)
        if visitor:
            visitor.used = time.monotonic()
        return visitor

    def leave(self, identity: str) -> None:
        """Free what the visitor has."""
        with self._lock:
            visitor = self._visitors.pop(identity, None)
        if visitor:
            self._leaving(identity)
            shutil.rmtree(visitor.folder, ignore_errors=True)

    def sweep(self) -> None:
        """Let those leave whose page is closed, or who have asked for nothing in an hour."""
        now = time.monotonic()
        with self._lock:
            visitors = list(self._visitors.values())
        for visitor in visitors:
            if visitor.is_here():
                visitor.seen = now
            if now - visitor.seen > self.away_s or now - visitor.used > self.kept_s:
                self.leave(visitor.id)

    def close(self) -> None:
        """Let everyone leave, and remove all files."""
        self._closed.set()
        for identity in list(self._visitors):
            self.leave(identity)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _sweep(self) -> None:
        while not self._closed.wait(min(self.away_s, self.kept_s, 5.0) / 2):
            self.sweep()


def _remove_of_dead_servers() -> None:
    """A server that was killed could not remove its folder."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        process = re.match(rf"{PREFIX}(\d+)-", folder.name)
        if process and not Path(f"/proc/{process[1]}").exists():
            shutil.rmtree(folder, ignore_errors=True)
