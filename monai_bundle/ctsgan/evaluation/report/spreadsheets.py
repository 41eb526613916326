"""CSV files: every number of the report, for whoever wants to compute on."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .summary import Interval, Row, is_number

SECTIONS = ("physics", "honesty", "cost")


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Numbers that are not there are empty fields."""
    with path.open("w", newline="", encoding="utf-8", errors="replace") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([["" if _missing(field) else field for field in row] for row in rows])


def _missing(field: Any) -> bool:
    return field is None or (isinstance(field, float) and math.isnan(field))


def write_scores(results: Mapping[str, Any], path: Path) -> None:
    """Long format: one row for each preset, method, score and patient."""
    _write(
        path,
        ["preset", "method", "score", "patient", "value"],
        (
            [preset, method, score, patient, value]
            for preset, methods in results["scores"].items()
            for method, scores in methods.items()
            for score, patients in scores.items()
            for patient, value in patients.items()
        ),
    )


def write_summary(rows: Sequence[Row], path: Path) -> None:
    """One row for each preset, method and score, as in the page's tables."""
    nothing = Interval(math.nan, math.nan, math.nan)
    parts = ("mean", "lower", "upper")
    header = ["preset", "method", "score", "patients", *parts, "best"]
    header += [f"minus baseline {part}" for part in parts]
    header += ["best peer", *(f"minus best peer {part}" for part in parts)]
    _write(
        path,
        header,
        (
            [
                *(row.preset, row.method, row.score, row.patients, *row.value, int(row.best)),
                *(row.to_baseline or nothing),
                row.best_peer,
                *(row.to_best_peer or nothing),
            ]
            for row in rows
        ),
    )


def section_numbers(results: Mapping[str, Any], section: str) -> dict[str, dict[str, Any]]:
    """The single numbers of physics, honesty or cost, by method in the order of the tables and by name.

    What is no method, such as the reference itself, comes last.
    """
    found = results.get(section, {})
    numbers = {}
    for method in sorted(found, key=[*results["methods"], *found].index):
        entry = found[method]
        numbers[method] = entry.get("numbers", {name: value for name, value in entry.items() if name != "growth"})
    return numbers


def write_numbers(results: Mapping[str, Any], path: Path) -> None:
    """Physics, honesty and cost in long format."""
    _write(
        path,
        ["section", "method", "name", "value"],
        (
            [section, method, name, value if is_number(value) else None]
            for section in SECTIONS
            for method, numbers in section_numbers(results, section).items()
            for name, value in numbers.items()
        ),
    )
