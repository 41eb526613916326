"""What was compared, and the result in a sentence that is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...metrics import WINDOWS
from .figures import QUALITY
from .markup import TIMES, Child, element, number
from .score_tables import digits, limits, verdict
from .summary import Interval, Row, baseline


def _count(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"


def measured_methods(results: Mapping[str, Any]) -> list[str]:
    """Names of those that ran."""
    return [name for name, method in results["methods"].items() if not method.get("missing")]


def opening(results: Mapping[str, Any]) -> list[Child]:
    """The title, and how many methods, files and patients there are, and which are missing."""
    settings = results["settings"]
    # a limit may leave nothing of a file
    used = [file for file in results["files"] if file["slices"] and not file.get("skipped")]
    methods = measured_methods(results)
    slices = sum(file["slices"] for file in used)
    what = (
        f"{_count(len(methods), 'method', 'methods')} on {_count(len(used), 'file', 'files')} "
        f"({_count(slices, 'slice', 'slices')}) of "
        f"{_count(len({file['patient'] for file in used}), 'patient', 'patients')} in "
        f"{settings['reference']}, at {TIMES}{settings['scale']}"
    )
    how = (
        f"low-quality images from {settings['paired']}"
        if settings.get("paired")
        else f"degraded by {_listed(settings['presets'])}"
    )
    every = f", one slice in {settings['every']}" if settings.get("every", 1) > 1 else ""
    limit = f", at most {settings['limit']} slices" if settings.get("limit") else ""
    parts: list[Child] = [
        element("p", "Evaluation report", class_="kicker"),
        element("h1", f"CT enhancement at {TIMES}{settings['scale']}: methods compared"),
        element("p", f"{what}; {how}{every}{limit}.", class_="lead"),
    ]
    absent = {name: method["missing"] for name, method in results["methods"].items() if method.get("missing")}
    skipped = {file["name"]: file["skipped"] for file in results["files"] if file.get("skipped")}
    for title, found in (("Methods that are missing", absent), ("Files that were skipped", skipped)):
        if found:
            items = [element("li", element("b", name), f": {reason}") for name, reason in found.items()]
            parts.append(element("div", element("h2", title), element("ul", *items), class_="note"))
    return parts


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _against(difference: Interval, score: str, other: str) -> str:
    """A difference in words; where its interval holds zero, it is not told which is better."""
    places = digits(score)
    unit = " dB" if score.startswith("PSNR") else ""
    size = f"{number(difference.mean, places, signed=True)}{unit} {limits(difference, places, signed=True)}"
    said = verdict(difference, score)
    return f"{said} than {other} ({size})" if said else f"not told apart from {other} ({size})"


def result_sentences(results: Mapping[str, Any], rows: Sequence[Row]) -> list[Child]:
    """One sentence for each preset: our best method in the soft-tissue window against the baseline and the best peer.

    Where none of ours ran, which method is best.
    """
    items = []
    for preset in results["settings"]["presets"]:
        found = [row for row in rows if row.preset == preset and row.score == QUALITY]
        fair = [row for row in found if not results["methods"][row.method]["told"]]
        if not fair:
            continue
        ours = [row for row in fair if results["methods"][row.method]["ours"]]
        row = max(ours or fair, key=lambda row: row.value.mean)
        text = f" {row.method} has a mean {QUALITY} of {number(row.value.mean, 2)} dB {limits(row.value, 2)} over "
        text += _count(row.patients, "patient", "patients")
        said = []
        if row.to_baseline:
            said.append(_against(row.to_baseline, QUALITY, baseline(results)))
        if row.to_best_peer and row.best_peer != baseline(results):
            said.append(_against(row.to_best_peer, QUALITY, f"the best peer {row.best_peer}"))
        ending = f", {' and '.join(said)}." if said else "."
        items.append(element("li", element("b", f"{preset}:"), text + ending))
    if not items:
        return [element("p", f"{QUALITY} was not measured.")]
    window = " to ".join(number(end, 0) for end in WINDOWS["soft"])
    note = f"{QUALITY}: peak signal-to-noise ratio in the soft-tissue window ({window} HU), in the body."
    return [element("ul", *items, class_="result"), element("p", note, class_="muted")]
