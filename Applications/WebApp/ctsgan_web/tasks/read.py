"""An upload as one volume or picture: what it is, and its voxels for the page to show."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ctsgan import models
from ctsgan.errors import CTError
from ctsgan.io.common import split_suffix
from ctsgan.io.files import is_dicom_folder, read_volume
from ctsgan.plan import WORKING_MEMORY, Request, cautions, make_plan, memory_bytes
from ctsgan.volume import Volume

from ..archives import unpack
from ..limits import shown_bytes
from ..pictures import Picture, read_picture
from ..sizes import declared_bytes, declared_dicom_bytes, require_attached
from ..uploads import ARCHIVE, DICOM, KINDS, PICTURES, UNPACKED, UNPACKED_NAMES, Stored, load
from .facts import DICOM_SERIES

PICTURE_BYTES = 16
"""Of memory for each pixel of a picture: colour, luminance, opacity and what is computed of them."""


def run(folder: Path, request: dict[str, Any], progress: Callable[[float, int], None]) -> dict[str, Any]:
    """Read ``request["upload"]``; leaves ``before.npy``, (slices, rows, columns) in HU or a picture's pixels.

    Returns:
        What was read: kind, shape, spacing and so on, and how much memory each scale needs.

    Raises:
        CTError: if the upload is not one volume or picture, or is too large.
    """
    source, name = _source(load(Path(request["upload"])), request)
    progress(0.1, 1)
    suffix = split_suffix(source)[1]
    if suffix in PICTURES or (suffix in (".tif", ".tiff") and not _is_volume(source, request)):
        facts = _picture_facts(read_picture(source, name, request["picture_pixels"]), folder)
    else:
        _require_size(source, name, request["volume_bytes"])
        volume = read_volume(source, series=request["series"], force=request["force"], fill=request["fill"])
        facts = _volume_facts(volume, folder)
    return {"source": str(source), "name": name, "suffix": suffix, **facts}


def _source(stored: Stored, request: dict[str, Any]) -> tuple[Path, str]:
    """The one file or the folder of one series in an upload, and what its owner calls it."""
    title = next(iter(stored.names.values()))
    place, names = stored.files, stored.names
    if len(names) == 1 and next(iter(names)).endswith(ARCHIVE):
        place = stored.folder / UNPACKED
        place.mkdir(exist_ok=True)
        archive = stored.files / next(iter(names))
        names = unpack(archive, place, title, request["volume_bytes"], request["files"])
        # errors name files of the archive as its owner does
        (stored.folder / UNPACKED_NAMES).write_text(json.dumps(names), encoding="utf-8")
    slices = [name for name in names if name.endswith(DICOM)]
    others = [name for name in names if not name.endswith(DICOM)]
    if others and (slices or len(others) > 1):
        raise CTError(
            f"{len(names)} files are there, such as {names[others[0]]}, and they are not one series; send one volume, "
            "one picture or the DICOM files of one series (the page Batch takes many)"
        )
    if others:
        return place / others[0], names[others[0]] if len(stored.names) == 1 else title
    if not is_dicom_folder(place):
        raise CTError(f"{title} is not of a kind that can be read; give one of {KINDS}")
    return place, title


def _is_volume(path: Path, request: dict[str, Any]) -> bool:
    """Whether a TIFF has what a CT has: a spacing, and values that can be HU."""
    _require_size(path, "the file", request["volume_bytes"])
    try:
        read_volume(path, force=request["force"], fill=request["fill"])
    except CTError:
        return False
    return True


def _require_size(source: Path, name: str, largest: int) -> None:
    if source.is_dir():
        size = declared_dicom_bytes(source.iterdir())
    else:
        require_attached(source, name)
        size = declared_bytes(source)
    if size > largest:
        raise CTError(f"{name} unpacks to {shown_bytes(size)}, and at most {shown_bytes(largest)} can be taken; cut it")


def _volume_facts(volume: Volume, folder: Path) -> dict[str, Any]:
    voxels = volume.voxels
    np.save(folder / "before.npy", voxels)
    offers = {scale: model for model in models.catalogue()["models"] for scale in models.scales(model)}
    plans = {
        scale: make_plan(voxels.shape, volume.affine, Request(scale=scale, model=model))
        for scale, model in offers.items()
    }
    return {
        "kind": "volume",
        "format": DICOM_SERIES if volume.header.get("dicom_files") else split_suffix(volume.source)[1],
        "shape": list(voxels.shape),
        "spacing_mm": [float(mm) for mm in volume.spacing_mm],
        "affine": np.asarray(volume.affine, dtype=float).tolist(),
        "type": str(voxels.dtype),
        "lowest": float(voxels.min()),
        "highest": float(voxels.max()),
        "window": volume.header.get("window"),
        "memory_bytes": {str(scale): memory_bytes(volume, plan) for scale, plan in plans.items()},
        "cautions": {str(scale): cautions(volume, plan, None) for scale, plan in plans.items()},
    }


def _picture_facts(picture: Picture, folder: Path) -> dict[str, Any]:
    pixels = picture.pixels
    np.save(folder / "before.npy", pixels[None])
    rows, columns = pixels.shape[:2]
    return {
        "kind": "picture",
        "format": "colour picture" if pixels.ndim == 3 else "grey picture",
        "shape": [1, rows, columns],
        "colour": pixels.ndim == 3,
        "steps": picture.steps,
        "type": str(pixels.dtype),
        "lowest": int(pixels.min()),
        "highest": int(pixels.max()),
        "memory_bytes": {
            str(scale): rows * columns * PICTURE_BYTES * (1 + 2 * scale**2) + WORKING_MEMORY
            for model in models.catalogue()["models"]
            for scale in models.scales(model)
        },
    }
