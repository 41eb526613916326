"""Tables of single numbers: physics, honesty and cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from .markup import element, number, places, short
from .spreadsheets import section_numbers
from .summary import is_number, merit
from .table import method_bodies, simple_table, table


@dataclass(frozen=True)
class Family:
    """Numbers that stand side by side: ``f50 +200 HU`` is of the family ``f50``, its column is ``+200 HU``.

    Attributes:
        prefix: of their names.
        caption: of their table.
        direction: 1 where higher is better, -1 where lower is, 0 where nearer to zero is, ``None`` where neither.
    """

    prefix: str
    caption: str
    direction: int | None = None


FAMILIES = {
    "physics": (
        Family("f50", "f50: frequency (cycles/mm) at which half of the contrast of a rod is left"),
        Family("f10", "f10: frequency (cycles/mm) at which a tenth of the contrast of a rod is left"),
        Family("relative f50", "f50 relative to the phantom before the degradation"),
        Family("relative f10", "f10 relative to the phantom before the degradation"),
        Family("edge f50", "f50 (cycles/mm) of the outline of a phantom among the files"),
        Family("edge f10", "f10 (cycles/mm) of the outline of a phantom among the files"),
        Family("d'", "Detectability d' of a disc of 5 mm, non-prewhitening observer with eye filter", 1),
    ),
    "honesty": (
        Family("kept", "Share of the inserted lesions of which at least half the contrast is left", 1),
        Family("transmission", "Mean share of the contrast of an inserted lesion that is left"),
        Family("AUC", "Area under the ROC curve of one detector for all, and its standard error", 1),
        Family("d'", "d' of the same detector, and its standard error", 1),
    ),
}
"""What is better is told only where more, or less, cannot be bought with another fault: sharper than the phantom is
no better, and no noise may mean no detail."""

SINGLES = {
    "noise": ("noise (HU)", None),
    "relative noise": ("relative noise", None),
    "NPS peak": ("NPS peak (1/mm)", None),
    "NPS mean": ("NPS mean (1/mm)", None),
    "HU intercept": ("HU intercept (HU)", 0),
    "HU r2": ("HU r\u00b2", 1),
    "invented": ("invented (share of places)", -1),
    "invented blobs": ("invented blobs in 100 cm\u00b2", -1),
    "strongest invention": ("strongest invention (HU)", -1),
    "returned": ("returned (share of deleted)", -1),
    "bar": ("bar (HU)", None),
    "searched": ("searched (cm\u00b2)", None),
    "seconds_a_slice": ("seconds a slice", -1),
    "ratio": ("time, as a ratio", -1),
    "peak_mib": ("peak memory (MiB)", -1),
}
"""Heading and direction of other numbers; those not named here have their name and none."""

CAPTIONS = {
    "physics": "Noise and HU, measured on phantoms",
    "honesty": "Invented and returned structures",
    "cost": "Time and memory, measured side by side in one run",
}

Numbers = Mapping[str, Mapping[str, Any]]
Column = tuple[str, str, int | None]
"""Name of a number, heading and direction."""


def _best(values: Mapping[str, Any], texts: Mapping[str, str], direction: int | None, fair: Sequence[str]) -> set[str]:
    """Who prints the best value; nobody where no direction is better, or all print the same."""
    known = [method for method in fair if is_number(values[method])]
    if direction is None or len({texts[method] for method in known}) < 2:
        return set()
    best = max(known, key=lambda method: merit(values[method], direction))
    return {method for method in known if texts[method] == texts[best]}


def _decimals(numbers: Numbers, name: str) -> int:
    return places([found[name] for found in numbers.values() if is_number(found.get(name))])


def _table(
    results: Mapping[str, Any],
    numbers: Numbers,
    caption: str,
    columns: Sequence[Column],
    show: Callable[[str, float | None], str],
) -> Element:
    """Methods down, numbers across; ``show`` prints a value of a name."""
    methods = results["methods"]
    fair = [method for method in numbers if method in methods and not methods[method]["told"]]
    cells: dict[str, list[Element]] = {method: [] for method in numbers}
    for name, _, direction in columns:
        values = {method: found.get(name) for method, found in numbers.items()}
        texts = {method: show(name, value) for method, value in values.items()}
        best = _best(values, texts, direction, fair)
        prefix, _, label = name.partition(" ")
        for method, found in numbers.items():
            error = found.get(f"{prefix} error {label}")
            cells[method].append(
                element(
                    "td",
                    element("strong", texts[method]) if method in best else texts[method],
                    element("small", f"\u00b1 {show(name, error)}") if is_number(error) else None,
                )
            )
    head = element("tr", *(element("th", name, scope="col") for name in ["Method", *(x[1] for x in columns)]))
    return table(caption, [head], method_bodies(cells, methods, columns=1 + len(columns)), label=caption)


def number_tables(results: Mapping[str, Any], section: str) -> list[Element]:
    """A table for each family of numbers, and one for the others; the best in bold where it is known what is better."""
    numbers = section_numbers(results, section)
    left = list(dict.fromkeys(name for found in numbers.values() for name in found))
    tables = []
    for family in FAMILIES.get(section, ()):
        mine = [name for name in left if name.startswith(f"{family.prefix} ")]
        left = [name for name in left if name not in mine]
        start = len(family.prefix) + 1
        columns = [(name, name[start:], family.direction) for name in mine if not name[start:].startswith("error ")]
        if columns:
            same = max(_decimals(numbers, name) for name, *_ in columns)
            tables.append(
                _table(results, numbers, family.caption, columns, lambda _, value, same=same: number(value, same))
            )
    if left:
        columns = [(name, *SINGLES.get(name, (name, None))) for name in left]
        decimals = {name: _decimals(numbers, name) for name in left}

        def show(name: str, value: float | None) -> str:
            # costs of methods differ by powers of ten
            return short(value) if section == "cost" else number(value, decimals[name])

        tables.append(_table(results, numbers, CAPTIONS[section], columns, show))
    return tables


def growth_table(results: Mapping[str, Any]) -> Element | None:
    """What was fitted to the growth of time and memory; ``None`` where nothing was."""
    rows = []
    for method, found in results.get("cost", {}).items():
        for name, growth in found.get("growth", {}).items():
            fit = growth.get("fit")
            text = ", ".join(f"{key} {short(value)}" for key, value in fit.items()) if isinstance(fit, dict) else fit
            measured = ", ".join(f"{short(x)}: {short(y)}" for x, y in zip(growth["x"], growth["y"], strict=True))
            rows.append([method, name, short(text), measured])
    caption = "Growth of time and memory: the fitted power law, factor times x to the exponent, and what was measured"
    return simple_table(caption, ["Method", "With", "Fit", "Measured"], rows, "Growth", "wrap") if rows else None
