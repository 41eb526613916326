"""HTML by construction: text is text whatever it holds, since elements are built and never pasted together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

EN_DASH = "\u2013"
MINUS = "\u2212"
TIMES = "\u00d7"

Child = Element | str | None


def element(tag: str, *children: Child, **attributes: Any) -> Element:
    """An element of HTML or SVG.

    Args:
        tag: its name.
        children: elements and text in their order; ``None`` is left out.
        attributes: ``class_`` is ``class`` and ``stroke_width`` is ``stroke-width``; ``None`` leaves one out.
    """
    names = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items() if value is not None}
    made = Element(tag, {name: str(value) for name, value in names.items()})
    last = None
    for child in children:
        if isinstance(child, Element):
            # a child's tail belongs to the place it is in
            child.tail = None
            made.append(child)
            last = child
        elif child is not None and last is None:
            made.text = (made.text or "") + child
        elif child is not None:
            last.tail = (last.tail or "") + child
    return made


def render(root: Element) -> str:
    """A whole page."""
    return "<!DOCTYPE html>\n" + ElementTree.tostring(root, encoding="unicode", method="html")


def number(value: float | None, digits: int, signed: bool = False) -> str:
    """A number with a true minus sign; an en dash if it is ``None`` or NaN."""
    if value is None or math.isnan(value):
        return EN_DASH
    if math.isinf(value):
        return f"{MINUS if value < 0 else ''}\u221e"
    text = f"{value:{'+' if signed else ''}.{digits}f}"
    # nothing is below zero by less than what is printed
    text = text.lstrip("-") if float(text) == 0 and not signed else text
    return text.replace("-", MINUS)


def short(value: Any) -> str:
    """A number of unknown size with three or four figures, whole numbers in full; text as it is."""
    if isinstance(value, str):
        return value
    if value is None or math.isnan(value):
        return EN_DASH
    if math.isinf(value) or (float(value).is_integer() and abs(value) < 1e6):
        return number(value, 0)
    if not 1e-3 <= abs(value) < 1e6:
        return f"{value:.3g}".replace("-", MINUS)
    return number(value, max(0, 2 - math.floor(math.log10(abs(value)))))


def places(values: Sequence[float]) -> int:
    """Decimals for a column: three figures of the middle one, and so many that what is not whole does not look whole.

    Four at most.
    """
    finite = [abs(value) for value in values if math.isfinite(value)]
    parts = [value for value in finite if not float(value).is_integer()]
    if not parts:
        return 0
    middle = median(value for value in finite if value)
    fewest = min(max(0, 2 - math.floor(math.log10(middle))), 4)
    whole = (count for count in range(fewest, 4) if not any(_looks_whole(value, count) for value in parts))
    return next(whole, 4)


def _looks_whole(value: float, decimals: int) -> bool:
    return round(value, decimals).is_integer()
