"""The one path from slices to enhanced slices; every host ends here.

For each slice: the network sees [-1024, 3071] HU; what it is not meant to see goes around it (metal above the
range by interpolation, padding below it and flat areas unchanged); the loop back to the measured data keeps
regional means; whole HU are written into one array. Only a batch of slices is held as floats at any time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F

from .errors import CTError
from .intensity import HU_MAX, HU_MIN, from_network_range, to_network_range
from .plan import FIDELITY_MM, Resampling, output_dtype
from .reconstruction import fidelity_margin, restore_means
from .resample import resample_slices
from .softness import SHARP, measure_softness, with_softness

BORDER = 8
"""Input pixels by which a slice is continued beyond its edge before the network sees it."""

SMALLEST_TILE = 64
"""Input pixels; where not even such a tile fits into memory there is nothing left to try."""

LARGEST_BODY = 512
"""Edge in pixels of the features of the network's body above which tiles are used."""

Progress = Callable[[int, int], None]
"""Called with (slices done, slices in all) after each batch; it may raise to end the run."""


@dataclass(frozen=True)
class Settings:
    """How slices are enhanced; nothing here depends on the volume.

    Args:
        fidelity_mm: full width at half maximum in mm of the low-pass that holds regional means; ``None`` is off.
        tile: edge in input pixels of the windows that a slice is cut into; ``None`` is the whole slice. The
            result does not depend on it, memory does.
        batch: slices that go through the network at once.
        device: where the network runs.
        dtype: precision of the convolutions; the HU scale itself stays in float32.
        softness: what a network that is told is told of the volume; ``None`` is measured
            (:func:`ctsgan.softness.measure_softness`).
    """

    fidelity_mm: float | None = FIDELITY_MM
    tile: int | None = None
    batch: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32
    softness: float | None = None


def held_pixels(hu: torch.Tensor) -> torch.Tensor:
    """Where nothing is to be enhanced: below -1024 HU, and where a pixel and its eight neighbours are one value.

    The former is padding outside the scanner's field of view; the latter is padding too, or a synthetic
    image, since no measured region is without noise. Shape (B, 1, H, W), bool.
    """
    around = F.pad(hu, (1, 1, 1, 1), mode="replicate")
    flat = F.max_pool2d(around, 3, stride=1) == -F.max_pool2d(-around, 3, stride=1)
    return flat | (hu < HU_MIN)


def _windows(length: int, tile: int, halo: int, border: int) -> Iterator[tuple[int, int, int, int]]:
    """(start, stop) to keep of each tile and (start, stop) to compute, in pixels of the unpadded slice."""
    for start in range(0, length, tile):
        stop = min(start + tile, length)
        yield start, stop, max(start - halo, -border), min(stop + halo, length + border)


