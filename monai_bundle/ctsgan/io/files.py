"""Reading and writing volumes: the suffix says which format, a folder is a DICOM series.

The formats' libraries are imported when a file of theirs is met.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np

from ..errors import CTError, reason
from ..volume import Volume
from .checks import check_volume
from .common import SUFFIXES, split_suffix
from .output import partial_output, shown
from .series import ONE_FILE_A_SLICE, SeriesOptions

__all__ = [
    "SUFFIXES",
    "check_storable",
    "find_volumes",
    "is_dicom_folder",
    "read_volume",
    "split_suffix",
    "write_volume",
]

_FORMATS = {
    ".nii": ("nifti", "read_nifti", "write_nifti"),
    ".nii.gz": ("nifti", "read_nifti", "write_nifti"),
    ".nrrd": ("itk", "read_itk", "write_nrrd"),
    ".nhdr": ("itk", "read_itk", "write_nrrd"),
    ".mha": ("itk", "read_itk", "write_metaimage"),
    ".mhd": ("itk", "read_itk", "write_metaimage"),
    ".tif": ("tiff", "read_tiff", "write_tiff"),
    ".tiff": ("tiff", "read_tiff", "write_tiff"),
}
_READER, _WRITER = 1, 2

LOOKED_AT = 64
"""Files of a folder that are opened to see whether they are DICOM."""

EVEN_MM = 0.01
"""How far slices may lie from an even grid that a format can hold."""


def read_volume(
    path: str | Path, *, series: str | None = None, force: bool = False, fill: float | None = None
) -> Volume:
    """A CT volume in HU from a file or a folder with a DICOM series.

    Args:
        path: a file with one of :data:`SUFFIXES`, a DICOM file, or a folder of them.
        series: UID or number of the series where a folder holds several.
        force: go on where it does not look like a CT; see :mod:`ctsgan.io.checks`.
        fill: HU put in the place of NaN and Inf; ``None`` refuses them.

    Raises:
        CTError: naming the file and what to do, for whatever keeps it from being read whole.
    """
    path = Path(path)
    if path.is_dir():
        volume = _read_folder(path, series, force)
    elif not path.exists():
        raise CTError(f"there is no file or folder {path}; check the name")
    elif split_suffix(path)[1] in SUFFIXES:
        volume = _function(path, _READER)(path, force=force)
    elif path.is_file() and _is_dicom_file(path):
        volume = _read_dicom(path, series, force)
    else:
        raise CTError(f"{path} is not of a kind that can be read: {_listed(SUFFIXES)}, or a DICOM series")
    return check_volume(replace(volume, source=path), force=force, fill=fill)


def write_volume(
    volume: Volume,
    path: str | Path,
    *,
    overwrite: bool = False,
    description: str = "",
    purpose: str = "enhanced",
    options: SeriesOptions = ONE_FILE_A_SLICE,
) -> None:
    """Write a volume; the output appears only when it is complete.

    Args:
        volume: in HU, stored with its own data type, and in the order of axes in which it was read.
        path: a file with one of :data:`SUFFIXES`, or a folder for DICOM.
        overwrite: replace what is there.
        description: one line on how the volume was made, for the place that the format has for it.
        purpose: what was done to it, ``enhanced`` or ``degraded``, which a DICOM series says.
        options: in what form a DICOM series is written; other formats have no choice.

    Raises:
        CTError: if the format cannot hold the volume, or the output exists or cannot be written.
    """
    path = Path(path)
    check_storable(volume, path, options)
    try:
        if not split_suffix(path)[1]:
            from ..dicom import write_series

            write_series(
                volume,
                path,
                description=purpose,
                derivation=description,
                overwrite=overwrite,
                purpose=purpose,
                options=options,
            )
            return
        with partial_output(path, overwrite) as partial:
            _function(path, _WRITER)(volume, partial, description=description)
    except OSError as error:
        raise CTError(f"{shown(path)} could not be written: {reason(error)}; choose another folder") from error


def check_storable(
    volume: Volume,
    path: str | Path,
    options: SeriesOptions = ONE_FILE_A_SLICE,
    shape: tuple[int, int, int] | None = None,
) -> None:
    """Refuse what cannot be written; :func:`write_volume` asks the same, ask before a volume is worked on for hours.

    Args:
        volume: as it was read.
        path, options: see :func:`write_volume`.
        shape: (slices, rows, columns) of what will be written, if it is not the volume's.

    Raises:
        CTError: if the format that ``path`` names cannot be written, or not hold this volume, or not in that form.
    """
    suffix = split_suffix(path)[1]
    name = shown(Path(path))
    if not suffix:
        from_dicom = bool(volume.header.get("dicom_files"))
        if not from_dicom and not options.new_study:
            raise CTError(
                f"the folder {name} would be a DICOM series, which needs a DICOM input; give a file name that ends in "
                f"one of {_listed(SUFFIXES)}, or --new-study for a study without a patient's name"
            )
        if from_dicom and options.new_study:
            raise CTError("the input is DICOM and has a study, which --new-study would lose; leave the option out")
        from ..dicom import require_possible

        require_possible(options, shape or volume.voxels.shape)
        return
    if suffix not in SUFFIXES:
        raise CTError(f"{name} is not of a kind that can be written: {_listed(SUFFIXES)}, or a folder for DICOM")
    if options != ONE_FILE_A_SLICE:
        raise CTError(
            f"{name} is not DICOM, which --multi-frame, --compress, --anonymize and --new-study are for; give a folder"
        )
    if volume.slice_origins is None:
        return
    steps = np.arange(len(volume.slice_origins))[:, None]
    even = volume.affine[:3, 3] + steps * volume.affine[:3, 2]
    distance = np.linalg.norm(volume.slice_origins - even, axis=1).max()
    if distance > EVEN_MM:
        raise CTError(
            f"{name} cannot hold slices at uneven distances (up to {distance:.2f} mm off); give a folder for DICOM"
        )


def find_volumes(folder: str | Path, recursive: bool = False) -> list[Path]:
    """The volumes in a folder of volumes, sorted by path.

    Args:
        folder: of files with :data:`SUFFIXES`; hidden ones are passed over.
        recursive: look into sub-folders too; one that is a DICOM series counts as one volume.

    Raises:
        CTError: if a folder cannot be read.
    """
    try:
        return sorted(_volumes(Path(folder), recursive))
    except OSError as error:
        raise CTError(f"{error.filename or folder} cannot be read: {reason(error)}; change its permissions") from None


def _volumes(folder: Path, recursive: bool) -> list[Path]:
    found = []
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            if split_suffix(entry)[1] in SUFFIXES:
                found.append(entry)
        elif recursive and not entry.is_symlink():
            found += [entry] if is_dicom_folder(entry) else _volumes(entry, recursive)
    return found


def is_dicom_folder(path: str | Path) -> bool:
    """Whether a folder holds DICOM files itself (not in its sub-folders), from the first few of its files.

    One that cannot be read does not.
    """
    looked_at = 0
    with suppress(OSError), os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.is_file():
                continue
            # a DICOMDIR stands over sub-folders that belong together
            if entry.name.upper() == "DICOMDIR":
                return True
            if split_suffix(entry.name)[1] in SUFFIXES:
                continue
            if _is_dicom_file(Path(entry.path)):
                return True
            looked_at += 1
            if looked_at == LOOKED_AT:
                break
    return False


def _is_dicom_file(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            start = file.read(132)
    except OSError:
        return False
    if start[128:] == b"DICM":
        return True
    # older files begin without preamble, with group 0002 or 0008
    if start[:2] not in (b"\x02\x00", b"\x08\x00"):
        return False
    from pydicom import dcmread

    try:
        return "SOPClassUID" in dcmread(path, force=True, stop_before_pixels=True)
    except Exception:
        return False


def _read_folder(folder: Path, series: str | None, force: bool) -> Volume:
    volumes = [] if is_dicom_folder(folder) else find_volumes(folder)
    if volumes:
        raise CTError(
            f"{folder} is a folder of {len(volumes)} volumes, not one; give one of them, such as {volumes[0]}"
        )
    return _read_dicom(folder, series, force)


def _read_dicom(path: Path, series: str | None, force: bool) -> Volume:
    from ..dicom import read_series

    return read_series(path, series=series, force=force)


def _function(path: Path, which: int) -> Callable:
    entry = _FORMATS[split_suffix(path)[1]]
    return getattr(import_module(f".{entry[0]}", __package__), entry[which])


def _listed(names: tuple[str, ...]) -> str:
    return " ".join(names)
