"""The hallucination test of a method on real slices, and where an output contradicts its input.

Lesions of known size and contrast are put into sharp slices, real structures are taken out of them; each slice is
degraded, with the same noise each time, and enhanced; one detector reads all methods (:mod:`ctsgan.metrics.honesty`).
"""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..degradation import PROTOCOLS, Chain
from ..degradation import preset as make_preset
from ..errors import CTError
from ..filters import footprint_mean
from ..metrics import (
    BACKGROUNDS,
    Detection,
    Lesion,
    body_mask,
    contradiction,
    delete_structures,
    detection,
    draw_lesions,
    find_structures,
    insert_lesions,
    invented_blobs,
    read_contrasts,
    unexplained_contrast,
    uniform_places,
)
from ..metrics.honesty.roc import KEPT_SHARE
from ..resample import resample_slices

Enhance = Callable[[np.ndarray, tuple[float, float]], np.ndarray]
"""One slice (rows, columns) in HU and its (row, column) distance in mm, to (scale rows, scale columns) in HU."""

DIAMETERS_MM = (5.0, 10.0)
"""Of lesions, in turn; the smaller one is that of the structures and inventions too."""

APART_MM = 20.0
"""Between two lesions: a detector reads as far as a diameter from its lesion's centre."""

CONTRASTS_HU = (10.0, 20.0, 50.0, 100.0)
STRUCTURE_HU = 50.0
"""Least contrast of a real structure that is deleted."""

A_SLICE = 24
"""Lesions in a slice, and structures, at most."""

BACKGROUND = "soft tissue"
FALSE_POSITIVES = 0.01
"""Share of the places at which plain interpolation of the same input shows a blob: where the bar is set."""


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


def _degrade(chain: Chain, seed: int, spacing_mm: tuple[float, float]) -> Callable[[np.ndarray], np.ndarray]:
    def degrade(image: np.ndarray) -> np.ndarray:
        chain.set_random_state(seed)
        return chain(torch.from_numpy(image).float()[None], spacing_mm)[0].numpy().astype(np.int16)

    return degrade


