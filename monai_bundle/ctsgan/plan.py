"""What will be done to a volume, before it is done: region, grid that comes out, memory, what to look out for.

Needs NumPy only: a host can show all of it at once, without PyTorch.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from . import models
from .errors import CTError
from .geometry import cropped_affine, grid_for_spacing, upscaled_affine, voxel_spacing
from .io.series import SeriesOptions
from .volume import Volume

FIDELITY_MM = 5.0
"""Default full width at half maximum of the low-pass that holds regional means."""

WORKING_MEMORY = 2**30
"""Bytes beside input and output that a run may need, Python and PyTorch included."""

FINEST_TRAINED_MM = 0.45
"""The finest pixels in the training data (docs/README.md)."""

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""Voxels of a region: (first, after the last) column, row and slice."""


@dataclass(frozen=True)
class Resampling:
    """A last change of the pixel size: ``shape`` (rows, columns), pixels ``step`` upscaled pixels apart."""

    shape: tuple[int, int]
    step: tuple[float, float]


@dataclass(frozen=True)
class FileRequest:
    """What a user asks of reading and writing, whatever is done in between.

    Args:
        series: UID or number of the DICOM series where a folder holds several.
        force: go on where the input does not look like a CT.
        fill: HU put in the place of NaN and Inf; ``None`` refuses them.
        overwrite: replace an output that exists.
        multi_frame, compression, anonymize, new_study: see :class:`ctsgan.io.series.SeriesOptions`; for DICOM output.
    """

    series: str | None = None
    force: bool = False
    fill: float | None = None
    overwrite: bool = False
    multi_frame: bool = False
    compression: str | None = None
    anonymize: bool = False
    new_study: bool = False

    @property
    def series_options(self) -> SeriesOptions:
        """In what form DICOM output is written."""
        return SeriesOptions(self.multi_frame, self.compression, self.anonymize, self.new_study)


@dataclass(frozen=True)
class Request(FileRequest):
    """What a user asks for; the fields are the options of ``ctsgan enhance``.

    Args:
        scale: 1, 2 or 4; ``None`` is 2, or what ``spacing_mm`` needs.
        spacing_mm: wanted pixel size in mm, or ``None`` for input spacing / scale.
        model: a name of the catalogue.
        strength: low, medium, high or 0 to 1.
        fidelity_mm: width of the low-pass that holds regional means, ``None`` is off.
        softness: how soft the volume's kernel was, -1 to 1, for models that are told; ``None`` is measured.
        roi: region to enhance as "i0:i1,j0:j1,k0:k1" voxels of the input (column, row, slice); ``None`` is all.
        tile, batch: see :class:`ctsgan.enhancement.Settings`.
        device: auto, cpu, cuda, cuda:n or mps.
        dtype: auto, float32, float16 or bfloat16.
        threads: of the processor; ``None`` leaves it to PyTorch.
        series, force, fill, overwrite, multi_frame, compression, anonymize, new_study: as in :class:`FileRequest`.
    """

    scale: int | None = None
    spacing_mm: float | None = None
    model: str = "light"
    strength: str | float = "low"
    fidelity_mm: float | None = FIDELITY_MM
    softness: float | None = None
    roi: str | None = None
    tile: int | None = None
    batch: int = 1
    device: str = "auto"
    dtype: str = "auto"
    threads: int | None = None


@dataclass(frozen=True)
class Plan:
    """What will be done to a volume: the region, the network's scale, the grid that comes out.

    ``shape`` is (slices, rows, columns) and ``affine`` in LPS mm, both of the output.
    """

    box: Box
    scale: int
    shape: tuple[int, int, int]
    affine: np.ndarray
    resampling: Resampling | None

    @property
    def spacing_mm(self) -> np.ndarray:
        """Of the output along (column, row, slice)."""
        return voxel_spacing(self.affine)


def parse_roi(text: str | None, shape: tuple[int, int, int]) -> Box:
    """ "i0:i1,j0:j1,k0:k1" as voxel ranges of a volume of ``shape`` (slices, rows, columns); empty ends are open.

    Raises:
        CTError: if it is not of that form or holds no voxel of the volume.
    """
    size = shape[::-1]
    if text is None:
        return tuple((0, extent) for extent in size)
    match = re.fullmatch(r"\s*(\d*):(\d*)\s*,\s*(\d*):(\d*)\s*,\s*(\d*):(\d*)\s*", text)
    if not match:
        raise CTError(f"--roi must be columns,rows,slices as first:end,first:end,first:end, not {text!r}")
    numbers = match.groups()
    box = []
    for axis, name in enumerate(("columns", "rows", "slices")):
        first, end = numbers[2 * axis : 2 * axis + 2]
        start, stop = int(first or 0), min(int(end or size[axis]), size[axis])
        if start >= stop:
            raise CTError(f"--roi {text} holds no voxel: the volume has {size[axis]} {name}, counted from 0")
        box.append((start, stop))
    return tuple(box)


