"""What is measured on: a slice to enhance and the slice it should become.

Either a preset makes the first from the second, or both come from folders.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from ..degradation import Chain
from ..degradation import preset as make_preset
from ..degradation.volumes import degrade_slices
from ..filters import whole_footprints
from ..intensity import whole_hu
from ..io.files import read_volume
from ..metrics import body_mask
from ..volume import Volume

PAIRED = "paired"
"""In the place of a preset's name where somebody else made the low-quality slices."""


@dataclass(frozen=True)
class Pair:
    """A reference slice (rows, columns) and what it is to be made from, whole HU, int16.

    Args:
        file: name of the reference's volume.
        index: of the slice in it.
        preset: what made ``low``, or :data:`PAIRED`.
        scale: pixels of the reference to one of ``low``, along each axis.
        low, reference: (rows, columns) and (scale rows, scale columns).
        spacing_mm: (row, column) distance of ``low``.
    """

    file: str
    index: int
    preset: str
    scale: int
    low: np.ndarray
    reference: np.ndarray
    spacing_mm: tuple[float, float]

    @cached_property
    def body(self) -> np.ndarray:
        """The patient's pixels in the reference, bool."""
        return body_mask(self.reference)

    @cached_property
    def fingerprint(self) -> str:
        """Of all that a score depends on but the method."""
        content = b"".join(np.ascontiguousarray(image).tobytes() for image in (self.low, self.reference))
        return hashlib.sha256(content + repr((self.preset, self.spacing_mm)).encode()).hexdigest()[:16]


def whole_volume(path: Path) -> Volume:
    """A volume in whole HU within [-1024, 3071], int16."""
    volume = read_volume(path)
    return replace(volume, voxels=whole_hu(volume.voxels))


def degraded_pairs(
    volume: Volume, name: str, preset: str, scale: int, indices: Iterable[int], chain: Chain | None = None
) -> Iterator[Pair]:
    """Pairs of some slices of a volume by a preset; references are cut to a multiple of ``scale``.

    ``chain`` is that preset's, for a caller who asks it what else it would make of the slice just drawn.
    """
    indices = list(indices)
    low_mm = tuple(scale * mm for mm in volume.row_and_column_mm)
    lows = degrade_slices(volume, chain or make_preset(preset, scale), zlib.crc32(name.encode()), indices)
    for index, low in zip(indices, lows, strict=True):
        yield Pair(name, index, preset, scale, low, whole_footprints(volume.voxels[index], scale), low_mm)


def degraded(image: np.ndarray | torch.Tensor, chain: Chain, seed: int, spacing_mm: Sequence[float]) -> np.ndarray:
    """One slice (rows, columns) in HU through a chain drawn from ``seed`` alone, int16 HU."""
    chain.set_random_state(seed)
    return chain(torch.as_tensor(image).float()[None], spacing_mm)[0].numpy().astype(np.int16)
