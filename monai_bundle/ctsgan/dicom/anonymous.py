"""Attributes without the patient's identity, by the tables of PS3.15 Annex E that dicom-anonymizer brings."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from pydicom import Dataset

from ..errors import CTError
from .headers import text

EDITION = "dicomfields_2026c"
"""Of the standard's table, as dicom-anonymizer calls it."""

METHOD = ("113100", "Basic Application Confidentiality Profile")
"""Of CID 7050."""


@cache
def _rules() -> dict[tuple[int, ...], Callable]:
    from dicomanonymizer.simpledicomanonymizer import initialize_actions

    return initialize_actions(EDITION)


def anonymize(dataset: Dataset) -> None:
    """Remove, empty or replace what the Basic Application Level Confidentiality Profile says, at every level.

    UIDs are replaced by the same new ones wherever this process meets them again. Pixels are not looked at.

    Args:
        dataset: attributes of an image, without private ones; changed in place.

    Raises:
        CTError: if text is burnt into the pixels.
    """
    from dicomanonymizer import anonymize_dataset

    if text(dataset, "BurnedInAnnotation") == "YES":
        raise CTError("the images have text burnt into their pixels, which --anonymize cannot remove")
    anonymize_dataset(dataset, base_rules_gen=_rules)
    for element in dataset:
        if element.VR == "SQ":  # the library looks at the top level only
            for item in element.value:
                anonymize(item)
        elif element.VR in ("DA", "DT", "TM") and (element.tag.group, element.tag.element) in _rules():
            element.value = None  # the library puts the year 1 there, which validators call an error


def declare_anonymous(dataset: Dataset, code: Callable[[str, str], object]) -> None:
    """Say that the identity was removed and how.

    Args:
        dataset: changed in place.
        code: from a code of DICOM's terminology and its meaning to a sequence.
    """
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = METHOD[1]
    dataset.DeidentificationMethodCodeSequence = code(*METHOD)
    dataset.LongitudinalTemporalInformationModified = "REMOVED"
