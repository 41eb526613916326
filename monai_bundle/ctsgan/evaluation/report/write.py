"""The page and its tables, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import CTError
from ...io.output import partial_output
from ..results import FORMAT
from .page import page
from .spreadsheets import write_numbers, write_scores, write_summary
from .summary import summarise


def write_report(results: Mapping[str, Any], out: Path) -> Path:
    """Write ``report.html``, ``scores.csv``, ``summary.csv`` and ``numbers.csv`` into a folder, replacing older ones.

    Args:
        results: what ``ctsgan evaluate`` keeps in ``results.json``.
        out: a folder; the pictures that ``results["examples"]`` names are read from it and put into the page.

    Returns:
        The path of the page.

    Raises:
        CTError: if the results are of another format, or a picture is missing or none; nothing is written then.
    """
    if results.get("format") != FORMAT:
        raise CTError(
            f"the results have format {results.get('format')!r} and this version reads {FORMAT}; evaluate again"
        )
    rows = summarise(results)
    content = page(results, rows, out)
    with partial_output(out / "numbers.csv", overwrite=True) as numbers:
        write_numbers(results, numbers)
        write_scores(results, numbers.with_name("scores.csv"))
        write_summary(rows, numbers.with_name("summary.csv"))
        # a name of a file may hold bytes that are no text
        numbers.with_name("report.html").write_bytes(content.encode("utf-8", "replace"))
    return out / "report.html"
