"""Whether a volume can be a CT in Hounsfield units, before hours are spent on it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import CTError
from ..volume import Volume

AIR_HU = -1024
"""The lowest CT number of 12 bits; what lies below is padding outside the field of view."""

LARGEST_HU = 32767
SMALLEST_HU = -32768
"""Scanners store HU in 16 bits; the densest metal on an extended scale reaches some 30000 HU."""

NARROWEST_HU = 10
"""No measured region has a smaller range of values; its noise alone is wider."""

OFFSET = 32768
"""Added by programs that store signed numbers as unsigned 16-bit ones."""


def check_volume(volume: Volume, *, force: bool = False, fill: float | None = None) -> Volume:
    """The volume with ``fill`` in the place of NaN and Inf, if its values can be HU (or ``force``).

    Raises:
        CTError: as :func:`check_finite` and :func:`check_hounsfield` say.
    """
    volume = check_finite(volume, fill)
    check_hounsfield(volume, force)
    return volume


def check_finite(volume: Volume, fill: float | None) -> Volume:
    """The volume with ``fill`` (HU) in the place of NaN and Inf.

    Voxels are changed in place where they can be written to.

    Raises:
        CTError: if there are any and ``fill`` is ``None``, or is no finite number itself.
    """
    if fill is not None and not np.isfinite(fill):
        raise CTError(f"--fill must be a number of HU such as -1024, not {fill}")
    voxels = volume.voxels
    if voxels.dtype.kind != "f":
        return volume
    bad = np.array([(np.isnan(part).sum(), np.isinf(part).sum()) for part in voxels])
    if not bad.any():
        return volume
    if fill is None:
        nan, infinite = bad.sum(axis=0)
        raise CTError(
            f"{_name(volume)} has {nan} NaN and {infinite} infinite voxels of {voxels.size}; "
            f"put a number in their place with --fill VALUE (air is --fill {AIR_HU})"
        )
    if not voxels.flags.writeable:
        voxels = voxels.copy()
    for index in np.flatnonzero(bad.any(axis=1)):
        part = voxels[index]
        part[~np.isfinite(part)] = fill
    return replace(volume, voxels=voxels)


@dataclass(frozen=True)
class _Range:
    """Of the values: smallest, largest, and the smallest that is not padding (``None`` if all is)."""

    lowest: float
    highest: float
    lowest_inside: float | None


def check_hounsfield(volume: Volume, force: bool = False) -> None:
    """Refuse values that cannot be HU, unless ``force``; one slice is looked at at a time.

    Padding of any value below -1024 is no reason to refuse, nor is a crop that holds neither air nor bone.

    Args:
        volume: without NaN and Inf.
        force: take them as they are.

    Raises:
        CTError: saying what was seen and what it looks like.
    """
    if force:
        return
    seen = _value_range(volume.voxels)
    reason = _why_not_hounsfield(seen)
    if reason:
        raise CTError(
            f"{_name(volume)} has values {seen.lowest:g} to {seen.highest:g}, not HU: {reason}; "
            "--force takes them as they are"
        )


def _why_not_hounsfield(seen: _Range) -> str:
    inside = seen.lowest_inside
    if seen.lowest == seen.highest:
        return "every voxel is the same"
    if inside is None:
        return f"all of it lies below {AIR_HU}, as only padding does"
    if inside >= OFFSET + AIR_HU and seen.highest <= OFFSET + LARGEST_HU:
        return f"it looks like a CT stored with {OFFSET} added; subtract that first"
    if seen.highest > LARGEST_HU or seen.lowest < SMALLEST_HU:
        return f"a CT lies within {SMALLEST_HU} to {LARGEST_HU}; check its rescale slope and intercept"
    if seen.highest - inside < NARROWEST_HU:
        return "that is less than the noise of a CT, as in a volume scaled to 0..1, a mask or attenuation; undo that"
    if inside >= 0 and seen.highest <= 255:
        return "it looks like an 8-bit picture or labels; save the CT itself"
    if inside >= 0:
        return (
            "it looks like a CT stored without its rescale intercept (-1024; add it, or convert the DICOM again), "
            "or like no CT"
        )
    return ""


def _value_range(voxels: np.ndarray) -> _Range:
    lowest, highest, inside = np.inf, -np.inf, np.inf
    for part in voxels:
        low = part.min()
        lowest, highest = min(lowest, float(low)), max(highest, float(part.max()))
        if low < AIR_HU:
            low = np.min(part, where=part >= AIR_HU, initial=part.max())
        if low >= AIR_HU:
            inside = min(inside, float(low))
    return _Range(lowest, highest, inside if np.isfinite(inside) else None)


def _name(volume: Volume) -> str:
    return str(volume.source) if volume.source else "the volume"
