"""Zip files of strangers: unpacked under names of our own, and never to more than was announced and allowed."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from ctsgan.errors import CTError

from .limits import shown_bytes
from .uploads import ARCHIVE, KINDS, shown_name, stored_name

CHUNK = 2**20


def unpack(path: Path, folder: Path, name: str, largest: int, most: int) -> dict[str, str]:
    """The files of an archive that can be read, in ``folder``; others, such as texts, are passed over.

    Args:
        path: of the archive.
        folder: empty.
        name: what its owner calls the archive.
        largest: bytes of all files together.
        most: files.

    Returns:
        What the archive calls each stored file.

    Raises:
        CTError: if it is damaged, encrypted, empty, too large, or holds another archive or files that cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = [entry for entry in archive.infolist() if not entry.is_dir() and not _is_clutter(entry.filename)]
            if not entries:
                raise CTError(f"{name} holds no files; send another archive")
            if len(entries) > most:
                raise CTError(f"{name} holds {len(entries)} files, more than {most}; send a part of them")
            if any(entry.flag_bits & 1 for entry in entries):
                raise CTError(f"{name} is encrypted; send it without a password")
            left, names = largest, {}
            for index, entry in enumerate(entries):
                try:
                    stored = stored_name(index, entry.filename)
                except CTError:
                    continue
                if stored.endswith(ARCHIVE):
                    raise CTError(f"{name} holds another archive; send that one by itself")
                # sizes in the directory may be lies, so what comes out is counted
                left -= _extract(archive, entry, folder / stored, left, f"{name} unpacks to more than", largest)
                names[stored] = shown_name(entry.filename)
        if not names:
            raise CTError(f"{name} holds no file that can be read; give one of {KINDS}")
        return names
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, RuntimeError):
        raise CTError(f"{name} is damaged, cut short or no zip file; make it again") from None


def _is_clutter(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return "__MACOSX" in parts or parts[-1].startswith(".") or parts[-1].lower() in ("thumbs.db", "desktop.ini")


def _extract(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int, too_much: str, largest: int
) -> int:
    """Write one entry; gives its size."""
    refusal = CTError(f"{too_much} {shown_bytes(largest)}; send a part of it")
    if entry.file_size > left:
        raise refusal
    written = 0
    with archive.open(entry) as source, target.open("xb") as file:
        while chunk := source.read(CHUNK):
            written += len(chunk)
            if written > left:
                raise refusal
            file.write(chunk)
    return written
