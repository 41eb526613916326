"""What the readers and writers share: names, axes in any order, and one sentence for a file that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ..errors import CTError
from ..geometry import slice_axis, voxel_spacing
from ..volume import Volume

SUFFIXES = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".tif", ".tiff")
"""The kinds of volume files that can be read and written."""

DATA_SUFFIXES = {".mhd": ".zraw", ".nhdr": ".raw.gz"}
"""Of the second file, with the voxels, that belongs to a header file of these kinds."""

_OTHERS = (
    ".bmp .csv .dcm .dicom .gif .gipl .gz .h5 .hdf5 .hdr .ima .img .jp2 .jpeg .jpg .json .mat .mgh .mgz .mnc .mrb .npy "
    ".npz .pdf .png .pt .raw .stl .tar .tgz .txt .vti .vtk .zip .zraw"
)


def split_suffix(path: str | Path) -> tuple[str, str]:
    """A name without its suffix, and the suffix in lower case (``.nii.gz`` is one).

    The suffix is '' where the name has none that a file would have: a folder may be called ``1.2.840.113619``
    or ``scan.1.5mm``.
    """
    name = Path(path).name
    lower = name.lower()
    for suffix in sorted((*SUFFIXES, *_OTHERS.split()), key=len, reverse=True):
        if lower.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)], suffix
    return name, ""


def detached_data_path(path: Path) -> Path | None:
    """The file with the voxels that is written along with a header file; ``None`` where they are in ``path``."""
    stem, suffix = split_suffix(path)
    return path.with_name(stem + DATA_SUFFIXES[suffix]) if suffix in DATA_SUFFIXES else None


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever a library raises over a bad file into one sentence; nothing is read half."""
    try:
        # not every library says so when it may not read a file
        open(path, "rb").close()
        yield
    except CTError:
        raise
    except MemoryError:
        raise CTError(f"{path} does not fit into memory; close other programs or cut the volume into parts") from None
    except PermissionError:
        raise CTError(f"{path} cannot be read: permission denied; change its permissions or copy it") from None
    except Exception as error:
        raise CTError(
            f"{path} is damaged, cut short or not a {split_suffix(path)[1]} file; copy or export it again"
        ) from error


def require_slices(path: Path | str, shape: Sequence[int]) -> tuple[int, int, int]:
    """The shape (columns, rows, slices or any other order) of a stack of slices, from a file's dimensions.

    Raises:
        CTError: if they are not those of one volume, or there is no voxel.
    """
    if any(size < 1 for size in shape):
        raise CTError(f"{path} holds no voxels: its size is {_times(shape)}; export it again")
    if len(shape) < 2:
        raise CTError(f"{path} has one dimension, not the two or three of a CT slice or volume")
    if any(size > 1 for size in shape[3:]):
        raise CTError(f"{path} has {len(shape)} dimensions ({_times(shape)}), not three; save one time point by itself")
    return (*shape[:3], 1)[:3]


def _times(shape: Sequence[int]) -> str:
    return " x ".join(str(size) for size in shape)


def require_grid(path: Path | str, affine: np.ndarray) -> None:
    """Raise :class:`CTError` unless ``affine`` gives every voxel a place of its own."""
    spacing = voxel_spacing(affine)
    if not np.all(np.isfinite(affine)) or np.any(spacing <= 0.0):
        raise CTError(f"{path} gives its voxels no usable spacing ({_mm(spacing)}); mend its header or export it again")
    if abs(np.linalg.det(affine[:3, :3] / spacing)) < 1e-3:
        raise CTError(f"{path} gives two axes the same direction; mend its header or export it again")


def _mm(spacing: np.ndarray) -> str:
    return " x ".join(f"{mm:g}" for mm in spacing) + " mm"


def require_spacing(path: Path, missing: str, force: bool) -> None:
    """Raise :class:`CTError` because ``missing`` ("pixel size", ...) is not in a file, unless ``force``."""
    if not force:
        raise CTError(f"there is no {missing} in {path}; save it with one, or take 1 mm with --force")


def rescaled(stored: np.ndarray, slope: float, intercept: float) -> np.ndarray:
    """stored x slope + intercept as int16 or int32 where every voxel is a whole number in range, else float32."""
    if (slope, intercept) == (1.0, 0.0):
        return stored
    dtype = np.dtype(np.float32)
    if stored.dtype.kind in "iu" and _stays_whole(stored, slope, intercept):
        extremes = [round(slope * int(value) + intercept) for value in (stored.min(), stored.max())]
        for narrow in (np.int16, np.int32):
            limits = np.iinfo(narrow)
            if min(extremes) >= limits.min and max(extremes) <= limits.max:
                dtype = np.dtype(narrow)
                break
    # in the same memory where it fits: a slice is read before it is overwritten
    result = stored.view(dtype) if dtype.itemsize == stored.dtype.itemsize else np.empty(stored.shape, dtype)
    for given, target in zip(stored, result, strict=True):
        values = given.astype(np.float64) * slope + intercept
        target[...] = np.rint(values) if dtype.kind == "i" else values
    return result


def _stays_whole(stored: np.ndarray, slope: float, intercept: float) -> bool:
    if slope.is_integer() and intercept.is_integer():
        return True
    for plane in stored:
        values = plane * slope + intercept
        if np.any(values != np.rint(values)):
            return False
    return True


def slices_last(shape: Sequence[int], affine: np.ndarray) -> tuple[int, int, int]:
    """The file's axes along (column, row, slice): slices as :func:`ctsgan.geometry.slice_axis` says.

    Args:
        shape: along the file's axes 0, 1, 2.
        affine: of the file's axes.
    """
    last = slice_axis(shape, voxel_spacing(affine))
    column, row = (axis for axis in range(3) if axis != last)
    return column, row, last


def in_file_order(voxels: np.ndarray, file_axes: Sequence[int]) -> np.ndarray:
    """A view of (slices, rows, columns) as the file's axes (2, 1, 0): the order in which files hold voxels."""
    return voxels.transpose([2 - list(file_axes).index(axis) for axis in (2, 1, 0)])


def from_file_order(stored: np.ndarray, file_axes: Sequence[int]) -> np.ndarray:
    """(slices, rows, columns), C-contiguous, from an array with the file's axes (2, 1, 0)."""
    return np.ascontiguousarray(stored.transpose([2 - axis for axis in reversed(file_axes)]))


def to_file_affine(volume: Volume) -> np.ndarray:
    """The 4 x 4 affine of the file's axes 0, 1, 2 to LPS mm."""
    affine = np.array(volume.affine, dtype=float)
    affine[:, list(volume.file_axes)] = volume.affine[:, :3]
    return affine


def from_file_affine(affine: np.ndarray, file_axes: Sequence[int]) -> np.ndarray:
    """The 4 x 4 affine of (column, row, slice) from that of the file's axes."""
    return affine[:, [*file_axes, 3]]


def stored_type(voxels: np.ndarray) -> np.dtype:
    """The little-endian type that files can hold for these voxels: bytes for truth values, float32 for half."""
    kinds = {np.dtype(bool): np.dtype(np.uint8), np.dtype(np.float16): np.dtype(np.float32)}
    return kinds.get(voxels.dtype, voxels.dtype).newbyteorder("<")


def stored_planes(voxels: np.ndarray) -> Iterator[np.ndarray]:
    """Each [k] of an array as C-contiguous little-endian voxels; only one is copied at a time."""
    dtype = stored_type(voxels)
    for plane in voxels:
        yield np.ascontiguousarray(plane, dtype=dtype)
