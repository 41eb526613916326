"""NRRD and MetaImage, with attached or detached voxels, and SimpleITK images.

Reading is SimpleITK's, which keeps flipped, oblique and sheared axes of these formats as they are. Writing is
done here, slice by slice: through SimpleITK it would take two more copies of the volume.
"""

from __future__ import annotations

import gzip
import re
import zlib
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from ..errors import CTError
from ..geometry import voxel_spacing
from ..volume import Volume
from .common import (
    detached_data_path,
    from_file_affine,
    from_file_order,
    in_file_order,
    reading,
    require_grid,
    require_slices,
    require_spacing,
    slices_last,
    split_suffix,
    stored_planes,
    stored_type,
    to_file_affine,
)

MM_PER_UNIT = {"m": 1000.0, "cm": 10.0, "mm": 1.0, "um": 0.001, "µm": 0.001, "nm": 1e-6}
"""SimpleITK reads the units of both formats and passes over them; names that are not here mean mm."""

CHUNK = 2**16
"""Compressed bytes looked at together."""

# kind and size of a NumPy type: what NRRD and what MetaImage call it
_TYPES = {
    "i1": ("signed char", "MET_CHAR"),
    "u1": ("unsigned char", "MET_UCHAR"),
    "i2": ("short", "MET_SHORT"),
    "u2": ("unsigned short", "MET_USHORT"),
    "i4": ("int", "MET_INT"),
    "u4": ("unsigned int", "MET_UINT"),
    "i8": ("long long int", "MET_LONG_LONG"),
    "u8": ("unsigned long long int", "MET_ULONG_LONG"),
    "f4": ("float", "MET_FLOAT"),
    "f8": ("double", "MET_DOUBLE"),
}

# fields of a MetaImage header that say what the file itself is; a volume's own keys may not be called so
_META_FIELDS = (
    "anatomicalorientation binarydata binarydatabyteordermsb centerofrotation color comment compresseddata "
    "compresseddatasize compressionlevel dimsize distanceunits elementbyteordermsb elementdatafile elementmax "
    "elementmin elementnumberofchannels elementsize elementspacing elementtointensityfunctionoffset "
    "elementtointensityfunctionslope elementtype headersize id name ndims objectsubtype objecttype offset "
    "orientation origin parentid position rotation sequenceid transformmatrix transformtype"
)


def read_itk(path: Path, *, force: bool = False) -> Volume:
    """A volume in HU from a ``.nrrd``, ``.nhdr``, ``.mha`` or ``.mhd`` file; float64 comes as float32.

    Keys of the header that are not of the format itself are in ``header["itk"]``.

    Raises:
        CTError: if the file is damaged, cut short, not one volume of plain numbers, or (unless ``force``, which
            takes 1 mm) has no spacing.
    """
    with reading(path):
        fields, start = _read_header(path)
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        _require_data_file(path, fields)
        reader.ReadImageInformation()
        _require_plain(path, reader)
        require_slices(path, reader.GetSize())
        if _is_meta(path):
            _require_meta_data(path, fields, start, reader)
        if not _has_spacing(fields):
            require_spacing(path, "spacing", force)
        image = reader.Execute()
    return replace(_volume(path, image, _unit_scale(fields), writeable=True), source=path)


def volume_from_image(image: sitk.Image) -> Volume:
    """A volume that looks at the memory of a SimpleITK image of two or three dimensions, without changing it.

    Args:
        image: in HU and mm; it must not be changed while the volume is in use.

    Raises:
        CTError: if it has several channels or time points, or no usable grid.
    """
    return _volume("the image", image, np.ones(3), writeable=False)


def _volume(name: Path | str, image: sitk.Image, unit_scale: np.ndarray, writeable: bool) -> Volume:
    _require_plain(name, image)
    shape = require_slices(name, image.GetSize())
    dimensions = min(image.GetDimension(), 3)
    affine = np.eye(4)
    direction = np.reshape(image.GetDirection(), (image.GetDimension(),) * 2)
    affine[:dimensions, :dimensions] = (direction * image.GetSpacing())[:dimensions, :dimensions]
    affine[:dimensions, 3] = image.GetOrigin()[:dimensions]
    affine[:3] *= unit_scale[:, None]
    require_grid(name, affine)
    file_axes = slices_last(shape, affine) if dimensions == 3 else (0, 1, 2)
    stored = np.asarray(_KeptImage(image, writeable)).reshape(shape[::-1])
    if stored.dtype == np.float64:
        stored = stored.astype(np.float32)
    return Volume(
        from_file_order(stored, file_axes),
        from_file_affine(affine, file_axes),
        file_axes=file_axes,
        header={"itk": _carried_over(image)},
    )