def run_network(network: torch.nn.Module, image: torch.Tensor, tile: int | None) -> torch.Tensor:
    """A network over slices of any size, whole or in tiles, with the same result.

    A tile is computed with as much of its surroundings as the network can see (``network.reach``), so there
    is no seam and nothing to blend.

    Args:
        network: with ``scale``, ``size_multiple`` and ``reach``.
        image: (B, 1, H, W) in the networks' range, or (B, 2, H, W) with the softness of each slice.
        tile: input pixels, or ``None`` for one window.

    Returns:
        (B, 1, scale H, scale W).
    """
    rows, columns = image.shape[-2:]
    scale, multiple = network.scale, network.size_multiple
    fill_rows, fill_columns = -rows % multiple, -columns % multiple
    padding = (BORDER, BORDER + fill_columns, BORDER, BORDER + fill_rows)
    padded = F.pad(image, padding, mode="replicate")
    rows_filled, columns_filled = rows + fill_rows, columns + fill_columns
    halo = -(-network.reach // multiple) * multiple
    tile = max(-(-(tile or max(rows, columns)) // multiple) * multiple, multiple)
    output = image.new_empty(len(image), 1, scale * rows_filled, scale * columns_filled)
    for top, bottom, first_row, last_row in _windows(rows_filled, tile, halo, BORDER):
        for left, right, first_column, last_column in _windows(columns_filled, tile, halo, BORDER):
            window = padded[
                ..., first_row + BORDER : last_row + BORDER, first_column + BORDER : last_column + BORDER
            ].contiguous(memory_format=torch.channels_last)
            result = network(window)
            output[..., scale * top : scale * bottom, scale * left : scale * right] = result[
                ...,
                scale * (top - first_row) : scale * (bottom - first_row),
                scale * (left - first_column) : scale * (right - first_column),
            ]
    return output[..., : scale * rows, : scale * columns]


def is_told(network: torch.nn.Module) -> bool:
    """Whether a network takes the softness of a slice as a second channel."""
    return getattr(network, "told", False)


def enhance_batch(
    hu: torch.Tensor, network: torch.nn.Module, spacing_mm: tuple[float, float], settings: Settings, tile: int | None
) -> torch.Tensor:
    """Slices (B, 1, H, W) in HU to enhanced slices (B, 1, scale H, scale W) in HU, both float32."""
    scale = network.scale
    held = held_pixels(hu)
    inside = hu.clamp(HU_MIN, HU_MAX)
    precision = (
        contextlib.nullcontext()
        if settings.dtype == torch.float32
        else torch.autocast(hu.device.type, dtype=settings.dtype)
    )
    image = to_network_range(inside)
    told = is_told(network)
    if told:
        image = with_softness(image, image.new_full((len(image),), settings.softness))
    with precision:
        output = from_network_range(run_network(network, image, tile).float())
    if settings.fidelity_mm:
        sharp = told and settings.softness <= SHARP
        output = restore_means(output, inside, (~held).to(hu), scale, settings.fidelity_mm, spacing_mm, sharp)
    if bool((hu > HU_MAX).any()):
        output = output + _enlarge((hu - HU_MAX).clamp_min(0.0), scale, "bilinear")
    if bool(held.any()):
        kept = _enlarge(held.to(hu), scale, "nearest") > 0.5
        output = torch.where(kept, _enlarge(hu, scale, "nearest"), output)
    return output


def _enlarge(image: torch.Tensor, scale: int, mode: str) -> torch.Tensor:
    if scale == 1:
        return image
    options = {} if mode == "nearest" else {"align_corners": False}
    return F.interpolate(image, scale_factor=float(scale), mode=mode, **options)


def default_tile(network: torch.nn.Module, shape: tuple[int, int]) -> int | None:
    """Tiles only where a slice (rows, columns) is so large that its features would not fit into 1 GiB."""
    largest = LARGEST_BODY * getattr(network, "body_pixel", network.size_multiple)
    return largest if max(shape) > largest else None


def _smaller_tile(tile: int | None, shape: tuple[int, int]) -> int:
    current = tile or max(shape)
    if current // 2 < SMALLEST_TILE:
        raise CTError(
            f"out of memory even with tiles of {current} pixels; close other programs, or enhance a part with --roi"
        )
    return current // 2


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception means that memory ran out, on the processor or on a GPU."""
    text = str(error).lower()
    known = (MemoryError, torch.OutOfMemoryError)
    return isinstance(error, known) or "out of memory" in text or "can't allocate memory" in text


def enhance_slices(
    voxels: np.ndarray,
    spacing_mm: tuple[float, float],
    network: torch.nn.Module,
    settings: Settings = Settings(),
    resampling: Resampling | None = None,
    keep: tuple[slice, slice] | None = None,
    progress: Progress | None = None,
) -> np.ndarray:
    """A stack of slices in HU to the enhanced stack; memory beyond input and output is that of one batch.

    Args:
        voxels: HU, shape (slices, rows, columns), integers or floats without NaN.
        spacing_mm: distance between (rows, columns).
        network: a generator with ``scale``, ``size_multiple`` and ``reach``, in eval mode, on any device.
        settings: see :class:`Settings`.
        resampling: a last change of the pixel size, or ``None`` for the network's own.
        keep: the (rows, columns) of the input that are wanted; what lies around them only takes part.
        progress: told after each batch.

    Returns:
        HU, shape (slices, scale rows, scale columns) of what is kept, or as ``resampling`` says; type as
        :func:`output_dtype`.

    Raises:
        CTError: if memory runs out even with the smallest tile.
    """
    count, rows, columns = voxels.shape
    scale = network.scale
    keep = keep or (slice(0, rows), slice(0, columns))
    kept = tuple(slice(scale * part.start, scale * part.stop) for part in keep)
    shape = resampling.shape if resampling else tuple(part.stop - part.start for part in kept)
    output = np.empty((count, *shape), dtype=output_dtype(voxels))
    whole = np.issubdtype(output.dtype, np.integer)
    network = network.to(settings.device).eval()
    if settings.device.type == "cpu":
        network = network.to(memory_format=torch.channels_last)
    if settings.softness is None and is_told(network):
        settings = replace(settings, softness=measure_softness(voxels, network.scale))
    tile = settings.tile or default_tile(network, (rows, columns))
    batch, first = settings.batch, 0
    with torch.inference_mode():
        while first < count:
            last = min(first + batch, count)
            try:
                hu = torch.from_numpy(voxels[first:last].astype(np.float32))[:, None].to(settings.device)
                result = enhance_batch(hu, network, spacing_mm, settings, tile)[..., kept[0], kept[1]]
                if resampling:
                    result = resample_slices(result, resampling.shape, resampling.step)
                if whole:
                    limits = np.iinfo(output.dtype)
                    result = result.round().clamp(limits.min, limits.max)
                output[first:last] = result[:, 0].cpu().numpy().astype(output.dtype, copy=False)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
                if batch > 1:
                    batch = 1
                else:
                    tile = _smaller_tile(tile, (rows, columns))
                continue
            first = last
            if progress:
                progress(first, count)
    return output


def region_margin(network: torch.nn.Module, settings: Settings, spacing_mm: tuple[float, float]) -> int:
    """How many input pixels around a region decide its voxels, a multiple of the network's own grid."""
    fidelity = fidelity_margin(settings.fidelity_mm, spacing_mm) if settings.fidelity_mm else 0
    needed = max(network.reach, 1) + fidelity
    return -(-needed // network.size_multiple) * network.size_multiple
