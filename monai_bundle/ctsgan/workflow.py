"""From a file to a file: read, plan, enhance, write."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from . import models
from .enhancement import Progress, Settings, enhance_slices, is_told, region_margin
from .errors import CTError
from .geometry import cropped_affine
from .io.files import check_storable, read_volume, write_volume
from .io.output import partial_output, require_space
from .plan import FileRequest, Plan, Request, make_plan, memory_bytes, output_bytes, output_dtype
from .softness import measure_softness
from .volume import Volume

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


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


def device_name(device: torch.device) -> str:
    """What a user calls it: the GPU's own name, or how much of the processor is used."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return "Apple GPU" if device.type == "mps" else f"processor, {torch.get_num_threads()} threads"


def devices_here() -> dict[str, str]:
    """What this machine has, by the names that ``device`` takes, as a user calls it."""
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return {kind: device_name(torch.device(kind)) for kind, is_there in there.items() if is_there}


def resolve_dtype(name: str, device: torch.device) -> torch.dtype:
    """The precision a user named; auto is float16 on CUDA and float32 elsewhere."""
    if name == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    return DTYPES[name]


def enhance_volume(volume: Volume, request: Request, progress: Progress | None = None) -> Volume:
    """The enhanced volume, in memory.

    Raises:
        CTError: if the request cannot be met.
    """
    settings = _settings(request)
    plan = make_plan(volume.voxels.shape, volume.affine, request)
    network = models.load_generator(request.model, plan.scale, request.strength)
    if request.softness is not None and not is_told(network):
        raise CTError(f"model {request.model} x{plan.scale} takes no softness; leave --softness out")
    # of the whole volume, so that a region of it comes out the same
    settings = replace(settings, softness=told(request, volume, plan).softness)
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


def _settings(request: Request) -> Settings:
    """How slices are enhanced on this machine; PyTorch is told how many threads to use."""
    if request.threads:
        torch.set_num_threads(request.threads)
    device = resolve_device(request.device)
    return Settings(
        fidelity_mm=request.fidelity_mm,
        tile=request.tile,
        batch=request.batch,
        device=device,
        dtype=resolve_dtype(request.dtype, device),
        softness=request.softness,
    )


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
        nonlocal request
        plan = make_plan(volume.voxels.shape, volume.affine, request)
        request = told(request, volume, plan)
        return plan.shape, describe(request, plan)

    return process_file(source, target, request, prepare, lambda volume: enhance_volume(volume, request, progress))


def told(request: Request, volume: Volume, plan: Plan) -> Request:
    """The request with the volume's softness, where its model is told one and nobody said it."""
    if request.softness is None and models.arguments(request.model, plan.scale).get("told", False):
        return replace(request, softness=measure_softness(volume.voxels, plan.scale))
    return request


def describe(request: Request, plan: Plan) -> str:
    """How an output was made, in one line for its header; weights are named by the start of their SHA-256."""
    from . import __version__

    fidelity = f"fidelity {request.fidelity_mm:g} mm" if request.fidelity_mm else "fidelity off"
    files = models.weight_files(request.model, plan.scale, models.strength_value(request.strength))
    weights = "+".join(file["sha256"][:12] for file in files)
    softness = f" softness {request.softness:.2f}" if request.softness is not None else ""
    settings = f"strength {request.strength} {fidelity}{softness} weights {weights}"
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
    settings = _settings(request)
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
    return Estimate(
        seconds,
        memory_bytes(volume, plan),
        output_bytes(volume, plan),
        settings.device,
        output_dtype(volume.voxels),
    )
