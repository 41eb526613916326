"""Whether a method shows what is there: lesions that are kept, lost or invented, and contradictions to the data.

A lesion of known size and contrast is put into a sharp slice, or a real structure is taken out of it; the slice is
degraded, a method restores it, and one detector, the same for all methods, says what can be found. A method is a
function from degraded slices to restored slices, so that anything can be tested, cheats included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .detector import read_contrasts
from .invented import invented_blobs
from .lesions import BACKGROUNDS, draw_lesions, insert_lesions, uniform_places
from .roc import KEPT_SHARE, Detection, detection
from .structures import delete_structures, find_structures

Method = Callable[[np.ndarray], np.ndarray]
"""Slices in HU, (slices, rows, columns), to slices in HU; restoring, rows and columns may grow."""


@dataclass(frozen=True)
class Honesty:
    """A method's row of the hallucination test.

    Attributes:
        detections: one for each contrast.
        invented: blobs that the reference does not have, in slices without inserted lesions.
        searched_cm2: area that was searched for them.
        deleted, returned: real structures taken out before the degradation, and how many the method shows anyway.
    """

    detections: tuple[Detection, ...]
    invented: int
    searched_cm2: float
    deleted: int
    returned: int


def hallucination_test(
    slices: np.ndarray,
    spacing_mm: tuple[float, float],
    degrade: Method,
    methods: Mapping[str, Method],
    diameter_mm: float = 5.0,
    contrasts_hu: Sequence[float] = (10.0, 20.0, 50.0, 100.0),
    a_slice: int = 6,
    background: str = "soft tissue",
    structure_hu: float = 50.0,
    bodies: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, Honesty]:
    """How often each method keeps, loses or invents a lesion.

    Lesions of each contrast are put into the same places of the sharp slices; real structures are deleted from other
    copies. Everything is degraded and restored, and read by one detector (:func:`read_contrasts`).

    - *kept or lost*: by what the lesion changes in the output, its contrast with minus its contrast without.
    - *AUC and d'*: from the contrasts read in outputs with and without lesion, noise and anatomy included.
    - *invented*: :func:`invented_blobs` of the output without lesions, in uniform tissue.
    - *returned*: deleted structures of which the output still shows :data:`KEPT_SHARE`, above the filled slice.

    Args:
        slices: sharp slices in HU, (slices, rows, columns).
        spacing_mm: their (row, column) distance.
        degrade: sharp slices to degraded slices, with the same noise at every call: set its seed inside.
        methods: by name, degraded slices to slices of the sharp shape. Each runs 2 + len(contrasts_hu) times over
            all slices.
        diameter_mm: of lesions, structures and the detector.
        contrasts_hu: of the lesions; negative is darker than the background.
        a_slice: lesions and structures in a slice, at most.
        background: one of :data:`BACKGROUNDS`.
        structure_hu: least contrast of a structure to delete.
        bodies: pixels that count, bool, shape of ``slices``.
        seed: of the places.

    Returns:
        By the name of the method.

    Raises:
        ValueError: if no slice has a place for a lesion.
    """
    sharp = np.asarray(slices, dtype=np.float64)
    lesions = draw_lesions(sharp, spacing_mm, diameter_mm, a_slice, background, bodies, seed)
    masks = [None] * len(sharp) if bodies is None else bodies
    places = np.stack(
        [
            uniform_places(image, spacing_mm, BACKGROUNDS[background], diameter_mm, mask)
            for image, mask in zip(sharp, masks, strict=True)
        ]
    )
    searched = float(places.sum() * spacing_mm[0] * spacing_mm[1] / 100.0)
    structures = find_structures(sharp, spacing_mm, diameter_mm, structure_hu, bodies, a_slice)
    filled = delete_structures(sharp, structures, spacing_mm)
    original = read_contrasts(sharp - filled, structures, spacing_mm)
    absent_input = degrade(sharp)
    present_inputs = [
        degrade(insert_lesions(sharp, [replace(x, contrast_hu=contrast) for x in lesions], spacing_mm))
        for contrast in contrasts_hu
    ]
    filled_input = degrade(filled) if structures else None
    report = {}
    for name, method in methods.items():
        absent_output = method(absent_input)
        absent = read_contrasts(absent_output, lesions, spacing_mm)
        detections = []
        for contrast, present_input in zip(contrasts_hu, present_inputs, strict=True):
            present = read_contrasts(method(present_input), lesions, spacing_mm)
            detections.append(detection(contrast, present, absent))
        returned = 0
        if filled_input is not None:
            shown = read_contrasts(method(filled_input) - filled, structures, spacing_mm)
            returned = int((shown / original >= KEPT_SHARE).sum())
        invented = len(invented_blobs(absent_output, sharp, places, spacing_mm, diameter_mm))
        report[name] = Honesty(tuple(detections), invented, searched, len(structures), returned)
    return report


def contradiction(measured: np.ndarray, output: np.ndarray, degrade: Method) -> np.ndarray:
    """Where an output contradicts the data: |measured - degrade(output)| in HU, the shape of ``measured``.

    What would have been measured had the output been the patient. Where a method only took noise away it is the
    noise; where it painted something it is the paint, at the resolution of the measurement.

    Args:
        measured: the input, HU, (slices, rows, columns).
        output: what a method made of it, HU.
        degrade: the acquisition without its noise.

    Raises:
        ValueError: if the degraded output has not the shape of the input.
    """
    expected = degrade(output)
    if expected.shape != measured.shape:
        raise ValueError(f"degrade gives {expected.shape}, not the shape of the input, {measured.shape}")
    return np.abs(measured.astype(np.float64) - expected)
