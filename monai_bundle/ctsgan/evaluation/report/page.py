"""The page: what was compared, the result, tables, figures, and what makes it repeatable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from . import figures
from .examples import example
from .markup import TIMES, Child, element, render
from .number_tables import growth_table, number_tables
from .papers import papers_table
from .provenance import provenance
from .reading import reading
from .result import opening, result_sentences
from .score_tables import score_tables
from .summary import Row

POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""The page loads nothing, and a browser is told to keep it so."""

Section = tuple[str, str, list[Child]]
"""An anchor, a title and what stands there."""


def _sections(results: Mapping[str, Any], rows: Sequence[Row], out: Path) -> list[Section]:
    sections: list[Section] = [("result", "Result", result_sentences(results, rows))]
    sections.append(("reading", "How to read the tables", reading(results)))
    for index, preset in enumerate(results["settings"]["presets"]):
        charts = [figures.boxes_of(results, preset), figures.speed_of(results, preset, rows)]
        drawn = [chart for chart in charts if chart is not None]
        shown = element("div", *drawn, class_="charts") if drawn else None
        title = f"Scores, {preset} {TIMES}{results['settings']['scale']}"
        sections.append((f"scores-{index}", title, [shown, *score_tables(results, preset, rows)]))
    crops = [example(results, found, out) for found in results.get("examples", [])]
    sections.append(("examples", "Examples", crops))
    for section in ("physics", "honesty"):
        parts = [figures.curves_of(results, section), *number_tables(results, section)]
        sections.append((section, section.capitalize(), parts))
    cost = [*number_tables(results, "cost"), figures.growth_of(results), growth_table(results)]
    sections.append(("cost", "Cost", cost))
    sections.append(("papers", "The papers' tables", [papers_table(results, rows)]))
    return [(anchor, title, parts) for anchor, title, parts in sections if any(part is not None for part in parts)]


def page(results: Mapping[str, Any], rows: Sequence[Row], out: Path) -> str:
    """The whole page as text.

    Args:
        results: as :func:`ctsgan.evaluation.report.write_report` takes them.
        rows: their summary.
        out: the folder of the pictures.
    """
    sections = _sections(results, rows, out)
    sections.append(("provenance", "Provenance", provenance(results)))
    links = [element("li", element("a", title, href=f"#{anchor}")) for anchor, title, _ in sections]
    body: list[Element] = [
        element("a", "Skip to the result", href="#result", class_="skip"),
        element("header", *opening(results)),
        element("nav", element("ul", *links), aria_label="Sections"),
        element(
            "main",
            *(
                element(
                    "section",
                    element("h2", title, id=f"{anchor}-title"),
                    *parts,
                    id=anchor,
                    aria_labelledby=f"{anchor}-title",
                )
                for anchor, title, parts in sections
            ),
        ),
        element("footer", element("p", "For research. This is not a medical device.")),
    ]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("title", f"CT enhancement, {TIMES}{results['settings']['scale']}: methods compared"),
        element("style", Path(__file__).with_name("style.css").read_text(encoding="utf-8")),
    )
    return render(element("html", head, element("body", *body), lang="en"))
