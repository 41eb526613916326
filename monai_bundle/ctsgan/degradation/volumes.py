"""A whole volume through a chain: what ``ctsgan degrade`` does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .. import __version__
from ..enhancement import Progress
from ..errors import CTError
from ..filters import whole_footprints
from ..volume import Volume
from ..workflow import FileRequest, Report, process_file
from .chain import Chain
from .pipeline import preset


@dataclass(frozen=True)
class DegradeRequest(FileRequest):
    """What a user asks for; the fields are the options of ``ctsgan degrade``.

    Args:
        preset: one of :data:`ctsgan.degradation.PRESETS`.
        scale: pixels become this many times as wide.
        seed: of all that is drawn, 0 or more; the same seed gives the same voxels.
        series, force, fill, overwrite, multi_frame, compression, anonymize, new_study: as in
            :class:`ctsgan.workflow.FileRequest`.
    """

    preset: str = "scanner"
    scale: int = 2
    seed: int = 0


def _draw_from(chain: Chain, seed: int, *index: int) -> None:
    """Set a chain's random state so that neighbouring seeds and slices have nothing in common."""
    chain.set_random_state(int(np.random.SeedSequence((seed, *index)).generate_state(1)[0]))


def degraded_shape(volume: Volume, factor: int) -> tuple[int, int, int]:
    """(slices, rows, columns) of the result: only whole new pixels.

    Raises:
        CTError: if a slice holds none.
    """
    slices, rows, columns = volume.voxels.shape
    if min(rows, columns) < factor:
        raise CTError(f"slices of {columns} x {rows} pixels cannot be reduced {factor} times; choose a smaller --scale")
    return slices, rows // factor, columns // factor


def degrade_slices(volume: Volume, chain: Chain, seed: int, indices: Iterable[int]) -> Iterator[np.ndarray]:
    """Slices of a volume as the chain leaves them, one after the other; which others are asked for changes nothing.

    Values are taken within [-1024, 3071] HU. Rows and columns at the end that fill no whole new pixel are left out.
    What the chain holds for a volume is drawn from ``seed``, what it draws for slice k from ``seed`` and k; slices
    count as they lie in the volume, which the reader of DICOM has ordered by position.

    Args:
        volume: HU.
        chain: see :class:`Chain`.
        seed: 0 or more.
        indices: of the slices.

    Yields:
        Whole HU, int16, (rows, columns).

    Raises:
        CTError: if a slice is smaller than a new pixel.
    """
    degraded_shape(volume, chain.factor)
    whole = whole_footprints(volume.voxels, chain.factor)
    distance_mm = float(volume.spacing_mm[2])
    _draw_from(chain, seed)
    chain.randomize()
    for index in indices:
        _draw_from(chain, seed, index)
        chain.randomize_slice()
        image = chain.slice_at(whole, index, distance_mm)
        yield chain(image, volume.row_and_column_mm, randomize=False)[0].numpy().astype(np.int16)


def degrade_volume(volume: Volume, chain: Chain, seed: int = 0, progress: Progress | None = None) -> Volume:
    """A volume as :func:`degrade_slices` leaves its slices, in the same place, with pixels ``chain.factor`` times as
    wide.

    Args:
        volume, chain, seed: as there.
        progress: told after each slice.

    Returns:
        Whole HU, int16, one slice for each of the given ones.

    Raises:
        CTError: if a slice is smaller than a new pixel.
    """
    voxels = np.empty(degraded_shape(volume, chain.factor), np.int16)
    for index, image in enumerate(degrade_slices(volume, chain, seed, range(len(voxels)))):
        voxels[index] = image
        if progress:
            progress(index + 1, len(voxels))
    return volume.upscaled(voxels, 1 / chain.factor)


def degrade_file(
    source: Path,
    target: Path,
    request: DegradeRequest,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
) -> Report:
    """Read ``source``, degrade it and write ``target``, which appears only when it is complete.

    Args:
        source, target: as ``ctsgan enhance`` takes them.
        request: see :class:`DegradeRequest`.
        progress: told after each slice.
        notice: told, in one sentence, if pixels at the end are left out.

    Raises:
        CTError: for anything the user can mend; nothing is left behind then.
    """
    chain = preset(request.preset, request.scale)

    def prepare(volume: Volume) -> tuple[tuple[int, int, int], str]:
        shape = degraded_shape(volume, request.scale)
        lost_rows, lost_columns = (size % request.scale for size in volume.voxels.shape[1:])
        if notice and (lost_rows or lost_columns):
            notice(
                f"the last {lost_columns} columns and {lost_rows} rows of {source} do not fill a pixel "
                f"{request.scale} times as wide and are left out"
            )
        return shape, f"ctsgan {__version__} degraded {request.preset} x{request.scale} seed {request.seed}"

    return process_file(
        source,
        target,
        request,
        prepare,
        lambda volume: degrade_volume(volume, chain, request.seed, progress),
        purpose="degraded",
    )
