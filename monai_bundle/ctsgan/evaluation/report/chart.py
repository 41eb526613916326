"""Charts as inline SVG, whose colours follow the page's light or dark scheme through classes of its style sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element

import numpy as np

from .axes import Axis, Style, axis
from .markup import MINUS, element
from .summary import is_number

WIDTH, HEIGHT = 420, 290
LEFT, RIGHT, TOP, BOTTOM = 66, 10, 10, 44
"""Edges of the plot within the picture."""

CHARACTER = 7.0
"""Width of a character of a label, about."""

BESIDE = 17.0
"""How far above or below a point its name is still seen to be of it."""


def _text(content: str, x: float, y: float, anchor: str = "middle", class_: str = "tick", **attributes) -> Element:
    return element("text", content, x=round(x, 2), y=round(y, 2), text_anchor=anchor, class_=class_, **attributes)


def _frame(x: Axis, y: Axis | None, bottom: float) -> list[Element]:
    """Grid, ticks and labels."""
    parts = []
    for value in x.ticks():
        at = x.place(value)
        parts.append(element("line", x1=at, x2=at, y1=TOP, y2=bottom, class_="grid"))
        parts.append(_text(f"{value:g}".replace("-", MINUS), at, bottom + 15))
    parts.append(_text(x.label, (x.start + x.end) / 2, bottom + 33, class_="label"))
    if y:
        for value in y.ticks():
            at = y.place(value)
            parts.append(element("line", x1=x.start, x2=x.end, y1=at, y2=at, class_="grid"))
            parts.append(_text(f"{value:g}".replace("-", MINUS), x.start - 5, at + 4, "end"))
        middle = (y.start + y.end) / 2
        turned = {"transform": f"rotate(-90 14 {middle})"}
        parts.append(_text(y.label, 14, middle, class_="label", **turned))
    return parts


def _picture(title: str, parts: Sequence[Element], height: float = HEIGHT) -> Element:
    box = f"0 0 {WIDTH} {height:g}"
    return element("svg", *parts, viewBox=box, width=WIDTH, height=f"{height:g}", role="img", aria_label=title)


def _figure(title: str, picture: Element) -> Element:
    return element("figure", element("figcaption", title), picture, class_="chart")


def line_chart(
    title: str,
    curves: Mapping[str, Mapping[str, Sequence[float | None]]],
    labels: tuple[str, str],
    looks: Mapping[str, Style],
    logarithmic: bool = False,
    within: Sequence[float] = (),
) -> Element | None:
    """A curve for each method; a value that is not there breaks it. ``None`` where nothing can be drawn.

    Args:
        title: above the chart.
        curves: ``x`` and ``y`` by method.
        labels: of the axes, with units.
        looks: style of each method.
        logarithmic: both axes are; each value is marked.
        within: values that the vertical axis shows too.
    """

    def drawable(value: float | None) -> bool:
        return is_number(value) and math.isfinite(value) and (value > 0 or not logarithmic)

    pairs = {
        name: [(a, b) if drawable(a) and drawable(b) else None for a, b in zip(curve["x"], curve["y"], strict=True)]
        for name, curve in curves.items()
    }
    known = [pair for line in pairs.values() for pair in line if pair]
    if not known:
        return None
    x = axis(labels[0], [pair[0] for pair in known], LEFT, WIDTH - RIGHT, logarithmic)
    y = axis(labels[1], [*within, *(pair[1] for pair in known)], HEIGHT - BOTTOM, TOP, logarithmic)
    parts = _frame(x, y, HEIGHT - BOTTOM)
    # ours are drawn last, so that they lie on top
    for name in sorted(pairs, key=lambda name: looks[name].ours):
        look = looks[name]
        path, pen = [], "M"
        for pair in pairs[name]:
            if pair is None:
                pen = "M"
                continue
            path.append(f"{pen}{x.place(pair[0])} {y.place(pair[1])}")
            pen = "L"
            if logarithmic:
                place = {"cx": x.place(pair[0]), "cy": y.place(pair[1])}
                parts.append(element("circle", r=3, class_=f"dot {look.colour}", **place))
        shown = f"line {look.colour}{' ours' if look.ours else ''}"
        parts.append(element("path", element("title", name), d="".join(path), class_=shown, stroke_dasharray=look.dash))
    return _figure(title, _picture(title, parts))


def legend(looks: Mapping[str, Style], names: Sequence[str]) -> Element:
    """The methods with their lines."""
    items = []
    for name in names:
        look = looks[name]
        shown = f"line {look.colour}{' ours' if look.ours else ''}"
        line = element("path", d="M0 6H28", class_=shown, stroke_dasharray=look.dash)
        swatch = element("svg", line, viewBox="0 0 28 12", width=28, height=12, aria_hidden="true")
        items.append(element("li", swatch, name))
    return element("ul", *items, class_="legend")


def _cut(name: str, characters: int = 22) -> str:
    return name if len(name) <= characters else f"{name[: characters - 1]}\u2026"


def box_plot(
    title: str, values: Mapping[str, Sequence[float]], label: str, looks: Mapping[str, Style]
) -> Element | None:
    """A box for each method: quartiles, median, whiskers to the ends, and each patient as a dot."""
    if not values:
        return None
    longest = max(len(_cut(name)) for name in values)
    x = axis(label, [value for line in values.values() for value in line], 12 + CHARACTER * longest, WIDTH - RIGHT)
    row = 24
    bottom = TOP + row * len(values)
    parts = _frame(x, None, bottom)
    for index, (name, line) in enumerate(values.items()):
        middle = TOP + row * (index + 0.5)
        low, first, median, third, high = (x.place(q) for q in np.quantile(line, (0, 0.25, 0.5, 0.75, 1)))
        colour = looks[name].colour
        parts += [
            _text(_cut(name), x.start - 8, middle + 4, "end", "name ours" if looks[name].ours else "name"),
            element("line", x1=low, x2=high, y1=middle, y2=middle, class_=f"line {colour}"),
            element("rect", x=first, y=middle - 7, width=round(third - first, 2), height=14, class_=f"box {colour}"),
            element("line", x1=median, x2=median, y1=middle - 7, y2=middle + 7, class_=f"line ours {colour}"),
            *(element("circle", cx=x.place(value), cy=middle, r=2, class_=f"dot {colour}") for value in line),
        ]
    return _figure(title, _picture(title, parts, bottom + BOTTOM))


def _free_place(at: tuple[float, float], text: str, taken: list[tuple[float, ...]]) -> tuple[float, float, str]:
    """Where a label beside a point covers no other: right, left, above, below, and then further away."""
    width = CHARACTER * len(text)
    places = [(8, 4, "start"), (-8, 4, "end"), (0, -9, "middle"), (0, BESIDE, "middle")]
    heights = (-9, 17, -22, 30, -35, 43, -48, 56, -61, 69)
    places += [(x, y, anchor) for y in heights for x, anchor in ((8, "start"), (-8, "end"))]
    for dx, dy, anchor in places:
        x, y = at[0] + dx, at[1] + dy
        left = x - {"start": 0, "middle": width / 2, "end": width}[anchor]
        box = (left, y - 10, left + width, y + 2)
        inside = box[0] > LEFT and box[2] < WIDTH and box[1] > 0 and box[3] < HEIGHT - BOTTOM
        if inside and all(box[2] < b[0] or box[0] > b[2] or box[3] < b[1] or box[1] > b[3] for b in taken):
            break
    taken.append(box)
    return x, y, anchor


def scatter(
    title: str, points: Mapping[str, tuple[float, float]], labels: tuple[str, str], looks: Mapping[str, Style]
) -> Element | None:
    """A named point for each method; the horizontal axis is logarithmic."""
    points = {name: point for name, point in points.items() if point[0] > 0 and np.isfinite(point).all()}
    if not points:
        return None
    x = axis(labels[0], [point[0] for point in points.values()], LEFT, WIDTH - RIGHT, logarithmic=True)
    y = axis(labels[1], [point[1] for point in points.values()], HEIGHT - BOTTOM, TOP)
    parts = _frame(x, y, HEIGHT - BOTTOM)
    places = {name: (x.place(point[0]), y.place(point[1])) for name, point in points.items()}
    taken = [(a - 4, b - 4, a + 4, b + 4) for a, b in places.values()]
    for name, at in places.items():
        look = looks[name]
        parts.append(element("circle", cx=at[0], cy=at[1], r=6 if look.ours else 4, class_=f"dot {look.colour}"))
        text = _cut(name)
        where = _free_place(at, text, taken)
        if abs(where[1] - at[1]) > BESIDE:
            # in a crowd, a name that is not beside its point needs a line to it
            parts.append(
                element("line", x1=at[0], y1=at[1], x2=where[0], y2=where[1] - 4, class_=f"leader {look.colour}")
            )
        parts.append(_text(text, *where, "name ours" if look.ours else "name"))
    return _figure(title, _picture(title, parts))
