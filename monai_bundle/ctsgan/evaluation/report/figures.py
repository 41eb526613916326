"""Which charts a report has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from .axes import Style, styles
from .chart import box_plot, legend, line_chart, scatter
from .markup import element
from .summary import Row, is_number

QUALITY = "PSNR soft"
"""The score of the box plots and of speed against quality."""

FREQUENCY = "spatial frequency (1/mm)"
CURVES = {
    "ttf": ("Task transfer function", (FREQUENCY, "contrast transferred"), (0.0, 1.0)),
    "mtf": ("Edge MTF", (FREQUENCY, "contrast transferred"), (0.0, 1.0)),
    "nps": ("Noise power spectrum", (FREQUENCY, "power (HU\u00b2 mm\u00b2)"), ()),
    "linearity": ("HU linearity", ("nominal HU", "measured minus nominal HU"), (0.0,)),
    "roc_area": ("Detection of an inserted lesion", ("contrast (HU)", "area under the ROC curve"), (0.5, 1.0)),
    "transmission": ("Contrast of a lesion that is left", ("contrast (HU)", "share left"), (0.0, 1.0)),
    "kept": ("Lesions that are kept", ("contrast (HU)", "share kept"), (0.0, 1.0)),
}
"""Title, labels of the axes and values that must be in sight, of each kind of curve; others get their name."""


def _charts(results: Mapping[str, Any], section: str, looks: Mapping[str, Style]) -> list[Element]:
    """One chart for each kind and label of the curves in a section, with all methods in it."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for method, entry in results.get(section, {}).items():
        for kind, curves in entry.get("curves", {}).items():
            labelled = {"": curves} if "x" in curves else curves
            for label, curve in labelled.items():
                if kind == "linearity":
                    # a line along the diagonal would hide what there is to see
                    curve = {"x": curve["x"], "y": [b - a for a, b in zip(curve["x"], curve["y"], strict=True)]}
                found.setdefault((kind, label), {})[method] = curve
    charts = []
    for (kind, label), curves in found.items():
        title, labels, within = CURVES.get(kind, (kind, ("x", "y"), ()))
        made = line_chart(f"{title}, {label}" if label else title, curves, labels, looks, within=within)
        charts += [made] if made is not None else []
    return charts


def _with_legend(charts: Sequence[Element | None], looks: Mapping[str, Style], names: Sequence[str]) -> Element | None:
    drawn = [chart for chart in charts if chart is not None]
    if not drawn:
        return None
    return element("div", legend(looks, names), element("div", *drawn, class_="charts"))


def all_styles(results: Mapping[str, Any]) -> dict[str, Style]:
    """A style for every name that a chart may show."""
    others = [name for section in ("physics", "honesty", "cost") for name in results.get(section, {})]
    return styles(results["methods"], others)


def curves_of(results: Mapping[str, Any], section: str) -> Element | None:
    """The charts of physics or honesty with their legend; ``None`` without any."""
    looks = all_styles(results)
    names = [name for name in looks if results.get(section, {}).get(name, {}).get("curves")]
    return _with_legend(_charts(results, section, looks), looks, names)


def boxes_of(results: Mapping[str, Any], preset: str) -> Element | None:
    """How the patients' PSNR in the soft-tissue window is spread under each method."""
    values = {}
    for method in results["methods"]:
        patients = results["scores"].get(preset, {}).get(method, {}).get(QUALITY, {})
        if kept := [value for value in patients.values() if is_number(value)]:
            values[method] = kept
    return box_plot(f"{QUALITY} by patient, {preset}", values, f"{QUALITY} (dB)", all_styles(results))


def speed_of(results: Mapping[str, Any], preset: str, rows: Sequence[Row]) -> Element | None:
    """Speed against quality."""
    cost = results.get("cost", {})
    points = {
        row.method: (cost[row.method]["seconds_a_slice"], row.value.mean)
        for row in rows
        if row.preset == preset and row.score == QUALITY and is_number(cost.get(row.method, {}).get("seconds_a_slice"))
    }
    labels = ("seconds a slice", f"mean {QUALITY} (dB)")
    return scatter(f"Speed against quality, {preset}", points, labels, all_styles(results))


def growth_of(results: Mapping[str, Any]) -> Element | None:
    """How time and memory grow."""
    looks = all_styles(results)
    found: dict[str, dict[str, Any]] = {}
    for method, entry in results.get("cost", {}).items():
        for name, growth in entry.get("growth", {}).items():
            found.setdefault(name, {})[method] = growth
    charts = []
    for name, curves in found.items():
        unit = "MiB" if "memory" in name else "seconds"
        along = "slices" if name.startswith("slices") else "pixels of the output"
        what = "Memory" if "memory" in name else "Time"
        title = f"{what} against {'slices' if name.startswith('slices') else 'the size of a slice'}"
        charts.append(line_chart(title, curves, (along, unit), looks, logarithmic=True))
    return _with_legend(charts, looks, [name for name in looks if any(name in curves for curves in found.values())])
