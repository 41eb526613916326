"""NIfTI-1 and NIfTI-2 in one file, ``.nii`` and ``.nii.gz``."""

from __future__ import annotations

import gzip
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np

from ..errors import CTError
from ..geometry import LPS_TO_RAS, voxel_spacing
from ..volume import Volume
from .common import (
    from_file_affine,
    in_file_order,
    reading,
    require_grid,
    require_slices,
    rescaled,
    slices_last,
    split_suffix,
    stored_planes,
    stored_type,
    to_file_affine,
)

MM_PER_UNIT = {1: 1000.0, 2: 1.0, 3: 0.001}
"""Of the spatial codes of ``xyzt_units``: metre, millimetre, micrometre; files without one mean mm."""

SCANNER = 1
"""The code of an affine to scanner coordinates."""

LARGEST_NIFTI1 = 32767
"""Voxels along an axis of a NIfTI-1 file; its sizes are 16-bit."""

DEFLATE_LIMIT = 1100
"""No gzip stream expands by more (1032 in theory), so that a header that promises more is wrong."""


def read_nifti(path: Path, *, force: bool = False) -> Volume:
    """A volume in HU from ``path``.

    Integers stay integers unless a scale factor makes fractions of them; other numbers come as float32. Of the
    header, what :func:`write_nifti` carries over is in ``header["nifti"]``.

    Raises:
        CTError: if the file is damaged, cut short, not one volume of plain numbers, or has no usable affine.
    """
    with reading(path), ExitStack() as stack:
        image = nib.load(path)
        if not isinstance(image, nib.Nifti1Image):
            raise CTError(f"{path} is a {type(image).__name__}, not NIfTI; convert it to .nii.gz or .nrrd")
        header, source = image.header, image.dataobj
        shape = require_slices(path, header.get_data_shape())
        dtype = header.get_data_dtype()
        if dtype.kind not in "iuf":
            kind = "complex numbers" if dtype.kind == "c" else "a colour image"
            raise CTError(f"{path} holds {kind}, not HU; save the CT volume itself")
        millimetres = MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)
        affine = np.diag([millimetres] * 3 + [1.0]) @ LPS_TO_RAS @ image.affine
        require_grid(path, affine)
        file_axes = slices_last(shape, affine)
        # some programs leave 0 there, which would be the header itself
        offset = max(source.offset, header.single_vox_offset)
        _require_length(path, offset, shape, dtype)
        opener = gzip.open if split_suffix(path)[1] == ".nii.gz" else open
        stream = stack.enter_context(opener(path, "rb"))
        stream.seek(offset)
        voxels = rescaled(_read_voxels(stream, shape, dtype, file_axes), float(source.slope), float(source.inter))
        carried = {"nifti": _carried_over(header)}
    return Volume(voxels, from_file_affine(affine, file_axes), file_axes=file_axes, source=path, header=carried)


def _require_length(path: Path, offset: int, shape: tuple[int, int, int], dtype: np.dtype) -> None:
    """Before memory is asked for: a damaged header may promise any size."""
    needed = offset + int(np.prod(shape, dtype=object)) * dtype.itemsize
    size = path.stat().st_size
    if needed > size * (DEFLATE_LIMIT if split_suffix(path)[1] == ".nii.gz" else 1):
        raise CTError(f"{path} is cut short: {size} bytes do not hold the {needed} of its header; copy it again")


def _read_voxels(stream: BinaryIO, shape: tuple[int, int, int], dtype: np.dtype, file_axes: tuple) -> np.ndarray:
    """(slices, rows, columns) as stored, in the machine's byte order; floats as float32."""
    wanted = np.dtype(np.float32) if dtype.kind == "f" else dtype.newbyteorder("=")
    voxels = np.empty([shape[axis] for axis in reversed(file_axes)], dtype=wanted)
    plane = np.empty((shape[1], shape[0]), dtype=dtype)
    content = memoryview(plane.reshape(-1).view(np.uint8))
    for target in in_file_order(voxels, file_axes):
        done = 0
        while done < len(content):
            count = stream.readinto(content[done:])
            if not count:
                raise EOFError
            done += count
        with np.errstate(over="ignore"):
            target[...] = plane
    # gzip compares the checksum only when its end is reached
    while isinstance(stream, gzip.GzipFile) and stream.read(2**20):
        pass
    return voxels


def _carried_over(header: nib.Nifti1Header) -> dict[str, Any]:
    sform, sform_code = header.get_sform(coded=True)
    try:
        qform, qform_code = header.get_qform(coded=True)
    except (nib.spatialimages.HeaderDataError, ValueError):
        qform, qform_code = None, 0
    if sform is not None and qform is not None and not np.allclose(sform, qform, atol=1e-2):
        # two places for one volume: only the one that was used is known in the output
        qform_code = 0
    fields = {name: float(header[name]) for name in ("cal_min", "cal_max")}
    return {"sform_code": int(sform_code), "qform_code": int(qform_code), **fields}


def write_nifti(volume: Volume, path: Path, *, description: str = "") -> None:
    """Write HU as they are, with sform, and with qform where the grid has right angles; one slice is copied at a time.

    Args:
        volume: of any integer or float type; its axes are stored in the order of ``file_axes``.
        path: ``.nii`` or ``.nii.gz``.
        description: for the field ``descrip``, of which 79 characters are kept.
    """
    stored = in_file_order(volume.voxels, volume.file_axes)
    with ExitStack() as stack:
        stream = stack.enter_context(open(path, "wb"))
        if split_suffix(path)[1] == ".nii.gz":
            stream = stack.enter_context(gzip.GzipFile("", "wb", compresslevel=1, fileobj=stream, mtime=0))
        _header(volume, stored, description).write_to(stream)
        for plane in stored_planes(stored):
            stream.write(plane)


def _header(volume: Volume, stored: np.ndarray, description: str) -> nib.Nifti1Header:
    kind = nib.Nifti1Header if max(stored.shape) <= LARGEST_NIFTI1 else nib.Nifti2Header
    header = kind(endianness="<")
    header.set_data_dtype(stored_type(stored))
    header.set_data_shape(stored.shape[::-1])
    header.set_slope_inter(1.0, 0.0)
    header.set_xyzt_units("mm")
    header["descrip"] = description.encode("ascii", "replace")[:79]
    source = volume.header.get("nifti", {})
    for name in ("cal_min", "cal_max"):
        header[name] = source.get(name, 0.0)
    affine = LPS_TO_RAS @ to_file_affine(volume)
    sform_code, qform_code = source.get("sform_code", SCANNER), source.get("qform_code", SCANNER)
    if not sform_code and not qform_code:
        # such a source has its place by convention only, which not every program shares
        sform_code = qform_code = SCANNER
    header.set_zooms(voxel_spacing(affine))
    if qform_code and _has_right_angles(affine):
        header.set_qform(affine, qform_code)
    elif not sform_code:
        sform_code = qform_code
    if sform_code:
        header.set_sform(affine, sform_code)
    return header


def _has_right_angles(affine: np.ndarray) -> bool:
    """Whether the rotation of a qform can hold these axes to within its own float32 precision."""
    axes = affine[:3, :3] / voxel_spacing(affine)
    return bool(np.allclose(axes.T @ axes, np.eye(3), atol=1e-5))
