"""What a read job read, enhanced as ``ctsgan enhance`` does it, as a file of the same kind."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ctsgan.errors import CTError
from ctsgan.io.common import split_suffix
from ctsgan.io.files import read_volume
from ctsgan.workflow import Request, enhance_file, enhance_volume

from ..pictures import as_volume, from_volume, read_picture, write_picture
from .facts import DICOM_SERIES, facts_of

SERIES = "enhanced"


def run(folder: Path, request: dict[str, Any], progress: Callable[[float, int], None]) -> dict[str, Any]:
    """Enhance; leaves the file to download and ``after.npy``, as :mod:`ctsgan_web.tasks.read` leaves ``before.npy``.

    Returns:
        File, what to call it, shape, spacing, seconds, and NIQE before and after if ``request["score"]``.

    Raises:
        CTError: if it cannot be done.
    """
    facts = facts_of(request["read"])
    settings = Request(
        scale=request["scale"],
        model=request["model"],
        strength=request["strength"],
        fidelity_mm=request["fidelity_mm"],
        tile=request["tile"],
        series=request["series"],
        force=request["force"],
        fill=request["fill"],
        new_study=request["dicom"] and facts["format"] != DICOM_SERIES,
    )
    started = time.monotonic()
    enhance = _enhance_picture if facts["kind"] == "picture" else _enhance_volume
    found = enhance(folder, facts, settings, progress, request)
    found["seconds"] = round(time.monotonic() - started, 1)
    stem = split_suffix(facts["name"])[0]
    found["name"] = f"{stem}_x{settings.scale}{split_suffix(found['file'])[1]}"
    if request["score"]:
        found["niqe"] = _scores(folder, facts, request)
    return found


def _enhance_volume(
    folder: Path, facts: dict[str, Any], settings: Request, progress: Callable, request: dict[str, Any]
) -> dict[str, Any]:
    source = Path(facts["source"])
    is_series = settings.new_study or facts["format"] == DICOM_SERIES
    target = folder / (SERIES if is_series else f"enhanced{facts['suffix']}")
    enhance_file(source, target, settings, progress)
    # what is shown is what was written
    result = read_volume(target, force=True)
    np.save(folder / "after.npy", result.voxels)
    if is_series:
        target = _packed(target)
    return {
        "file": target.name,
        "shape": list(result.voxels.shape),
        "spacing_mm": [float(x) for x in result.spacing_mm],
    }


def _packed(series: Path) -> Path:
    """A zip of a series, which replaces its folder; DICOM's voxels are not compressed further."""
    packed = series.with_suffix(".zip")
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(series.iterdir()):
            archive.write(path, f"{SERIES}/{path.name}")
            path.unlink()
    series.rmdir()
    return packed


def _enhance_picture(
    folder: Path, facts: dict[str, Any], settings: Request, progress: Callable, request: dict[str, Any]
) -> dict[str, Any]:
    if settings.new_study:
        raise CTError("a picture has no HU and no size in mm, so that it does not become a DICOM CT; leave dicom out")
    picture = read_picture(Path(facts["source"]), facts["name"], request["picture_pixels"])
    result = from_volume(enhance_volume(as_volume(picture), settings, progress), picture)
    target = folder / f"enhanced{facts['suffix']}"
    try:
        write_picture(result, target)
    except OSError as error:
        raise CTError(f"the enhanced picture could not be written as {facts['suffix']}: {error}") from None
    # what is shown is what was written, and a JPEG loses a little
    np.save(folder / "after.npy", read_picture(target, facts["name"], request["picture_pixels"] * 16).pixels[None])
    return {"file": target.name, "shape": [1, *result.pixels.shape[:2]]}


def _scores(folder: Path, facts: dict[str, Any], request: dict[str, Any]) -> list[float | None]:
    """NIQE of the middle slice before and after, in the soft-tissue window, or of a picture; ``None`` if too small."""
    # seconds of imports that only this needs
    from ctsgan.metrics import niqe, niqe_of_picture

    scores = []
    for path in (Path(request["read"]) / "before.npy", folder / "after.npy"):
        voxels = np.load(path, mmap_mode="r")
        middle = np.asarray(voxels[len(voxels) // 2], dtype=np.float32)
        try:
            if facts["kind"] == "volume":
                scores.append(round(niqe(middle, "soft"), 2))
            else:
                grey = middle if middle.ndim == 2 else middle.mean(axis=2)
                scores.append(round(niqe_of_picture(grey * (255 / (facts["steps"] - 1))), 2))
        except (ValueError, np.linalg.LinAlgError):
            scores.append(None)
    return scores
