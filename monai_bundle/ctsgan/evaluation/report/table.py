"""Tables that scroll within themselves, with a header and a first column that stay in sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from .markup import EN_DASH, Child, element

Cell = Child | Sequence[Child]
TOLD = "Told the true degradation; never counted as best"


def cell(tag: str, content: Cell, **attributes: Any) -> Element:
    children = [content] if content is None or isinstance(content, str | Element) else content
    return element(tag, *children, **attributes)


def table(caption: str, head: Sequence[Element], bodies: Sequence[Element], label: str) -> Element:
    """A table in a region that the keyboard can scroll.

    Args:
        caption: shown above it.
        head: rows of the header.
        bodies: groups of rows.
        label: what the region is, for those who hear it.
    """
    parts = [element("caption", element("span", caption)), element("thead", *head), *bodies]
    return element("div", element("table", *parts), class_="scroll", tabindex=0, role="region", aria_label=label)


def simple_table(
    caption: str, header: Sequence[str], rows: Sequence[Sequence[Cell]], label: str, class_: str | None = None
) -> Element:
    """A table whose first column names the rows."""
    head = element("tr", *(element("th", name, scope="col") for name in header))
    lines = [element("tr", cell("th", row[0], scope="row"), *(cell("td", item) for item in row[1:])) for row in rows]
    made = table(caption, [head], [element("tbody", *lines)], label)
    if class_:
        made.find("table").set("class", class_)
    return made


def definitions(found: Mapping[str, Any]) -> Element:
    """Names and what they stand for, a pair each."""
    pairs = []
    for name, value in found.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else EN_DASH if value is None else str(value)
        pairs.append(element("div", element("dt", name), element("dd", text)))
    return element("dl", *pairs)


def method_name(method: str, methods: Mapping[str, Mapping[str, Any]]) -> list[Child]:
    """A method as the tables show it; ours with a mark that is no colour alone."""
    ours = methods.get(method, {}).get("ours", False)
    return [element("span", method, class_="method"), " " if ours else None, badge("ours") if ours else None]


def badge(text: str) -> Element:
    return element("span", text, class_="badge")


def method_bodies(
    rows: Mapping[str, Sequence[Element]], methods: Mapping[str, Mapping[str, Any]], columns: int
) -> list[Element]:
    """Groups of rows by method: those that compete, and apart from them those that are told the truth.

    Args:
        rows: cells of each method but its name.
        methods: as in the results.
        columns: of the table, the first one included.
    """

    def lines(told: bool) -> list[Element]:
        return [
            element(
                "tr",
                cell("th", method_name(method, methods), scope="row"),
                *cells,
                class_="ours" if methods.get(method, {}).get("ours") else None,
            )
            for method, cells in rows.items()
            if bool(methods.get(method, {}).get("told")) == told
        ]

    bodies = [element("tbody", *lines(told=False))]
    if told := lines(told=True):
        heading = element("th", element("span", TOLD), colspan=columns, scope="rowgroup", class_="group")
        bodies.append(element("tbody", element("tr", heading), *told))
    return bodies