def hallucination_cases(references: Sequence[dict[str, Any]], scale: int, preset: str, slices: int) -> list[Case]:
    """The reference slices with most uniform soft tissue, the middle one of each file, one file after the other.

    Raises:
        CTError: if no reference has a place for a lesion.
    """
    candidates = []
    for volume in references:
        count, rows, columns = volume["slices"].shape
        sharp = volume["slices"][count // 2, : rows // scale * scale, : columns // scale * scale].double().numpy()
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
        cases.append(Case(sharp, filled, spacing, lesions, structures, places, _degrade(chain, seed, spacing)))
    if not cases:
        raise CTError(
            "no reference has uniform soft tissue to put a lesion into, so the hallucination test cannot be run; "
            "add a CT of the abdomen or the chest, or leave the test out"
        )
    return cases


def _interpolated(low: np.ndarray, scale: int) -> np.ndarray:
    image = torch.from_numpy(low.astype(np.float64))[None, None]
    return resample_slices(image, tuple(scale * size for size in low.shape), (1.0 / scale,) * 2)[0, 0].numpy()


def _pooled(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0)


def _detection_numbers(lesion: Detection, label: str) -> dict[str, float | None]:
    values = {
        "kept": lesion.kept / (lesion.kept + lesion.lost),
        "transmission": lesion.transmission,
        "AUC": lesion.auc,
        "AUC error": lesion.auc_error,
        "d'": lesion.d_prime,
        "d' error": lesion.d_prime_error,
    }
    return {f"{name} {label}": float(value) if np.isfinite(value) else None for name, value in values.items()}


def measure_honesty(
    enhance: Enhance, scale: int, preset: str, references: Sequence[dict[str, Any]], slices: int = 6
) -> dict[str, Any]:
    """How often a method keeps, loses or invents a lesion of 5 or 10 mm in soft tissue.

    Each of these is told of each size and contrast, such as ``kept 5 mm 10 HU``:

    - ``kept``: share of the lesions of which at least half the contrast is left, the rest is lost; by output with
      minus output without the lesion. ``transmission``: mean share of the contrast that is left.
    - ``AUC``, ``d'`` and their standard errors ``AUC error``, ``d' error``: of the detector, with against without
      lesion, noise and anatomy included.

    And these once:

    - ``invented``: share of the places in uniform tissue at which the output shows a contrast that the reference does
      not explain (:func:`ctsgan.metrics.unexplained_contrast`) above ``bar``, in HU. The bar is that which plain
      bicubic interpolation of the same input crosses at 1 % of the places: false positives of the noise that is in
      the data. So bicubic has 0.01, less is noise removed, more is painted.
    - ``invented blobs``: of 100 cm^2, by the fixed bar of :func:`ctsgan.metrics.invented_blobs`.
    - ``returned``: share of the deleted structures of which the output shows at least half.
    - ``lesions``, ``deleted``, ``searched``: how many lesions and structures, and how much area in cm^2.

    Args:
        enhance: the method.
        scale: of the method.
        preset: the degradation.
        references: as :func:`ctsgan.data.load_slices` returns them: ``slices`` (n, rows, columns) in HU,
            ``spacing_mm`` and ``name``. What is drawn depends on the names alone.
        slices: that are used, one of a file; six calls of ``enhance`` for each.

    Returns:
        ``numbers`` by name, ``None`` where nothing could be measured, and ``curves``: ``roc_area``, ``kept`` and
        ``transmission`` over contrast (HU), each by diameter (``"5 mm"``, ``"10 mm"``).

    Raises:
        CTError: if no reference has uniform soft tissue.
    """
    present: dict[float, list[np.ndarray]] = {contrast: [] for contrast in CONTRASTS_HU}
    absent, returned, unexplained, noise = [], [], [], []
    blobs, searched = 0, 0.0
    cases = hallucination_cases(references, scale, preset, slices)
    for case in cases:
        spacing = case.spacing_mm
        coarse = tuple(scale * mm for mm in spacing)
        low = case.degrade(case.sharp)
        plain = enhance(low, coarse).astype(np.float64)
        absent.append(read_contrasts(plain[None], case.lesions, spacing))
        for contrast in CONTRASTS_HU:
            changed = insert_lesions(
                case.sharp[None], [replace(x, contrast_hu=contrast) for x in case.lesions], spacing
            )[0]
            output = enhance(case.degrade(changed), coarse)
            present[contrast].append(read_contrasts(output[None], case.lesions, spacing))
        if case.structures:
            output = enhance(case.degrade(case.filled), coarse)
            shown = read_contrasts((output - case.filled)[None], case.structures, spacing)
            returned.append(shown / read_contrasts((case.sharp - case.filled)[None], case.structures, spacing))
        for image, found in ((plain, unexplained), (_interpolated(low, scale), noise)):
            found.append(np.abs(unexplained_contrast(image, case.sharp, spacing, DIAMETERS_MM[0]))[case.places])
        blobs += len(invented_blobs(plain[None], case.sharp[None], case.places[None], spacing, DIAMETERS_MM[0]))
        searched += float(case.places.sum() * np.prod(spacing) / 100.0)
    bar = float(np.quantile(_pooled(noise), 1.0 - FALSE_POSITIVES))
    gone = _pooled(returned)
    diameters = _pooled([np.array([lesion.diameter_mm for lesion in case.lesions]) for case in cases])
    numbers: dict[str, float | None] = {}
    for diameter, contrast in itertools.product(DIAMETERS_MM, CONTRASTS_HU):
        chosen = diameters == diameter
        if chosen.any():
            lesion = detection(contrast, _pooled(present[contrast])[chosen], _pooled(absent)[chosen])
            numbers |= _detection_numbers(lesion, f"{diameter:g} mm {contrast:g} HU")
    numbers |= {
        "invented": float((_pooled(unexplained) > bar).mean()),
        "bar": bar,
        "invented blobs": 100.0 * blobs / searched,
        "returned": float((gone >= KEPT_SHARE).mean()) if gone.size else None,
        "lesions": float(len(_pooled(absent))),
        "deleted": float(gone.size),
        "searched": searched,
    }
    curves = {
        name: {
            f"{diameter:g} mm": {
                "x": list(CONTRASTS_HU),
                "y": [numbers.get(f"{key} {diameter:g} mm {contrast:g} HU") for contrast in CONTRASTS_HU],
            }
            for diameter in DIAMETERS_MM
        }
        for name, key in (("roc_area", "AUC"), ("kept", "kept"), ("transmission", "transmission"))
    }
    return {"numbers": numbers, "curves": curves}


def contradiction_map(
    low: np.ndarray, output: np.ndarray, spacing_mm: tuple[float, float], scale: int, preset: str
) -> tuple[np.ndarray, float]:
    """Where an output contradicts its input: |low - degrade(output)| in HU, and its root mean square.

    The degradation is that of the preset without its noise: what is left is noise that the method removed, and what
    it painted (:func:`ctsgan.metrics.contradiction`).

    Args:
        low: the input, HU, (rows, columns).
        output: what a method made of it, HU, (scale rows, scale columns).
        spacing_mm: (row, column) distance of ``low``.
        scale: of the method.
        preset: where it draws its blur ("scanner", "paper"), and for pairs that somebody else made, of any other
            name, the mean over each footprint is taken, so that a blur that was undone counts as contradiction too.

    Returns:
        The map, (rows, columns), and its root mean square.
    """
    fine = tuple(mm / scale for mm in spacing_mm)

    def degrade(image: np.ndarray) -> np.ndarray:
        tensor = torch.from_numpy(np.asarray(image, dtype=np.float32))
        if preset not in PROTOCOLS:
            return footprint_mean(tensor, scale).numpy()
        chain = make_preset(preset, scale)
        chain.noise = None
        return chain(tensor, fine).numpy()

    shown = contradiction(np.asarray(low)[None], np.asarray(output)[None], degrade)[0]
    return shown, float(np.sqrt(np.mean(shown**2)))