class _KeptImage:
    """The voxels of an image for ``np.asarray``; the array keeps the image, whose memory it is, alive."""

    def __init__(self, image: sitk.Image, writeable: bool) -> None:
        self.image = image
        interface = sitk.GetArrayViewFromImage(image).__array_interface__
        self.__array_interface__ = {**interface, "data": (interface["data"][0], not writeable)}


def image_from_volume(volume: Volume) -> sitk.Image:
    """A SimpleITK image with a copy of the voxels, its axes in the order of ``file_axes``."""
    stored = in_file_order(volume.voxels, volume.file_axes)
    affine = to_file_affine(volume)
    spacing = voxel_spacing(affine)
    image = sitk.GetImageFromArray(np.ascontiguousarray(stored, dtype=stored_type(stored).newbyteorder("=")))
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / spacing).ravel().tolist())
    for key, value in volume.header.get("itk", {}).items():
        image.SetMetaData(key, value)
    return image


def write_nrrd(volume: Volume, path: Path, *, description: str = "") -> None:
    """Write ``.nrrd``, or ``.nhdr`` with its voxels in ``.raw.gz``; one slice is copied at a time.

    Args:
        volume: of any integer or float type; its axes are stored in the order of ``file_axes``.
        path: of the header.
        description: for the field ``content``.
    """
    stored = in_file_order(volume.voxels, volume.file_axes)
    affine = to_file_affine(volume)
    dtype = stored_type(stored)
    lines = [
        "NRRD0004",
        f"type: {_TYPES[dtype.str[1:]][0]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {_joined(stored.shape[::-1])}",
        f"space directions: {' '.join(_vector(axis) for axis in affine[:3, :3].T)}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: {_vector(affine[:3, 3])}",
    ]
    if description:
        lines.append(f"content: {_one_line(description)}")
    data_path = detached_data_path(path)
    if data_path:
        lines.append(f"data file: {data_path.name}")
    for key, value in volume.header.get("itk", {}).items():
        if ":" not in key and not key.startswith("#"):
            escaped = value.replace("\\", "\\\\").replace("\n", "\\n")
            lines.append(f"{key}:={escaped}")
    header = "\n".join([*lines, "", ""]).encode()
    with ExitStack() as stack:
        data = stack.enter_context(open(data_path or path, "wb"))
        if not data_path:
            data.write(header)
        packed = stack.enter_context(gzip.GzipFile("", "wb", compresslevel=1, fileobj=data, mtime=0))
        for plane in stored_planes(stored):
            packed.write(plane)
    if data_path:
        path.write_bytes(header)


def write_metaimage(volume: Volume, path: Path, *, description: str = "") -> None:
    """Write ``.mha``, or ``.mhd`` with its voxels in ``.zraw``; one slice is copied at a time.

    Args:
        volume: of any integer or float type; its axes are stored in the order of ``file_axes``.
        path: of the header.
        description: for the field ``Comment``.
    """
    stored = in_file_order(volume.voxels, volume.file_axes)
    affine = to_file_affine(volume)
    spacing = voxel_spacing(affine)
    dtype = stored_type(stored)
    data_path = detached_data_path(path)
    extra = {
        key: value
        for key, value in volume.header.get("itk", {}).items()
        if key.lower() not in _META_FIELDS.split() and "=" not in key and value and value == _one_line(value)
    }
    if description:
        extra["Comment"] = _one_line(description)[:255]

    def header(packed_size: int) -> bytes:
        fields = {
            "ObjectType": "Image",
            "NDims": "3",
            "BinaryData": "True",
            "BinaryDataByteOrderMSB": "False",
            "CompressedData": "True",
            # as long for any size, since it is known only when the voxels are written
            "CompressedDataSize": f"{packed_size:020d}",
            "TransformMatrix": _joined((affine[:3, :3] / spacing).T.ravel()),
            "Offset": _joined(affine[:3, 3]),
            "CenterOfRotation": "0 0 0",
            "ElementSpacing": _joined(spacing),
            "DimSize": _joined(stored.shape[::-1]),
            **extra,
            "ElementType": _TYPES[dtype.str[1:]][1],
            "ElementDataFile": data_path.name if data_path else "LOCAL",
        }
        return "".join(f"{key} = {value}\n" for key, value in fields.items()).encode()

    with open(data_path or path, "wb") as data:
        start = 0 if data_path else data.write(header(0))
        packing = zlib.compressobj(1)
        for plane in stored_planes(stored):
            data.write(packing.compress(plane))
        data.write(packing.flush())
        packed_size = data.tell() - start
        if not data_path:
            data.seek(0)
            data.write(header(packed_size))
    if data_path:
        path.write_bytes(header(packed_size))


def _is_meta(path: Path) -> bool:
    return split_suffix(path)[1] in (".mha", ".mhd")


