"""The queue of the service, in SQLite: what was acknowledged is in it, whatever happens to the process."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SCHEMA = """
CREATE TABLE IF NOT EXISTS series (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    uid TEXT NOT NULL,
    state TEXT NOT NULL,
    due REAL NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    message TEXT NOT NULL DEFAULT '',
    changed REAL NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS collecting ON series (uid) WHERE state IN ('waiting', 'refused');
CREATE TABLE IF NOT EXISTS instance (
    uid TEXT PRIMARY KEY,
    series INTEGER NOT NULL REFERENCES series ON DELETE CASCADE
);
CREATE INDEX IF NOT EXISTS of_series ON instance (series);
CREATE TABLE IF NOT EXISTS outgoing (
    series INTEGER NOT NULL REFERENCES series ON DELETE CASCADE,
    name TEXT NOT NULL,
    sent INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (series, name)
);
"""

STATES = ("waiting", "enhanced", "sent", "skipped", "refused")
"""Of a series: received or being received; to be sent; sent; with nothing to enhance; not to be enhanced."""


@dataclass(frozen=True)
class Job:
    """A series whose turn it is.

    Args:
        id: of its row, which names its folder too.
        uid: SeriesInstanceUID as received.
        instances: how many of it have been received.
        attempts: how often this step was begun before; more than 0 after a failure or an end of the process.
    """

    id: int
    uid: str
    instances: int
    attempts: int


class Queue:
    """Series on their way from being received to being sent; every method is one transaction, from any thread.

    Args:
        path: of the database file, made if it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        # an acknowledgement is a promise, so that a commit waits for the disk
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute("PRAGMA foreign_keys = ON")
        self._database.executescript(SCHEMA)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                self._database.execute("COMMIT")
            except BaseException:
                # SQLite has rolled back by itself where the disk is full
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise

    def _one(self, statement: str, *values: object) -> tuple | None:
        with self._lock:
            return self._database.execute(statement, values).fetchone()

    def _change(self, statement: str, *values: object) -> int:
        with self._transaction() as database:
            return database.execute(statement, values).rowcount

    def receive(self, series_uid: str, instance_uid: str, due: float, place: Callable[[int], None]) -> bool:
        """Enter an instance; ``False`` if it was dealt with before, and need not be kept.

        Args:
            series_uid, instance_uid: of the instance.
            due: when its series is taken for complete if nothing else happens to it.
            place: puts the file where it belongs, given the series' id, before the entry is committed.
        """
        with self._transaction() as database:
            known = database.execute(
                "SELECT state FROM instance JOIN series ON series.id = series WHERE instance.uid = ?", [instance_uid]
            ).fetchone()
            if known and known[0] not in ("waiting", "refused"):
                return False
            collecting = "uid = ? AND state IN ('waiting', 'refused')"
            row = database.execute(f"SELECT id FROM series WHERE {collecting}", [series_uid]).fetchone()
            now = time.time()
            if row:
                job = row[0]
                database.execute(
                    "UPDATE series SET state = 'waiting', due = ?, attempts = 0, message = '', changed = ? "
                    "WHERE id = ?",
                    [due, now, job],
                )
            else:
                job = database.execute(
                    "INSERT INTO series (uid, state, due, changed) VALUES (?, 'waiting', ?, ?)", [series_uid, due, now]
                ).lastrowid
            place(job)
            database.execute("INSERT OR REPLACE INTO instance VALUES (?, ?)", [instance_uid, job])
        return True

    def settle(self, series_uids: Sequence[str], due: float) -> None:
        """The sender has said that it is done: these series are taken for complete at ``due``."""
        with self._transaction() as database:
            for uid in series_uids:
                database.execute("UPDATE series SET due = ? WHERE uid = ? AND state = 'waiting'", [due, uid])

    def next(self, state: str) -> Job | None:
        """Begin with the series of a state that has been due for longest, if there is one."""
        with self._transaction() as database:
            row = database.execute(
                "SELECT id, uid, (SELECT count(*) FROM instance WHERE series = id), attempts FROM series "
                "WHERE state = ? AND due <= ? ORDER BY due LIMIT 1",
                [state, time.time()],
            ).fetchone()
            if row:
                database.execute("UPDATE series SET attempts = attempts + 1 WHERE id = ?", [row[0]])
        return Job(*row) if row else None

    def enhanced(self, job: Job, names: Sequence[str]) -> bool:
        """The files to send are on the disk; ``False`` if more was received meanwhile, so that they are too few."""
        with self._transaction() as database:
            unchanged = "(SELECT count(*) FROM instance WHERE series = ?) = ?"
            changed = database.execute(
                "UPDATE series SET state = 'enhanced', due = 0, attempts = 0, changed = ? "
                f"WHERE id = ? AND state = 'waiting' AND {unchanged}",
                [time.time(), job.id, job.id, job.instances],
            ).rowcount
            if changed:
                database.executemany("INSERT INTO outgoing (series, name) VALUES (?, ?)", [(job.id, n) for n in names])
        return bool(changed)

    def unsent(self, job: Job) -> list[str]:
        """Names of files that the other side has not acknowledged yet."""
        with self._lock:
            rows = self._database.execute(
                "SELECT name FROM outgoing WHERE series = ? AND NOT sent ORDER BY name", [job.id]
            )
            return [name for (name,) in rows]

    def acknowledged(self, job: Job, name: str) -> None:
        """A file has arrived at the other side."""
        self._change("UPDATE outgoing SET sent = 1 WHERE series = ? AND name = ?", job.id, name)

    def finish(self, job: Job, state: str, message: str = "") -> None:
        """A series is sent, skipped or refused."""
        self._change(
            "UPDATE series SET state = ?, message = ?, changed = ? WHERE id = ?", state, message, time.time(), job.id
        )

    def postpone(self, job: Job, due: float, message: str) -> None:
        """Try again at ``due``."""
        self._change("UPDATE series SET due = ?, message = ? WHERE id = ?", due, message, job.id)

    def later(self, job: Job, due: float, message: str) -> None:
        """Try again at ``due``, and count this attempt for none: it was not the series' fault."""
        statement = "UPDATE series SET due = ?, message = ?, attempts = attempts - 1 WHERE id = ?"
        self._change(statement, due, message, job.id)

    def counts(self) -> dict[str, int]:
        """Series in each state."""
        with self._lock:
            rows = self._database.execute("SELECT state, count(*) FROM series GROUP BY state").fetchall()
        return {**dict.fromkeys(STATES, 0), **dict(rows)}

    def instances(self) -> int:
        """Received ones that are remembered."""
        return self._one("SELECT count(*) FROM instance")[0]

    def oldest_due(self) -> float | None:
        """Since when the series that has waited longest has been due; ``None`` if none is."""
        return self._one(
            "SELECT min(CASE due WHEN 0 THEN changed ELSE due END) FROM series WHERE state IN ('waiting', 'enhanced') "
            "AND due <= ?",
            time.time(),
        )[0]

    def instances_of(self, job: int) -> list[str]:
        """SOPInstanceUIDs of what was received of a series."""
        with self._lock:
            return [uid for (uid,) in self._database.execute("SELECT uid FROM instance WHERE series = ?", [job])]

    def jobs(self, *states: str) -> list[int]:
        """Ids of the series in these states."""
        marks = ", ".join("?" * len(states))
        with self._lock:
            rows = self._database.execute(f"SELECT id FROM series WHERE state IN ({marks})", states)
            return [job for (job,) in rows]

    def forget(self, before: float) -> list[int]:
        """Forget series that were sent, skipped or refused before; their ids."""
        with self._transaction() as database:
            rows = database.execute(
                "DELETE FROM series WHERE state IN ('sent', 'skipped', 'refused') AND changed < ? RETURNING id",
                [before],
            ).fetchall()
        return [job for (job,) in rows]
