"""From a file to a file: read, plan, enhance, write."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from . import models
from .enhancement import FIDELITY_MM, Progress, Resampling, Settings, enhance_slices, output_dtype, region_margin
from .errors import CTError
from .geometry import cropped_affine, grid_for_spacing, upscaled_affine, voxel_spacing
from .io.files import check_storable, read_volume, write_volume
from .io.output import partial_output, require_space
from .io.series import SeriesOptions
from .volume import Volume

WORKING_MEMORY = 2**30
"""Bytes beside input and output that a run may need, Python and PyTorch included."""

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
"""Voxels of a region: (first, after the last) column, row and slice."""


@dataclass(frozen=True)
class FileRequest:
    """What a user asks of reading and writing, whatever is done in between.

    Args:
        series: UID or number of the DICOM series where a folder holds several.
        force: go on where the input does not look like a CT.
        fill: HU put in the place of NaN and Inf; ``None`` refuses them.
        overwrite: replace an output that exists.
        multi_frame, compression, anonymize: see :class:`ctsgan.io.series.SeriesOptions`; for DICOM output.
    """

    series: str | None = None
    force: bool = False
    fill: float | None = None
    overwrite: bool = False
    multi_frame: bool = False
    compression: str | None = None
    anonymize: bool = False

    @property
    def series_options(self) -> SeriesOptions:
        """In what form DICOM output is written."""
        return SeriesOptions(self.multi_frame, self.compression, self.anonymize)


@dataclass(frozen=True)
class Request(FileRequest):
    """What a user asks for; the fields are the options of ``ctsgan enhance``.

    Args:
        scale: 1, 2 or 4; ``None`` is 2, or what ``spacing_mm`` needs.
        spacing_mm: wanted pixel size in mm, or ``None`` for input spacing / scale.
        model: a name of the catalogue.
        strength: low, medium, high or 0 to 1.
        fidelity_mm: width of the low-pass that holds regional means, ``None`` is off.
        roi: region to enhance as "i0:i1,j0:j1,k0:k1" voxels of the input (column, row, slice); ``None`` is all.
        tile, batch: see :class:`ctsgan.enhancement.Settings`.
        device: auto, cpu, cuda, cuda:n or mps.
        dtype: auto, float32, float16 or bfloat16.
        threads: of the processor; ``None`` leaves it to PyTorch.
        series, force, fill, overwrite, multi_frame, compression, anonymize: as in :class:`FileRequest`.
    """

    scale: int | None = None
    spacing_mm: float | None = None
    model: str = "light"
    strength: str | float = "low"
    fidelity_mm: float | None = FIDELITY_MM
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


def resolve_device(name: str) -> torch.device:
    """The device a user named; auto is the first GPU that CUDA offers, else the processor.

    Raises:
        CTError: if it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise CTError(f"there is no device {name!r}; choose auto, cpu, cuda, cuda:n or mps") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise CTError(
            f"device {name} is not there: PyTorch sees {torch.cuda.device_count()} CUDA GPUs; use --device cpu"
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise CTError("device mps is not there: this is not a Mac with a GPU that PyTorch can use; use --device cpu")
    if device.type not in ("cpu", "cuda", "mps"):
        raise CTError(f"device {name} is not supported; choose auto, cpu, cuda, cuda:n or mps")
    return device


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    """The precision a user named; auto is float16 on CUDA and float32 elsewhere."""
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    return DTYPES[name]


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


def enhance_volume(volume: Volume, request: Request, progress: Progress | None = None) -> Volume:
    """The enhanced volume, in memory.

    Raises:
        CTError: if the request cannot be met.
    """
    if request.threads:
        torch.set_num_threads(request.threads)
    device = resolve_device(request.device)
    settings = Settings(
        fidelity_mm=request.fidelity_mm,
        tile=request.tile,
        batch=request.batch,
        device=device,
        dtype=resolve_dtype(request.dtype, device),
    )
    plan = make_plan(volume.voxels.shape, volume.affine, request)
    network = models.load_generator(request.model, plan.scale, request.strength)
    (first_column, last_column), (first_row, last_row), (first_slice, last_slice) = plan.box
    margin = region_margin(network, settings, volume.row_and_column_mm)
    rows = _with_margin(first_row, last_row, volume.voxels.shape[1], margin, network.size_multiple)
    columns = _with_margin(first_column, last_column, volume.voxels.shape[2], margin, network.size_multiple)
    voxels = enhance_slices(
        volume.voxels[first_slice:last_slice, rows, columns],
        volume.row_and_column_mm,
        network,
        settings,
        resampling=plan.resampling,
        keep=(
            slice(first_row - rows.start, last_row - rows.start),
            slice(first_column - columns.start, last_column - columns.start),
        ),
        progress=progress,
    )
    origins = volume.slice_origins
    if origins is not None:
        # every slice's first pixel moves as the affine's does
        moved = plan.affine[:3, 3] - cropped_affine(volume.affine, (0, 0, first_slice))[:3, 3]
        origins = origins[first_slice:last_slice] + moved
    return replace(volume, voxels=voxels, affine=plan.affine, slice_origins=origins)


def _with_margin(first: int, last: int, size: int, margin: int, multiple: int) -> slice:
    return slice(max(first - margin, 0) // multiple * multiple, min(last + margin, size))


@dataclass(frozen=True)
class Report:
    """What was written where, and how long reading, computing and writing took, in seconds."""

    output: Path
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    read_s: float
    compute_s: float
    write_s: float

    def __str__(self) -> str:
        slices, rows, columns = self.shape
        total = self.read_s + self.compute_s + self.write_s
        spacing = " x ".join(f"{mm:.4g}" for mm in self.spacing_mm)
        return (
            f"{self.output}: {columns} x {rows} x {slices} voxels of {spacing} mm in {total:.1f} s "
            f"({self.compute_s / slices:.2f} s a slice)"
        )


def process_file(
    source: Path,
    target: Path,
    request: FileRequest,
    prepare: Callable[[Volume], tuple[tuple[int, int, int], str]],
    process: Callable[[Volume], Volume],
    purpose: str = "enhanced",
) -> Report:
    """Read ``source``, process it and write ``target``, which appears only when it is complete.

    Args:
        source, target: files, or folders of a DICOM series.
        request: how to read and write.
        prepare: from what was read to the shape (slices, rows, columns) that will come out and one line for its
            header; it refuses what cannot be done before anything is computed.
        process: from what was read to what is written.
        purpose: see :func:`ctsgan.io.files.write_volume`.

    Raises:
        CTError: for anything the user can mend; nothing is left behind then.
    """
    started = time.monotonic()
    with partial_output(target, overwrite=request.overwrite, source=source) as partial:
        volume = read_volume(source, series=request.series, force=request.force, fill=request.fill)
        shape, description = prepare(volume)
        check_storable(volume, partial, request.series_options, shape)
        require_space(partial, int(np.prod(shape)) * 2)
        read = time.monotonic()
        result = process(volume)
        done = time.monotonic()
        write_volume(result, partial, description=description, purpose=purpose, options=request.series_options)
    return Report(
        target,
        result.voxels.shape,
        tuple(float(mm) for mm in result.spacing_mm),
        read - started,
        done - read,
        time.monotonic() - done,
    )


def enhance_file(source: Path, target: Path, request: Request, progress: Progress | None = None) -> Report:
    """Read ``source``, enhance it and write ``target``, which appears only when it is complete.

    Raises:
        CTError: for anything the user can mend; nothing is left behind then.
    """

    def prepare(volume: Volume) -> tuple[tuple[int, int, int], str]:
        plan = make_plan(volume.voxels.shape, volume.affine, request)
        return plan.shape, describe(request, plan)

    return process_file(source, target, request, prepare, lambda volume: enhance_volume(volume, request, progress))


def describe(request: Request, plan: Plan) -> str:
    """How an output was made, in one line for its header; weights are named by the start of their SHA-256."""
    from . import __version__

    fidelity = f"fidelity {request.fidelity_mm:g} mm" if request.fidelity_mm else "fidelity off"
    files = models.weight_files(request.model, plan.scale, models.strength_value(request.strength))
    weights = "+".join(file["sha256"][:12] for file in files)
    settings = f"strength {request.strength} {fidelity} weights {weights}"
    return f"ctsgan {__version__} model {request.model} x{plan.scale} {settings}"


@dataclass(frozen=True)
class Estimate:
    """What a run will cost: seconds, bytes of memory and of output, on which device, with which output type."""

    seconds: float
    memory_bytes: int
    output_bytes: int
    device: torch.device
    dtype: np.dtype


def estimate(volume: Volume, plan: Plan, request: Request) -> Estimate:
    """The cost of a plan on this machine, from a small trial of the network itself.

    Raises:
        CTError: if the model or the device cannot be had.
    """
    device = resolve_device(request.device)
    settings = Settings(fidelity_mm=request.fidelity_mm, device=device, dtype=resolve_dtype(request.dtype, device))
    network = models.load_generator(request.model, plan.scale, request.strength)
    edge = 512 // plan.scale
    trial = volume.voxels[:1, :edge, :edge].astype(np.float32)
    durations = []
    for _ in range(2):
        started = time.monotonic()
        enhance_slices(trial, volume.row_and_column_mm, network, settings)
        durations.append(time.monotonic() - started)
    boxed = np.prod([last - first for first, last in plan.box])
    seconds = durations[-1] * float(boxed) / trial.size
    dtype = output_dtype(volume.voxels[:1])
    output_bytes = int(np.prod(plan.shape)) * dtype.itemsize
    return Estimate(seconds, volume.voxels.nbytes + output_bytes + WORKING_MEMORY, output_bytes, device, dtype)
