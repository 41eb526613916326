"""Where received images lie until their series is sent: on the disk and in the queue, or refused."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.pixels.utils import get_expected_length

from ctsgan.dicom.headers import quietly

from .archive import STORED_CLASSES
from .queue import Queue

RECEIVED, ENHANCED = "received", "enhanced"
"""Folders of a series."""


class Refused(Exception):
    """An image is not taken; the message says why and names no patient."""


class Full(Refused):
    """There is no room for it now; the sender should try again later."""


class Damaged(Refused):
    """It cannot be read, or does not fit what the sender says of it."""


@dataclass(frozen=True)
class Limits:
    """What is taken and how long is waited.

    Args:
        instance_bytes: size of the largest image.
        reserve_bytes: of the disk that stay free.
        settle_s: from the sender's goodbye until a series is taken for complete.
        abandon_s: from the last image to that where there was no goodbye: the connection broke, or we were killed.
    """

    instance_bytes: int
    reserve_bytes: int
    settle_s: float
    abandon_s: float


class Inbox:
    """A folder with the queue, and for each series in it a folder.

    Args:
        folder: made if it is not there; one process works in it.
        limits: see there.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.limits = limits
        self._series = folder / "series"
        self._incoming = folder / "incoming"
        for path in (self._series, self._incoming):
            path.mkdir(parents=True, exist_ok=True)
        self.queue = Queue(folder / "queue.sqlite")
        self._sweep()

    def received(self, job: int) -> Path:
        """Folder of a series' images as they came."""
        return self._series / f"{job}" / RECEIVED

    def enhanced(self, job: int) -> Path:
        """Folder of the images made of it."""
        return self._series / f"{job}" / ENHANCED

    def free_bytes(self) -> int:
        """Room on the disk beyond the reserve; negative if that is touched."""
        return shutil.disk_usage(self._series).free - self.limits.reserve_bytes

    def require_room(self, size: int = 0) -> None:
        """Raise :class:`Full` if ``size`` bytes would touch the reserve."""
        if self.free_bytes() < size:
            raise Full("the disk has no room")

    def new_file(self) -> Path:
        """An empty file for an image that is arriving; whoever asks for it removes it if it does not arrive."""
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        os.close(descriptor)
        return Path(name)

    def add(self, file: Path, instance_uid: str | None = None) -> tuple[str, str, str]:
        """Take an image that has arrived; on return it is safe from an end of the process and of the machine.

        Args:
            file: from :meth:`new_file`, complete; it is moved or removed.
            instance_uid: what the sender called it, if it said.

        Returns:
            SOPClassUID, SOPInstanceUID and SeriesInstanceUID.

        Raises:
            Refused: see its kinds.
        """
        try:
            size = file.stat().st_size
            if size > self.limits.instance_bytes:
                raise Refused(f"the image is larger than {self.limits.instance_bytes} bytes")
            self.require_room()
            kind, instance, series = _identify(file)
            if instance_uid not in (None, instance):
                raise Damaged("its SOPInstanceUID is not what the sender says")
            _sync(file)

            self._enter(file, series, instance)
            return kind, instance, series
        except (OSError, sqlite3.OperationalError) as error:
            raise Full(f"the disk cannot be written ({type(error).__name__})") from None
        finally:
            file.unlink(missing_ok=True)

    def _enter(self, file: Path, series: str, instance: str) -> None:
        """Move a file to its series and enter it, or neither."""
        new: list[Path] = []

        def place(job: int) -> None:
            folder = self.received(job)
            folder.mkdir(parents=True, exist_ok=True)
            placed = folder / file_name(instance)
            if not placed.exists():
                new.append(placed)
            os.replace(file, placed)
            for path in (folder, folder.parent, self._series):
                _sync(path)

        try:
            # without a goodbye, the series waits for the sender to come back
            self.queue.receive(series, instance, time.time() + self.limits.abandon_s, place)
        except BaseException:
            # the next series may get the number, and so the folder, of one that was not entered
            for placed in new:
                placed.unlink(missing_ok=True)
            raise

    def goodbye(self, series: set[str]) -> None:
        """The sender of these series has ended well."""
        self.queue.settle(sorted(series), time.time() + self.limits.settle_s)

    def discard(self, job: int) -> None:
        """Remove a series' files."""
        shutil.rmtree(self._series / f"{job}", ignore_errors=True)

    def _sweep(self) -> None:
        """Remove what a process that was killed has left half done; none of it was acknowledged."""
        for file in self._incoming.iterdir():
            file.unlink()
        kept = {"waiting": {RECEIVED}, "refused": {RECEIVED}, "enhanced": {RECEIVED, ENHANCED}}
        wanted = {str(job): names for state, names in kept.items() for job in self.queue.jobs(state)}
        for folder in self._series.iterdir():
            if folder.name not in wanted:
                shutil.rmtree(folder)
                continue
            for path in folder.iterdir():
                if path.name not in wanted[folder.name]:
                    shutil.rmtree(path)
            entered = set(map(file_name, self.queue.instances_of(int(folder.name))))
            for path in (folder / RECEIVED).iterdir():
                if path.name not in entered:
                    path.unlink()


def file_name(instance_uid: str) -> str:
    """Of an image: one for each, which says nothing of it."""
    return f"{hashlib.sha256(instance_uid.encode()).hexdigest()[:32]}.dcm"


def sync_folder(folder: Path) -> None:
    """Wait until a folder and its files are on the disk."""
    for path in (*folder.iterdir(), folder, folder.parent):
        _sync(path)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@quietly()
def _identify(file: Path) -> tuple[str, str, str]:
    """SOPClassUID, SOPInstanceUID and SeriesInstanceUID of a complete CT image.

    Raises:
        Refused: if it is none.
    """
    keywords = ("SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID")
    try:
        image: Dataset = dcmread(file)
        uids = tuple(str(image.get(keyword) or "") for keyword in keywords)
        complete = all(uids) and _has_all_pixels(image)
    except Exception as error:  # pydicom raises whatever a damaged file leads it to
        raise Damaged(f"it cannot be read ({type(error).__name__})") from None
    if not complete:
        raise Damaged("it lacks UIDs or pixels")
    if uids[0] not in STORED_CLASSES:
        raise Refused("it is not a CT image")
    return uids


def _has_all_pixels(image: Dataset) -> bool:
    """Whether there are as many bytes as pixels; of compressed ones, whether there are any."""
    if image.file_meta.TransferSyntaxUID.is_encapsulated:
        return bool(image.get("PixelData"))
    # pydicom reads a file that is cut short as far as it goes
    return len(image.get("PixelData", b"")) >= get_expected_length(image)
