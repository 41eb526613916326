"""What visitors send, stored as bytes under names of our own; nothing is opened here."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ctsgan.errors import CTError
from ctsgan.io.common import SUFFIXES, split_suffix
from ctsgan.io.output import require_space

from .limits import Limits, shown_bytes

PICTURES = (".png", ".jpg", ".jpeg")
"""Grey or colour values; .tif and .tiff are pictures too where they hold no CT."""

ARCHIVE = ".zip"

DICOM = ".dcm"
"""Stored suffix of whatever has no other: DICOM files are called anything."""

KINDS = ".dcm .zip .nii .nii.gz .nrrd .mha .tif .tiff .png .jpg .jpeg"
"""What can be sent, as a person reads it; DICOM files may have any other name too."""

IN_TWO_FILES = (".nhdr", ".mhd")
"""Headers that name the file with their voxels: a way to any file of this machine."""

FILES, NAMES = "files", "names.json"
"""Where the files of an upload are put, and what their owner calls them."""

UNPACKED, UNPACKED_NAMES = "unpacked", "unpacked.json"
"""Where the files of an archive are put, and what they are called in it."""


@dataclass(frozen=True)
class Stored:
    """Files of one upload.

    Args:
        folder: with the files, under neutral names, in ``files``.
        names: what the visitor calls each.
    """

    folder: Path
    names: dict[str, str]

    @property
    def files(self) -> Path:
        return self.folder / FILES


def stored_name(index: int, name: str) -> str:
    """A neutral name with the suffix of the visitor's, if that is one we know.

    Raises:
        CTError: if a file of that kind cannot be taken.
    """
    suffix = split_suffix(name)[1]
    if suffix in IN_TWO_FILES:
        raise CTError(f"{shown_name(name)} is the header of a volume in two files; save it as one, .nrrd or .mha")
    if suffix not in (*SUFFIXES, *PICTURES, ARCHIVE, DICOM, "", ".ima", ".dicom", ".img"):
        raise CTError(f"{shown_name(name)} is not of a kind that can be read; give one of {KINDS}")
    return f"u{index:05d}{suffix if suffix in (*SUFFIXES, *PICTURES, ARCHIVE) else DICOM}"


def shown_name(name: str) -> str:
    """The last part of a visitor's name for a file, without what is not printed and not too long."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    clean = "".join(character for character in last if character.isprintable())
    return clean if len(clean) <= 80 else f"{clean[:60]}...{clean[-17:]}"


def store(files: Sequence[tuple[str, BinaryIO]], folder: Path, limits: Limits) -> Stored:
    """Copy ``files`` (name, stream) into ``folder``; what was copied is removed if one of them is refused.

    Raises:
        CTError: if there are none or too many, one is too large or of an unknown kind, or the disk is full.
    """
    stored_files = Stored(folder, {})
    stored_files.files.mkdir()
    try:
        if not files:
            raise CTError("no file was sent; choose one")
        if len(files) > limits.files:
            raise CTError(f"{len(files)} files were sent, more than {limits.files}; send a part of them")
        require_space(folder, sum(_size(stream) for _, stream in files) * 2)
        total = 0
        for index, (name, stream) in enumerate(files):
            stored = stored_name(index, name)
            allowed = limits.picture_bytes if split_suffix(stored)[1] in PICTURES else limits.volume_bytes
            size = _size(stream)
            total += size
            if size > allowed or total > limits.volume_bytes:
                raise CTError(
                    f"{shown_name(name)} has {shown_bytes(size)}, of {shown_bytes(total)} in all; at most "
                    f"{shown_bytes(min(allowed, limits.volume_bytes))} can be taken"
                )
            with (stored_files.files / stored).open("xb") as target:
                shutil.copyfileobj(stream, target, 2**20)
            stored_files.names[stored] = shown_name(name)
    except CTError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return _remembered(stored_files)


def _remembered(stored: Stored) -> Stored:
    (stored.folder / NAMES).write_text(json.dumps(stored.names), encoding="utf-8")
    return stored


def _size(stream: BinaryIO) -> int:
    stream.seek(0, 2)
    size = stream.tell()
    stream.seek(0)
    return size


def split_upload(stored: Stored, new_folder: Callable[[], Path]) -> list[Stored]:
    """One upload for each volume, picture or archive, and one for all loose DICOM files together.

    Args:
        stored: of several files, which are moved.
        new_folder: gives a folder for each.
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(stored.names):
        groups.setdefault(DICOM if name.endswith(DICOM) else name, []).append(name)
    parts = []
    for members in groups.values():
        part = Stored(new_folder(), {name: stored.names[name] for name in members})
        part.files.mkdir()
        for name in members:
            (stored.files / name).rename(part.files / name)
        parts.append(_remembered(part))
    shutil.rmtree(stored.folder)
    return parts


def load(folder: Path) -> Stored:
    """What :func:`store` left in ``folder``."""
    return Stored(folder, json.loads((folder / NAMES).read_text(encoding="utf-8")))