def make_plan(shape: tuple[int, int, int], affine: np.ndarray, request: Request) -> Plan:
    """Region, scale and output grid for a volume of ``shape`` (slices, rows, columns) and LPS ``affine``.

    Raises:
        CTError: if the region, the spacing or the scale cannot be had.
    """
    box = parse_roi(request.roi, shape)
    cropped = tuple(last - first for first, last in box[::-1])
    affine = cropped_affine(affine, [first for first, _ in box])
    offered = models.scales(request.model)
    scale = request.scale or 2
    if request.spacing_mm is not None:
        if not 0.01 <= request.spacing_mm <= 100.0:
            raise CTError(f"--spacing is a pixel size in mm between 0.01 and 100, not {request.spacing_mm:g}")
        pixel = voxel_spacing(affine)[:2].max()
        fine = [offer for offer in offered if pixel / offer <= request.spacing_mm * 1.01]
        scale = request.scale or (fine[0] if fine else offered[-1])
    if scale not in offered:
        choice = " or ".join(str(offer) for offer in offered)
        raise CTError(f"model {request.model} is not offered for x{scale}; choose --scale {choice}")
    fine_affine = upscaled_affine(affine, scale)
    upscaled = (cropped[0], scale * cropped[1], scale * cropped[2])
    if request.spacing_mm is None:
        return Plan(box, scale, upscaled, fine_affine, None)
    size, resampled = grid_for_spacing(upscaled, fine_affine, request.spacing_mm)
    step = request.spacing_mm / voxel_spacing(fine_affine)[:2]
    if size == upscaled[1:] and np.allclose(step, 1.0, atol=1e-6):
        return Plan(box, scale, upscaled, fine_affine, None)
    return Plan(box, scale, (cropped[0], *size), resampled, Resampling(size, (float(step[1]), float(step[0]))))


def output_dtype(voxels: np.ndarray) -> np.dtype:
    """float32 for floats, int16 for integers whose values fit, else int32."""
    if np.issubdtype(voxels.dtype, np.floating):
        return np.dtype(np.float32)
    limits = np.iinfo(np.int16)
    narrow = np.can_cast(voxels.dtype, np.int16) or (voxels.min() >= limits.min and voxels.max() <= limits.max)
    return np.dtype(np.int16 if narrow else np.int32)


def grid_text(shape: Sequence[int], spacing_mm: Sequence[float]) -> str:
    """A grid of ``shape`` (slices, rows, columns) and spacing along (column, row, slice) for people."""
    slices, rows, columns = shape
    return f"{columns} x {rows} x {slices} voxels of {' x '.join(f'{mm:.4g}' for mm in spacing_mm)} mm"


def output_bytes(volume: Volume, plan: Plan) -> int:
    """Of the voxels that come out."""
    return int(np.prod(plan.shape)) * output_dtype(volume.voxels).itemsize


def memory_bytes(volume: Volume, plan: Plan) -> int:
    """The most memory that a run takes: input, output, and what is worked with."""
    return volume.voxels.nbytes + output_bytes(volume, plan) + WORKING_MEMORY


def free_memory_bytes() -> int | None:
    """Memory that programs may still take on this machine; ``None`` where psutil is not there to say."""
    try:
        import psutil
    except ModuleNotFoundError:
        return None
    return psutil.virtual_memory().available


def cautions(volume: Volume, plan: Plan, free_bytes: int | None) -> list[str]:
    """Sentences on what can be done but is better not, each with what to do instead.

    Args:
        volume: that passes :func:`ctsgan.io.checks.check_volume`.
        plan: for it.
        free_bytes: of memory, ``None`` if that is not known.
    """
    found = []
    pixel_mm = float(volume.spacing_mm[:2].max())
    if plan.scale > 1 and pixel_mm < FINEST_TRAINED_MM:
        found.append(
            f"its pixels of {pixel_mm:.2g} mm are already finer than any in the training data "
            f"({FINEST_TRAINED_MM:g} mm); x1 cleans without enlarging"
        )
    needed = memory_bytes(volume, plan)
    if free_bytes is not None and needed > free_bytes:
        found.append(
            f"it needs about {needed / 2**30:.1f} GiB of memory and {free_bytes / 2**30:.1f} GiB are free; enhance a "
            "region, choose a smaller scale or close other programs"
        )
    return found
