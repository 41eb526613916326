"""Reference slices with lesions put in and real structures taken out."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from ...degradation import preset as make_preset
from ...errors import CTError
from ...filters import whole_footprints
from ...metrics import (
    BACKGROUNDS,
    Lesion,
    body_mask,
    delete_structures,
    draw_lesions,
    find_structures,
    uniform_places,
)
from ..pairs import degraded

DIAMETERS_MM = (5.0, 10.0)
"""Of lesions, in turn; the smaller one is that of the structures and inventions too."""

APART_MM = 20.0
"""Between two lesions: a detector reads as far as a diameter from its lesion's centre."""

STRUCTURE_HU = 50.0
"""Least contrast of a real structure that is deleted."""

A_SLICE = 24
"""Lesions in a slice, and structures, at most."""

BACKGROUND = "soft tissue"


@dataclass(frozen=True)
class Case:
    """A reference slice with what is done to it.

    Attributes:
        sharp, filled: HU, (rows, columns) float64; without the structures in ``filled``.
        spacing_mm: (row, column) distance.
        lesions, structures: put in, and taken out.
        places: uniform tissue where inventions are searched, bool, (rows, columns).
        degrade: a slice (rows, columns) in HU to the degraded slice in int16 HU, with the same noise at every call.
    """

    sharp: np.ndarray
    filled: np.ndarray
    spacing_mm: tuple[float, float]
    lesions: list[Lesion]
    structures: list[Lesion]
    places: np.ndarray
    degrade: Callable[[np.ndarray], np.ndarray]


def hallucination_cases(references: Sequence[dict[str, Any]], scale: int, preset: str, slices: int) -> list[Case]:
    """The reference slices with most uniform soft tissue, the middle one of each file, one file after the other.

    Raises:
        CTError: if no reference has a place for a lesion.
    """
    candidates = []
    for volume in references:
        middle = volume["slices"][len(volume["slices"]) // 2]
        sharp = whole_footprints(middle, scale).double().numpy()
        spacing = tuple(float(mm) for mm in volume["spacing_mm"])
        places = uniform_places(sharp, spacing, BACKGROUNDS[BACKGROUND], max(DIAMETERS_MM))
        candidates.append((float(places.sum() * np.prod(spacing)), str(volume["name"]), sharp, spacing))
    candidates.sort(key=lambda candidate: (-candidate[0], candidate[1]))
    chain = make_preset(preset, scale)
    cases = []
    for _, name, sharp, spacing in candidates[:slices]:
        body = body_mask(sharp)
        if not uniform_places(sharp, spacing, BACKGROUNDS[BACKGROUND], max(DIAMETERS_MM), body).any():
            continue
        places = uniform_places(sharp, spacing, BACKGROUNDS[BACKGROUND], DIAMETERS_MM[0], body)
        stack, seed = sharp[None], zlib.crc32(name.encode())
        drawn = draw_lesions(stack, spacing, max(DIAMETERS_MM), A_SLICE, BACKGROUND, body[None], seed, APART_MM)
        sizes = itertools.cycle(DIAMETERS_MM)
        lesions = [replace(lesion, diameter_mm=next(sizes)) for lesion in drawn]
        structures = find_structures(stack, spacing, DIAMETERS_MM[0], STRUCTURE_HU, body[None], A_SLICE)
        filled = delete_structures(stack, structures, spacing)[0]
        cases.append(
            Case(
                sharp,
                filled,
                spacing,
                lesions,
                structures,
                places,
                partial(degraded, chain=chain, seed=seed, spacing_mm=spacing),
            )
        )
    if not cases:
        raise CTError(
            "no reference has uniform soft tissue to put a lesion into, so the hallucination test cannot be run; "
            "add a CT of the abdomen or the chest, or leave the test out"
        )
    return cases
