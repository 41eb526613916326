"""Tables of single numbers: physics, honesty and cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element

from ..scores import DIRECTIONS
from .markup import element, number, places, short
from .spreadsheets import section_numbers
from .summary import best_of, is_number
from .table import method_bodies, simple_table, table

COST = {
    "seconds_a_slice": "seconds a slice",
    "ratio": "time, as a ratio",
    "peak_mib": "peak memory (MiB)",
}
CAPTIONS = {
    "physics": "Measured on phantoms",
    "honesty": "Inserted, deleted and invented lesions",
    "cost": "Time and memory, measured side by side in one run",
}


def number_table(results: Mapping[str, Any], section: str) -> Element | None:
    """Methods down, numbers across; the best in bold where it is known what is better. ``None`` without numbers."""
    numbers = section_numbers(results, section)
    names = list(dict.fromkeys(name for found in numbers.values() for name in found))
    if not names:
        return None
    methods = results["methods"]
    fair = [method for method in numbers if method in methods and not methods[method]["told"]]
    cells: dict[str, list[Element]] = {method: [] for method in numbers}
    for name in names:
        values = {method: numbers[method][name] for method in fair if is_number(numbers[method].get(name))}
        decimals = places([found[name] for found in numbers.values() if is_number(found.get(name))])
        # all of cost is the better the less there is
        best = min(values, key=values.get) if values and section == "cost" else best_of(values, name)
        for method, found in numbers.items():
            value = found.get(name)
            # times of methods differ by powers of ten
            text = short(value) if section == "cost" else number(value, decimals)
            is_best = best is not None and method in values and values[method] == values[best]
            cells[method].append(element("td", element("strong", text) if is_best else text))
    head = element("tr", *(element("th", name, scope="col") for name in ["Method", *map(_heading, names)]))
    bodies = method_bodies(cells, methods, columns=1 + len(names))
    return table(CAPTIONS[section], [head], bodies, label=CAPTIONS[section])


def _heading(name: str) -> str:
    mark = {1: " \u2191", -1: " \u2193", 0: " \u2192 0"}.get(DIRECTIONS.get(name), "")
    return COST.get(name, name) + mark


def growth_table(results: Mapping[str, Any]) -> Element | None:
    """What was fitted to the growth of time and memory; ``None`` where nothing was."""
    rows = []
    for method, found in results.get("cost", {}).items():
        for name, growth in found.get("growth", {}).items():
            fit = growth.get("fit")
            text = ", ".join(f"{key} {short(value)}" for key, value in fit.items()) if isinstance(fit, dict) else fit
            measured = ", ".join(f"{short(x)}: {short(y)}" for x, y in zip(growth["x"], growth["y"], strict=True))
            rows.append([method, name, short(text), measured])
    caption = "Growth of time and memory: the fit, and what was measured"
    return simple_table(caption, ["Method", "With", "Fit", "Measured"], rows, "Growth", "wrap") if rows else None
