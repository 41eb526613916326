"""The hallucination test of a method on real slices.

Lesions of known size and contrast are put into sharp slices, real structures are taken out of them; each slice is
degraded, with the same noise each time, and enhanced; one detector reads all methods (:mod:`ctsgan.metrics.honesty`).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...metrics import (
    Detection,
    detection,
    explained_contrasts,
    insert_lesions,
    peaks,
    read_contrasts,
    unexplained_contrast,
)
from ...metrics.honesty.roc import KEPT_SHARE
from ..methods.interpolation import bicubic
from ..methods.method import Enhance
from .cases import DIAMETERS_MM, hallucination_cases

CONTRASTS_HU = (10.0, 20.0, 50.0, 100.0)
FALSE_POSITIVES = 0.01
"""Share of the places at which plain interpolation of the same input shows a blob: where the bar is set."""


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
    - ``invented blobs``: separate ones above the bar in 100 cm^2; ``strongest invention``: the highest of these
      contrasts in HU.
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
    absent, returned, maps, false = [], [], [], []
    searched = 0.0
    cases = hallucination_cases(references, scale, preset, slices)
    for case in cases:
        spacing = case.spacing_mm
        coarse = tuple(scale * mm for mm in spacing)
        low = case.degrade(case.sharp)
        plain = enhance(low, coarse).astype(np.float64)
        absent.append(read_contrasts(plain[None], case.lesions, spacing))
        unit = [replace(lesion, contrast_hu=1.0) for lesion in case.lesions]
        added = insert_lesions(np.zeros((1, *case.sharp.shape)), unit, spacing)[0]
        for contrast in CONTRASTS_HU:
            output = enhance(case.degrade(case.sharp + contrast * added), coarse)
            present[contrast].append(read_contrasts(output[None], case.lesions, spacing))
        if case.structures:
            output = enhance(case.degrade(case.filled), coarse)
            shown = read_contrasts((output - case.filled)[None], case.structures, spacing)
            returned.append(shown / read_contrasts((case.sharp - case.filled)[None], case.structures, spacing))
        explained = explained_contrasts(case.sharp, spacing, DIAMETERS_MM[0])
        shown, noise = (
            unexplained_contrast(image, explained, spacing, DIAMETERS_MM[0])
            for image in (plain, bicubic(low, scale).astype(np.float64))
        )
        maps.append(np.abs(shown))
        false.append(np.abs(noise)[case.places])
        searched += float(case.places.sum() * np.prod(spacing) / 100.0)
    bar = float(np.quantile(_pooled(false), 1.0 - FALSE_POSITIVES))
    unexplained = _pooled([shown[case.places] for shown, case in zip(maps, cases, strict=True)])
    blobs = 0
    for shown, case in zip(maps, cases, strict=True):
        apart = tuple(int(np.ceil(DIAMETERS_MM[0] / mm)) for mm in case.spacing_mm)
        blobs += len(peaks(shown, case.places, bar, apart))
    gone = _pooled(returned)
    diameters = _pooled([np.array([lesion.diameter_mm for lesion in case.lesions]) for case in cases])
    numbers: dict[str, float | None] = {}
    for diameter, contrast in itertools.product(DIAMETERS_MM, CONTRASTS_HU):
        chosen = diameters == diameter
        if chosen.any():
            lesion = detection(contrast, _pooled(present[contrast])[chosen], _pooled(absent)[chosen])
            numbers |= _detection_numbers(lesion, f"{diameter:g} mm {contrast:g} HU")
    numbers |= {
        "invented": float((unexplained > bar).mean()),
        "bar": bar,
        "invented blobs": 100.0 * blobs / searched,
        "strongest invention": float(unexplained.max()),
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
