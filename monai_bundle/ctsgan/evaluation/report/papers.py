"""What the papers printed, beside what this run measured under the protocol that comes nearest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from ..scores import WHOLE_SLICE
from .markup import EN_DASH, TIMES, element, number
from .score_tables import digits, label
from .summary import Row
from .table import simple_table

PAPERS_PRESET = "bicubic"
"""The papers reduce their pictures by bicubic interpolation."""


@dataclass(frozen=True)
class Publication:
    """A published result.

    Attributes:
        source: who published it.
        printed: the figures, as printed.
        scores: those of this report that come nearest.
        limits: what cannot be compared.
    """

    source: str
    printed: str
    scores: tuple[str, ...]
    limits: str


PUBLICATIONS = (
    Publication(
        "CTsGAN - Image Enhancement of Portable CT Scanner using ESRGAN",
        "perceptual index (PI) 2.622, RMSE 15.47",
        ("NIQE wide", "PI half", "RMSE wide"),
        "PI is half of NIQE plus half of 10 minus Ma's score; Ma's score is not computed here, so only the half that "
        "NIQE gives stands beside it. Its program works on 8-bit pictures, and neither the unit of the RMSE nor the "
        "images are known here. Its NIQE of ESRGAN and CTsGAN for three images could not be obtained and is left out.",
    ),
    Publication(
        "Real-ESRGAN fine-tuned on medical images, as by Aghelan and Rouhani (arXiv:2211.00577)",
        f"PSNR and SSIM at {TIMES}2 and {TIMES}4: no printed figures could be obtained, so none stand here",
        (WHOLE_SLICE, "SSIM wide"),
        "It is tuned and tested on chest radiographs and retinal photographs, not on CT, and degraded by "
        "Real-ESRGAN's random chain, of which every draw differs.",
    ),
    Publication(
        "An enhancer for CT based on ESRGAN",
        "PSNR 26.84 dB, SSIM 0.8503",
        (WHOLE_SLICE, "SSIM wide", "PSNR soft", "SSIM soft"),
        "Window, range and images of its figures are not known, and both scores hang on them: a PSNR over 4095 HU is "
        "higher than one over a display window of the same image by up to 20 log10 of the ratio of the widths.",
    ),
)
"""Figures as the project's authors state them; the papers' images are not public."""


def _ours(rows: Sequence[Row], methods: Mapping[str, Any], preset: str, scores: Sequence[str]) -> list[str]:
    """The scores of each of our methods, a line each."""
    lines = []
    for method in (name for name, method in methods.items() if method["ours"]):
        means = {row.score: row.value.mean for row in rows if row.preset == preset and row.method == method}
        found = [f"{label(score)} {number(means[score], digits(score))}" for score in scores if score in means]
        lines += [f"{method}: {', '.join(found)}"] if found else []
    return lines


def papers_table(results: Mapping[str, Any], rows: Sequence[Row]) -> Element:
    """The papers' tables. Where the run has no bicubic preset, ours are from its first one, which is said."""
    presets = results["settings"]["presets"]
    preset = PAPERS_PRESET if PAPERS_PRESET in presets else presets[0]
    lines = []
    for paper in PUBLICATIONS:
        ours = _ours(rows, results["methods"], preset, paper.scores) or [EN_DASH]
        lines.append([paper.source, paper.printed, [element("div", line) for line in ours], paper.limits])
    here = f"Here, {preset} {TIMES}{results['settings']['scale']}"
    header = ["Publication", "Printed", here, "What cannot be compared"]
    return simple_table("Published figures beside this run", header, lines, "The papers' tables", "wrap")
