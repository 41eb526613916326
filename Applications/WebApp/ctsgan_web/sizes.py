"""How large a file says it will be when it is unpacked, read from headers alone."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np

from ctsgan.errors import CTError
from ctsgan.io.common import split_suffix

HEADER = 2**16
"""Bytes in which the header of a NRRD or MetaImage file must end."""


def declared_bytes(path: Path) -> int:
    """Of the voxels of a volume file; 0 where its header cannot be read, which the reader will say."""
    suffix = split_suffix(path)[1]
    # whatever a library raises over a bad header is found again, and put into words, when the file is read
    with suppress(Exception):
        if suffix in (".nii", ".nii.gz"):
            import nibabel

            header = nibabel.load(path).header
            return _bytes(header.get_data_shape(), header.get_data_dtype().itemsize)
        if suffix in (".nrrd", ".mha"):
            import SimpleITK

            reader = SimpleITK.ImageFileReader()
            reader.SetFileName(str(path))
            reader.ReadImageInformation()
            pixel = SimpleITK.Image([1] * reader.GetDimension(), reader.GetPixelID(), reader.GetNumberOfComponents())
            return _bytes(reader.GetSize(), pixel.GetSizeOfPixelComponent() * reader.GetNumberOfComponents())
        if suffix in (".tif", ".tiff"):
            import tifffile

            with tifffile.TiffFile(path) as file:
                return sum(_bytes(series.shape, series.dtype.itemsize) for series in file.series)
    return 0


def declared_dicom_bytes(paths: Iterable[Path]) -> int:
    """Of the pixels of DICOM files; what is no DICOM counts nothing."""
    from pydicom import dcmread

    tags = ["Rows", "Columns", "NumberOfFrames", "BitsAllocated"]
    total = 0
    for path in paths:
        with suppress(Exception):
            header = dcmread(path, force=True, stop_before_pixels=True, specific_tags=tags)
            frames = int(header.get("NumberOfFrames", 1) or 1)
            total += _bytes((frames, header.Rows, header.Columns), int(header.get("BitsAllocated", 16)) // 8)
    return total


def _bytes(shape: Iterable[int], item: int) -> int:
    return int(np.prod([int(size) for size in shape], dtype=object)) * item


def require_attached(path: Path, name: str) -> None:
    """Refuse a header that takes its voxels from another file of this machine.

    Raises:
        CTError: if it names one, or its header does not end.
    """
    suffix = split_suffix(path)[1]
    if suffix not in (".nrrd", ".mha"):
        return
    with path.open("rb") as file:
        start = file.read(HEADER)
    if suffix == ".nrrd":
        end = re.search(rb"\r?\n\r?\n", start)
        detached = end is None or re.search(rb"^data ?file\s*:", start[: end.start()], re.IGNORECASE | re.MULTILINE)
    else:
        named = re.search(rb"^\s*ElementDataFile\s*=\s*(\S*)", start, re.MULTILINE)
        detached = named is None or named[1].upper() != b"LOCAL"
    if detached:
        raise CTError(f"{name} is damaged or names another file with its voxels; save header and voxels in one file")
