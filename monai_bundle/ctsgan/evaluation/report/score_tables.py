"""Tables of scores over patients: one for each window, the tissues, the looks and the truth to the input."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from ...metrics import TISSUE_RANGES, WINDOWS
from ..scores import DIRECTIONS, WHOLE_SLICE
from .markup import EN_DASH, MINUS, element, number
from .summary import Interval, Row, baseline, merit
from .table import method_bodies, table

BETTER = {1: "higher is better", -1: "lower is better", 0: "nearer to 0 is better"}
UNITS = {"PSNR": "dB", "RMSE": "HU", "bias": "HU", "contradiction": "HU", "shift": "output pixels"}
DIGITS = {"SSIM": 3, "MS-SSIM": 3, "ST-LPIPS": 3, "shift": 3}
FIDELITY = ("PSNR", "SSIM", "MS-SSIM", "RMSE")
OPEN = ("Fidelity, soft window", "HU bias by tissue")
"""Tables that are unfolded at first."""

GROUPS = {
    **{f"Fidelity, {window} window": [f"{name} {window}" for name in FIDELITY] for window in ("soft", *WINDOWS)},
    "Fidelity, wide window, whole slice": [WHOLE_SLICE],
    "HU bias by tissue": ["bias", *(f"bias in {tissue}" for tissue in TISSUE_RANGES)],
    "RMSE by tissue": [f"RMSE in {tissue}" for tissue in TISSUE_RANGES],
    "Perception": ["NIQE wide", "NIQE soft", "PI half", "ST-LPIPS", "FID-VGG"],
    "Truth to the input": ["contradiction", "shift"],
}
"""Titles of tables and the scores in each."""


def digits(score: str) -> int:
    """How many decimals of a score are worth printing."""
    return DIGITS.get(score.split()[0], 2)


def label(score: str) -> str:
    """A score with its unit."""
    unit = UNITS.get(score.split()[0])
    return f"{score} ({unit})" if unit else score


def limits(interval: Interval, places: int, signed: bool = False) -> str | None:
    """The ends of an interval in brackets; nothing where there is none."""
    if math.isnan(interval.lower):
        return None
    return f"[{number(interval.lower, places, signed)}, {number(interval.upper, places, signed)}]"


def verdict(difference: Interval, score: str) -> str | None:
    """``better`` or ``worse`` if the interval of a difference leaves out zero."""
    direction = DIRECTIONS.get(score)
    # differences of what is best at zero are of distances from it
    low, high = sorted(merit(end, direction or -1) for end in (difference.lower, difference.upper))
    return None if direction is None or not (low > 0 or high < 0) else "better" if low > 0 else "worse"


def value_cell(row: Row | None, most: int) -> Element:
    """The mean and its interval; how many patients, where others have more."""
    if row is None:
        return element("td", EN_DASH)
    places = digits(row.score)
    mean = number(row.value.mean, places)
    fewer = f"{row.patients} patients" if 0 < row.patients < most else None
    small = [text for text in (limits(row.value, places), fewer) if text]
    shown = element("strong", mean) if row.best else mean
    return element("td", shown, *(element("small", text) for text in small), class_="best" if row.best else None)


def difference_cell(difference: Interval | None, score: str) -> Element:
    """A difference with its interval and, beside the number, a mark of what the interval says."""
    if difference is None:
        return element("td", EN_DASH, class_="difference")
    places = digits(score)
    said = verdict(difference, score)
    mark = {"better": "\u25b2", "worse": "\u25bc"}.get(said)
    shown = [element("span", mark, class_=said, title=f"{said}; the interval leaves out 0"), "\u2009"] if mark else []
    interval = limits(difference, places, signed=True)
    return element(
        "td",
        *shown,
        number(difference.mean, places, signed=True),
        element("small", interval) if interval else None,
        class_="difference",
    )


def score_table(results: Mapping[str, Any], title: str, scores: Sequence[str], rows: Sequence[Row]) -> Element:
    """Methods down, scores across: the mean, and differences to the baseline and to the best peer of each score."""
    by_place = {(row.method, row.score): row for row in rows}
    base = baseline(results)
    shown = ["mean", *([f"{MINUS} {base}"] if base else []), f"{MINUS} best peer"]
    groups, names = [element("th", "Method", rowspan=2, scope="col")], []
    most = {}
    for score in scores:
        found = [row for row in rows if row.score == score]
        most[score] = max(row.patients for row in found)
        better = BETTER.get(DIRECTIONS.get(score))
        groups.append(
            element(
                "th",
                label(score),
                element("small", better) if better else None,
                colspan=len(shown),
                scope="colgroup",
            )
        )
        for name in shown:
            peer = found[0].best_peer if name == shown[-1] else None
            names.append(element("th", name, element("small", peer) if peer else None, scope="col"))
    cells: dict[str, list[Element]] = {}
    for method in dict.fromkeys(row.method for row in rows):
        line = cells.setdefault(method, [])
        for score in scores:
            row = by_place.get((method, score))
            line.append(value_cell(row, most[score]))
            if base:
                line.append(difference_cell(row and row.to_baseline, score))
            line.append(difference_cell(row and row.to_best_peer, score))
    bodies = method_bodies(cells, results["methods"], columns=1 + len(names))
    return table(title, [element("tr", *groups), element("tr", *names)], bodies, label=title)


def score_tables(results: Mapping[str, Any], preset: str, rows: Sequence[Row]) -> list[Element]:
    """All tables of a preset, each to fold and unfold; scores of no group are in a last one."""
    mine = [row for row in rows if row.preset == preset]
    there = list(dict.fromkeys(row.score for row in mine))
    grouped = {score for scores in GROUPS.values() for score in scores}
    groups = {**GROUPS, "Other scores": [score for score in there if score not in grouped]}
    parts = []
    for title, scores in groups.items():
        wanted = [score for score in scores if score in there]
        if wanted:
            caption = f"{title}, {preset}: mean and 95 % interval over patients"
            made = score_table(results, caption, wanted, [row for row in mine if row.score in wanted])
            opened = "" if title in OPEN or title.startswith("Perception") else None
            parts.append(element("details", element("summary", title), made, open=opened))
    return parts
