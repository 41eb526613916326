"""Outputs that appear only when they are complete, and leave nothing behind when they are not."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import CTError, DiskFullError, reason
from .common import detached_data_path, split_suffix

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

# hidden work folders in use, each with the folders that were made to hold it
_partials: dict[Path, list[Path]] = {}

_temporary: set[Path] = set()


@contextmanager
def partial_output(final_path: str | Path, overwrite: bool = False, source: Path | None = None) -> Iterator[Path]:
    """A path to write to that becomes ``final_path`` when the block ends well and is removed when it does not.

    The path has the same name, in a hidden folder ``.{name}.partial-{pid}`` beside ``final_path``: a header
    that names its data file is right from the start, and moving takes no time. Whatever else is written into
    the hidden folder is moved along, before the file that ``final_path`` names.

    Args:
        final_path: a file, or (where its name has no suffix of a file) a folder, which is there, empty, when
            the block begins. An empty folder in its place counts as none.
        overwrite: replace what is there; a folder only if it holds DICOM files and nothing else.
        source: the input, which must not be replaced.

    Raises:
        CTError: before the block, if the output exists, is the input, or cannot be made; after it, if the disk
            is full.
    """
    final = Path(os.path.abspath(final_path))
    is_folder = not split_suffix(final)[1]
    try:
        _require_not_source(final, source, is_folder)
        _require_replaceable(final, overwrite, is_folder)
        work = _make_work_folder(final)
    except OSError as error:
        raise CTError(f"the output {shown(final)} cannot be made: {reason(error)}; choose another folder") from None
    partial = work / final.name
    try:
        if is_folder:
            partial.mkdir()
        yield partial
        _publish(work, final, is_folder)
    except BaseException as error:
        _discard(work)
        if isinstance(error, OSError) and error.errno in _FULL:
            raise DiskFullError(
                f"{shown(final)} could not be written: {reason(error)}; make room on its disk"
            ) from error
        raise
    _partials.pop(work, None)
    shutil.rmtree(work, ignore_errors=True)


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that only this user can look into, gone after the block, and after :func:`remove_partials`."""
    folder = Path(tempfile.mkdtemp(prefix="ctsgan-"))
    _temporary.add(folder)
    try:
        yield folder
    finally:
        _temporary.discard(folder)
        shutil.rmtree(folder, ignore_errors=True)


def remove_partials() -> None:
    """Remove all unfinished outputs of this process, before it is ended without clean-up."""
    for work in list(_partials):
        _discard(work)
    for folder in list(_temporary):
        shutil.rmtree(folder, ignore_errors=True)


def shown(path: Path) -> Path:
    """A path as a user knows it: the final one for a path that :func:`partial_output` gave."""
    while path.parent in _partials:
        path = path.parent.parent / path.name
    return path


def require_space(path: str | Path, needed_bytes: int) -> None:
    """Raise :class:`DiskFullError` if the disk that will hold ``path`` has less room than ``needed_bytes``."""
    folder = Path(os.path.abspath(path))
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < needed_bytes:
        raise DiskFullError(
            f"the disk of {folder} has {_gigabytes(free)} free, and up to {_gigabytes(needed_bytes)} are needed; "
            "make room or choose another folder"
        )


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count < 10e9 else f"{count / 1e9:.0f} GB"


def _require_not_source(final: Path, source: Path | None, is_folder: bool) -> None:
    if source is None:
        return
    source_path, target = Path(source).resolve(), final.resolve()
    same = source_path == target or (final.exists() and Path(source).exists() and os.path.samefile(source, final))
    if same or (is_folder and target in source_path.parents and _entries(final)):
        raise CTError(f"the output {final} is the input or holds it; choose another output")


def _require_replaceable(final: Path, overwrite: bool, is_folder: bool) -> None:
    if is_folder:
        if final.exists() and not final.is_dir():
            raise CTError(f"{final} is a file, not a folder; choose another output")
        if not _entries(final):
            return
        if not overwrite:
            raise CTError(f"{final} exists; replace it with --overwrite or choose another output")
        _require_dicom_only(final)
        return
    if final.is_dir():
        raise CTError(f"{final} is a folder, not a file; choose another output")
    for path in (final, detached_data_path(final)):
        if path and os.path.lexists(path) and not overwrite:
            raise CTError(f"{path} exists; replace it with --overwrite or choose another output")


def _entries(folder: Path) -> list[os.DirEntry]:
    """What is in a folder beside work folders; nothing if it is not there."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as entries:
        return [entry for entry in entries if Path(entry.path) not in _partials]


def _require_dicom_only(folder: Path) -> None:
    """A folder is replaced as a whole, so it must be one that this program could have written."""
    for entry in _entries(folder):
        start = b""
        if entry.is_file():
            with open(entry.path, "rb") as file:
                start = file.read(132)
        if start[128:] != b"DICM":
            raise CTError(
                f"{folder} holds {entry.name}, not only DICOM files, and is not replaced; choose another output"
            )


def _make_work_folder(final: Path) -> Path:
    made = []
    work = final.parent / f".{final.name}.partial-{os.getpid()}"
    try:
        missing = [folder for folder in (final.parent, *final.parent.parents) if not folder.exists()]
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            made.append(folder)
        work.mkdir(exist_ok=True)
    except OSError:
        _remove_empty(made)
        raise
    _partials[work] = made
    return work


def _publish(work: Path, final: Path, is_folder: bool) -> None:
    if is_folder:
        if final.is_dir():
            os.replace(final, work / ".replaced")
        try:
            os.replace(work / final.name, final)
        except OSError:
            if (work / ".replaced").exists():
                os.replace(work / ".replaced", final)
            raise
        return
    # a header comes last: what it names is there when it is
    for path in sorted(work.iterdir(), key=lambda path: path.name == final.name):
        os.replace(path, final.parent / path.name)


def _discard(work: Path) -> None:
    made = _partials.pop(work, [])
    # once more for what another thread was writing meanwhile
    for _ in range(2):
        shutil.rmtree(work, ignore_errors=True)
    _remove_empty(made)


def _remove_empty(folders: list[Path]) -> None:
    for folder in reversed(folders):
        with suppress(OSError):
            folder.rmdir()