def _joined(numbers: Any) -> str:
    return " ".join(repr(number) for number in np.asarray(numbers).tolist())


def _vector(numbers: np.ndarray) -> str:
    return f"({','.join(repr(number) for number in numbers.tolist())})"


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _carried_over(image: sitk.Image) -> dict[str, str]:
    """What a file says beside the format's own fields."""
    own = ("NRRD_", "ITK_")
    keys = [
        key for key in image.GetMetaDataKeys() if not key.startswith(own) and key.lower() not in _META_FIELDS.split()
    ]
    texts = {key: image.GetMetaData(key) for key in keys}
    return {key: text for key, text in texts.items() if text != "MET_MOD_UNKNOWN"}


def _require_plain(name: Path | str, image: sitk.Image | sitk.ImageFileReader) -> None:
    channels = image.GetNumberOfComponents() if isinstance(image, sitk.ImageFileReader) else None
    channels = image.GetNumberOfComponentsPerPixel() if channels is None else channels
    if channels > 1:
        raise CTError(f"{name} holds {channels} numbers in each voxel (colour, vectors or time), not HU; save one")
    kind = sitk.GetPixelIDValueAsString(image.GetPixelIDValue())
    if "complex" in kind or "label map" in kind:
        raise CTError(f"{name} holds {kind}s, not HU; save the CT volume itself")


def _read_header(path: Path) -> tuple[dict[str, str], int]:
    """The format's fields, names in lower case, and where the header ends: a NRRD's at an empty line, a
    MetaImage's after ElementDataFile."""
    separator = "=" if _is_meta(path) else ":"
    fields: dict[str, str] = {}
    with open(path, "rb") as file:
        # a line longer than this is no text
        while line := file.readline(2**20).decode("utf-8", "replace").rstrip("\r\n"):
            name, _, value = line.partition(separator)
            # key:=value is the volume's own, not the format's
            if not value.startswith("="):
                fields[name.strip().lower()] = value.strip()
            if "elementdatafile" in fields:
                break
        return fields, file.tell()


def _has_spacing(fields: dict[str, str]) -> bool:
    spacings = fields.get("spacings", "nan").lower()
    return any(name in fields for name in ("space directions", "elementspacing", "elementsize")) or (
        "nan" not in spacings
    )


def _unit_scale(fields: dict[str, str]) -> np.ndarray:
    """mm in a unit of length along x, y, z."""
    if "distanceunits" in fields:
        units = [fields["distanceunits"].lower()] * 3
    else:
        units = re.findall(r'"([^"]*)"', fields.get("space units") or fields.get("units", ""))
    units = units if len(units) == 3 else ["mm"] * 3
    return np.array([MM_PER_UNIT.get(unit.strip(), 1.0) for unit in units])


def _data_file(path: Path, fields: dict[str, str]) -> Path | None:
    """The one other file with the voxels; ``None`` where they are in ``path``, or in a list of files."""
    name = fields.get("elementdatafile") or fields.get("data file") or fields.get("datafile") or "LOCAL"
    if name.upper() == "LOCAL" or "%" in name or name.upper().startswith("LIST"):
        return None
    return path.parent / name


def _require_data_file(path: Path, fields: dict[str, str]) -> None:
    data_path = _data_file(path, fields)
    if data_path and not data_path.exists():
        raise CTError(f"{path} has its voxels in {data_path.name}, which is not there; copy both files together")


def _require_meta_data(path: Path, fields: dict[str, str], start: int, reader: sitk.ImageFileReader) -> None:
    """Look at the voxels' bytes first: SimpleITK passes over damage in compressed MetaImages."""
    data_path = _data_file(path, fields)
    in_one_file = data_path or fields.get("elementdatafile", "").upper() == "LOCAL"
    if not in_one_file or fields.get("binarydata", "true").lower() != "true" or fields.get("headersize", "0") != "0":
        return
    element = sitk.GetArrayViewFromImage(sitk.Image([1, 1], reader.GetPixelIDValue())).itemsize
    needed = int(np.prod(reader.GetSize(), dtype=object)) * element
    with open(data_path or path, "rb") as file:
        if not data_path:
            file.seek(start)
        if fields.get("compresseddata", "false").lower() == "true":
            unpacking, found = zlib.decompressobj(), 0
            while not unpacking.eof and (chunk := file.read(CHUNK)):
                found += len(unpacking.decompress(chunk))
            complete = unpacking.eof and found >= needed
        else:
            found = file.seek(0, 2) - (0 if data_path else start)
            complete = found >= needed
    if not complete:
        raise CTError(
            f"{data_path or path} is cut short: {found} of {needed} bytes of voxels are there; copy or export it again"
        )
