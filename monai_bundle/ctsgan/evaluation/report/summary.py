"""Means over patients with their intervals, differences patient by patient, and which method is best."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..methods import baseline as baseline_of
from ..scores import DIRECTIONS
from ..statistics import bootstrap


class Interval(NamedTuple):
    """A mean over patients and its 95 % bootstrap interval, whose ends are NaN where there is one number only."""

    mean: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Row:
    """A score of a method under a preset.

    Attributes:
        value: over the patients.
        patients: how many they are; 0 for a score that is one number for all.
        to_baseline, to_best_peer: this method minus the other, patient by patient; ``None`` for itself and where no
            patient has both. Of a score that is best at zero, differences are of its distance from zero.
        best: whether no other method is better, those left out that are told the truth about the degradation.
        best_peer: the best of the methods that are neither ours nor told, ``None`` without one.
    """

    preset: str
    method: str
    score: str
    value: Interval
    patients: int
    to_baseline: Interval | None
    to_best_peer: Interval | None
    best: bool
    best_peer: str | None


def is_number(value: Any) -> bool:
    """Whether it is there and finite or infinite, but not NaN."""
    return isinstance(value, int | float) and not math.isnan(value)


def baseline(results: Mapping[str, Any]) -> str | None:
    """The method that all are compared with; ``None`` if it was not asked for."""
    name = baseline_of(results["settings"]["scale"])
    return name if name in results["methods"] else None


def _interval(values: list[float]) -> Interval | None:
    return Interval(*bootstrap(values)) if values else None


def _difference(mine: Mapping[str, float], other: Mapping[str, float], direction: int | None) -> Interval | None:
    size = abs if direction == 0 else float
    return _interval([size(mine[patient]) - size(other[patient]) for patient in mine if patient in other])


def merit(value: float, direction: int) -> float:
    """The larger the better: the score, its negative, or the negative of its distance from zero."""
    return direction * value if direction else -abs(value)


def best_of(values: Mapping[str, float], score: str) -> str | None:
    """The name with the best value; ``None`` without any, or where no direction is known to be better."""
    direction = DIRECTIONS.get(score)
    if direction is None or not values:
        return None
    return max(values, key=lambda name: merit(values[name], direction))


def _of_score(
    results: Mapping[str, Any], preset: str, score: str, by_method: Mapping[str, Mapping[str, float]]
) -> list[Row]:
    values = {method: Interval(*bootstrap(list(patients.values()))) for method, patients in by_method.items()}
    known = results["methods"]
    fair = {method: value.mean for method, value in values.items() if not known[method]["told"]}
    best = best_of(fair, score)
    peer = best_of({method: mean for method, mean in fair.items() if not known[method]["ours"]}, score)

    def against(method: str, other: str | None) -> Interval | None:
        if other is None or other == method or other not in by_method:
            return None
        return _difference(by_method[method], by_method[other], DIRECTIONS.get(score))

    return [
        Row(
            preset,
            method,
            score,
            value,
            len(by_method[method]),
            against(method, baseline(results)),
            against(method, peer),
            # two that print the same may both be best
            best is not None and (method == best or (method in fair and value.mean == values[best].mean)),
            peer,
        )
        for method, value in values.items()
    ]


def _single(row: Row) -> Row:
    """A score that is one number for all patients: there is nothing to draw an interval from."""

    def bare(interval: Interval | None) -> Interval | None:
        return interval and Interval(interval.mean, math.nan, math.nan)

    changed = {"value": bare(row.value), "to_baseline": bare(row.to_baseline), "to_best_peer": bare(row.to_best_peer)}
    return Row(**{**vars(row), **changed, "patients": 0})


def summarise(results: Mapping[str, Any]) -> list[Row]:
    """All rows, in the order of presets, scores and methods; NaN and ``None`` are left out."""
    rows = []
    for preset in results["settings"]["presets"]:
        table: dict[str, dict[str, dict[str, float]]] = {}
        measured, perceived = (results.get(key, {}).get(preset, {}) for key in ("scores", "perception"))
        singles = {score for scores in perceived.values() for score in scores}
        for method in results["methods"]:
            for score, patients in measured.get(method, {}).items():
                if kept := {patient: value for patient, value in patients.items() if is_number(value)}:
                    table.setdefault(score, {})[method] = kept
            for score, value in perceived.get(method, {}).items():
                if is_number(value):
                    table.setdefault(score, {})[method] = {"": value}
        for score, by_method in table.items():
            found = _of_score(results, preset, score, by_method)
            rows += [_single(row) for row in found] if score in singles else found
    return rows
