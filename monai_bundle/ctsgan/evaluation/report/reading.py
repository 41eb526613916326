"""How a reader is to take the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...metrics import TISSUE_RANGES, WINDOWS
from .markup import Child, element, number
from .summary import baseline
from .table import definitions


def _range(low: float, high: float) -> str:
    """Ends of a range of HU, of which one may be open."""
    if low == float("-inf"):
        return f"below {number(high, 0)} HU"
    if high == float("inf"):
        return f"from {number(low, 0)} HU"
    return f"{number(low, 0)} to {number(high, 0)} HU"


def reading(results: Mapping[str, Any]) -> list[Child]:
    """What a value, its interval and a difference are; windows and tissues; scores that need a word."""
    base = baseline(results)
    paragraphs = [
        "A value is the mean over patients, each of whom counts by the mean over the slices, with its 95 % percentile "
        "bootstrap interval: patients are drawn, not slices. The best mean is in bold. Fidelity is measured inside "
        "the patient: air around and the table do not count, but for the tissue air.",
        f"Differences to {f'{base} and to ' if base else ''}the best peer are taken patient by patient. The best peer "
        "is chosen for each score on these same patients, which favours it. \u25b2 marks a difference that is better, "
        "\u25bc one that is worse, where the interval leaves out 0. Of a bias, differences are of distances from 0.",
        "PI half is what NIQE gives to the perceptual index: half of it. FID-VGG is the distance of Fr\u00e9chet over "
        "features of VGG16, not of Inception, and is not to be compared with others' FID; it is one number over all "
        "slices. Contradiction is the root mean square of the input minus the degraded output. An en dash stands for "
        "a value that is not there.",
    ]
    return [
        *(element("p", text) for text in paragraphs),
        element("h3", "Windows"),
        definitions({name: _range(*ends) for name, ends in WINDOWS.items()}),
        element("h3", "Tissues, by the HU of the reference"),
        definitions({name: _range(*ends) for name, ends in TISSUE_RANGES.items()}),
        element(
            "p",
            "Sources of the ranges: air and lung, Gevenois et al. 1996 and Gattinoni et al. 2001; fat and soft tissue, "
            "Mitsiopoulos et al. 1998; bone, the threshold of Materialise's Mimics.",
            class_="muted",
        ),
    ]
