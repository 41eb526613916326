"""What the app's pages and the HTTP interface ask of: visitors, their uploads and their jobs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ctsgan import models
from ctsgan.errors import CTError
from ctsgan.plan import FIDELITY_MM, WORKING_MEMORY

from .jobs import READING_BYTES, Job, Queue
from .limits import Limits
from .uploads import UNPACKED, Stored, load, split_upload, store
from .visitors import Visitor, Visitors

GROWTH = 20
"""How many times its size a file may be when it is unpacked, beyond what any reading process may have."""

SMALLEST_TILE = 16
"""Pixels; the command line takes any, and below this a job takes for ever."""


@dataclass(frozen=True)
class Options:
    """Settings of a visitor; the fields are those of :class:`ctsgan.workflow.Request`, and two of the app.

    Args:
        score: measure NIQE before and after.
        dicom: the result of a volume of another format as a DICOM series, a study of a patient without a name.

    Raises:
        CTError: if one of them is not offered.
    """

    scale: int = 2
    model: str = "light"
    strength: str = "low"
    fidelity_mm: float | None = FIDELITY_MM
    tile: int | None = None
    series: str | None = None
    force: bool = False
    fill: float | None = None
    score: bool = False
    dicom: bool = False

    def __post_init__(self) -> None:
        models.weight_files(self.model, self.scale, models.strength_value(self.strength))
        if self.fidelity_mm is not None and not 1.0 <= self.fidelity_mm <= 200.0:
            raise CTError(f"fidelity is a width in mm between 1 and 200, or off, not {self.fidelity_mm:g}")
        if self.tile is not None and self.tile < SMALLEST_TILE:
            raise CTError(f"tile must be {SMALLEST_TILE} pixels or more, not {self.tile}")


class Service:
    """One queue, and all visitors."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.queue = Queue(limits)
        self.visitors = Visitors(limits.kept_s, limits.away_s, self.queue.forget)

    def close(self) -> None:
        """End all jobs and remove all files."""
        self.queue.close()
        self.visitors.close()

    def store(self, visitor: Visitor, files: Sequence[tuple[str, BinaryIO]]) -> Stored:
        """Keep what a visitor sends; see :func:`ctsgan_web.uploads.store`."""
        return store(files, visitor.new_folder("upload"), self.limits)

    def split(self, visitor: Visitor, upload: Path) -> list[Stored]:
        """An upload of many volumes as one for each."""
        return split_upload(load(upload), lambda: visitor.new_folder("upload"))

    def read(self, visitor: Visitor, stored: Stored, options: Options) -> Job:
        """Read an upload."""
        return self._reading(visitor, ["read"], stored, options)

    def read_again(self, visitor: Visitor, job: Job, options: Options) -> Job:
        """Read what a job read with other options; the upload goes over to the new job."""
        upload = visitor.new_folder("upload")
        Path(job.request()["upload"]).rename(upload)
        shutil.rmtree(upload / UNPACKED, ignore_errors=True)
        return self.read(visitor, load(upload), options)

    def process(self, visitor: Visitor, stored: Stored, options: Options) -> Job:
        """Read an upload and enhance it."""
        return self._reading(visitor, ["read", "enhance"], stored, options)

    def enhance(self, visitor: Visitor, read: Job, options: Options) -> Job:
        """Enhance what a read job read."""
        request = {**read.request(), **asdict(options), "read": str(read.folder)}
        return self._after(visitor, "enhance", request, read.result("read")["memory_bytes"][str(options.scale)])

    def drop(self, job: Job) -> None:
        """End a job and remove its files, with the upload if it was this job that read it."""
        self.queue.drop(job)
        request = job.request()
        if request.get("read") == str(job.folder):
            shutil.rmtree(request["upload"], ignore_errors=True)
        shutil.rmtree(job.folder, ignore_errors=True)

    def degrade(self, visitor: Visitor, read: Job, index: int, name: str, scale: int, seed: int) -> Job:
        """Degrade one slice of what a read job read."""
        request = {"read": str(read.folder), "slice": index, "preset": name, "scale": scale, "seed": seed}
        return self._after(visitor, "degrade", request)

    def measure(self, visitor: Visitor, read: Job, reference: Job, window: str) -> Job:
        """Measure what a read job read against what another did."""
        request = {"read": str(read.folder), "reference": str(reference.folder), "window": window}
        return self._after(visitor, "measure", request)

    def pack(self, visitor: Visitor, jobs: Sequence[Job]) -> Job:
        """The results of jobs in one archive."""
        files = [(str(result_path(job)), job.result("enhance")["name"]) for job in jobs]
        return self._after(visitor, "pack", {"files": files})

    def _reading(self, visitor: Visitor, steps: list[str], stored: Stored, options: Options) -> Job:
        limits = self.limits
        size = sum((stored.files / name).stat().st_size for name in stored.names)
        folder = visitor.new_folder("job")
        request = {
            "upload": str(stored.folder),
            "read": str(folder),
            "volume_bytes": limits.volume_bytes,
            "picture_pixels": limits.picture_pixels,
            "files": limits.files,
            **asdict(options),
        }
        need = READING_BYTES + min(limits.volume_bytes, GROWTH * size)
        return self.queue.submit(visitor.id, steps, folder, request, need)

    def _after(self, visitor: Visitor, task: str, request: dict[str, Any], need: int = WORKING_MEMORY) -> Job:
        return self.queue.submit(visitor.id, [task], visitor.new_folder("job"), request, need)


def result_path(job: Job) -> Path:
    """The file to download of a finished job."""
    return job.folder / job.result(job.steps[-1])["file"]


_running: list[Service] = []


def start(limits: Limits) -> Service:
    """The service of this process, from now on."""
    _running.append(Service(limits))
    return _running[-1]


def service() -> Service:
    """The service that :func:`start` made."""
    return _running[-1]
