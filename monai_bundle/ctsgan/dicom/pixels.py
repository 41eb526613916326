"""Pixel data of DICOM files, decoded one file at a time into HU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from pydicom import dcmread
from pydicom.pixels import iter_pixels
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    RLELossless,
)

from ..errors import CTError
from .headers import Frame

OWN_SYNTAXES = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
)
"""pydicom decodes these itself, and says so when there are fewer bytes than pixels, which GDCM lets pass."""

Rescale = tuple[float, float]
"""RescaleSlope and RescaleIntercept: HU = slope * stored value + intercept."""


def _damaged(path: Path) -> CTError:
    return CTError(f"the pixel data of {path.name} is truncated or damaged; copy the file again")


def rescaled(stored: np.ndarray, rescale: Rescale) -> np.ndarray:
    """Stored values as HU: int32 where slope and intercept are whole numbers, else float32."""
    slope, intercept = rescale
    if slope.is_integer() and intercept.is_integer():
        return stored.astype(np.int32) * np.int32(slope) + np.int32(intercept)
    return (stored * slope + intercept).astype(np.float32)


def _by_gdcm(path: Path) -> np.ndarray | None:
    """HU of all frames of a file, shape (frames, rows, columns); ``None`` where GDCM cannot decode it."""
    import SimpleITK

    reader = SimpleITK.ImageFileReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileName(str(path))
    try:
        voxels = SimpleITK.GetArrayFromImage(reader.Execute())
    except RuntimeError:
        return None
    return voxels if voxels.ndim == 3 else voxels[None]


def file_frames(frames: Sequence[Frame], rescales: Sequence[Rescale]) -> Iterator[np.ndarray]:
    """The wanted frames of one file in HU, each (rows, columns).

    Args:
        frames: of one file.
        rescales: of each frame.

    Raises:
        CTError: if the pixel data is truncated, or encoded in a way that nothing installed decodes.
    """
    path, syntax = frames[0].path, frames[0].transfer_syntax
    if syntax not in OWN_SYNTAXES and len(set(rescales)) == 1:
        voxels = _by_gdcm(path)  # which rescales, with one slope and intercept for the whole file
        if voxels is not None and len(voxels) > max(frame.index for frame in frames):
            yield from (voxels[frame.index] for frame in frames)
            return
    try:
        decoded = iter_pixels(dcmread(path, force=True), indices=[frame.index for frame in frames])
        for stored, rescale in zip(decoded, rescales, strict=True):
            yield rescaled(stored, rescale)
    except (RuntimeError, NotImplementedError):
        if syntax in OWN_SYNTAXES:
            raise _damaged(path) from None
        raise CTError(
            f"the pixel data of {path.name} ({syntax.name}, {syntax}) is damaged or of a kind that cannot be decoded; "
            "store the series uncompressed"
        ) from None
    except Exception:
        raise _damaged(path) from None


def read_voxels(frames: Sequence[Frame], rescales: Sequence[Rescale], shape: tuple[int, int]) -> np.ndarray:
    """HU of a stack of slices, shape (slices, rows, columns).

    int16 where every slope and intercept is a whole number (int32 if a value needs it), else float32.

    Args:
        frames: the slices in their order.
        rescales: slope and intercept of each slice.
        shape: (rows, columns) of every slice.

    Raises:
        CTError: if a file's pixel data cannot be read.
    """
    whole = all(value.is_integer() for rescale in rescales for value in rescale)
    voxels = np.empty((len(frames), *shape), dtype=np.int16 if whole else np.float32)
    places: dict[Path, list[int]] = {}
    for place, frame in enumerate(frames):
        places.setdefault(frame.path, []).append(place)
    for path, wanted in places.items():
        slices = file_frames([frames[place] for place in wanted], [rescales[place] for place in wanted])
        for place, values in zip(wanted, slices, strict=True):
            if values.shape != shape:
                raise _damaged(path)
            limits = np.iinfo(np.int16)
            if voxels.dtype == np.int16 and (values.min() < limits.min or values.max() > limits.max):
                voxels = voxels.astype(np.int32)
            voxels[place] = values
    return voxels
