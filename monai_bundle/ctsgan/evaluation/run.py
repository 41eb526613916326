"""Everything in order: what ``ctsgan evaluate`` does."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from ..progress import progress_display
from .examples import choose_places, write_example
from .extras import UNITS, Subject, measure_extras
from .measure import REFERENCE, Ready, Store, measure_pair, prepare
from .methods import Enhance, Method, baseline, choose
from .methods.method import package_version
from .pairs import PAIRED
from .report import write_report
from .request import EvaluateRequest, completed, settings
from .results import FORMAT, Found, distances, environment, patient_scores, write_results
from .scores import SLICE_SCORES, missing_weights
from .sources import Chosen, every_nth, find_sources, neighbours, references, thinned

STORE = "measured.jsonl"
"""In the output folder: what an interrupted run goes on from."""

Progress = Callable[[float, int], None]
Say = Callable[[str], None]


def evaluate(
    reference: Path,
    out: Path,
    request: EvaluateRequest | None = None,
    progress: Progress = lambda done, total: None,
    say: Say = lambda sentence: None,
) -> Path:
    """Measure methods side by side and write the report into ``out``; goes on where an interrupted run was.

    Args:
        reference: folder of CT volumes in HU, or a DICOM series.
        out: folder, made if it is not there.
        request: see :class:`EvaluateRequest`; ``None`` is one with the defaults.
        progress: told (slices done, slices in all), a slice for each method and preset.
        say: takes one sentence about what is left out.

    Returns:
        The path of the report.

    Raises:
        CTError: for anything the user can mend.
    """
    # pictures are written at the end of hours
    package_version("pillow")
    reference, out = Path(reference), Path(out)
    request = completed(request or EvaluateRequest())
    if request.threads:
        torch.set_num_threads(request.threads)
    methods = choose(request.methods, request.scale, request.model) if request.scale else {}
    sources, files, scale = find_sources(reference, request.scale, request.paired)
    for file in files:
        if file["skipped"]:
            say(f"{file['name']} is left out: {file['skipped']}")
    methods = methods or choose(request.methods, scale, request.model)
    request = replace(request, scale=scale)
    chosen = thinned(every_nth(sources, request.every), request.limit)
    measured = {source.name: len(indices) for source, indices in chosen}
    with Store(out / STORE) as store:
        results = {
            "format": FORMAT,
            "settings": settings(reference, out, request),
            "environment": environment(),
            "files": [{**file, "slices": measured.get(file["name"], 0)} for file in files],
            **_measured(request, chosen, methods, store, out, progress, say),
        }
    write_results(results, out)
    return write_report(results, out)


def evaluate_and_show(reference: Path, out: Path, request: EvaluateRequest, style: str = "bar") -> Path:
    """:func:`evaluate` with its progress, and what is left out on standard error.

    Args:
        reference, out, request: as there.
        style: of :data:`ctsgan.progress.STYLES`.
    """

    def say(sentence: str) -> None:
        print(f"ctsgan: {sentence}", file=sys.stderr, flush=True)

    with progress_display(style, Path(reference).name) as progress:
        return evaluate(reference, out, request, progress, say)


def _measured(
    request: EvaluateRequest,
    chosen: Chosen,
    methods: dict[str, Method],
    store: Store,
    out: Path,
    progress: Progress,
    say: Say,
) -> dict[str, Any]:
    """All that is measured, as the results name it."""
    groups = _available_groups(request.groups, say)
    loaded: dict[str, Enhance] = {}
    prepared = {preset: prepare(methods, preset, request.scale, loaded) for preset in request.presets}
    ready = {preset: [item for item in found.values() if isinstance(item, Ready)] for preset, found in prepared.items()}
    for name in methods:
        for reason in sorted({found[name] for found in prepared.values() if isinstance(found[name], str)}):
            say(f"{name} is left out: {reason}")
    # what is not measured slice by slice is measured for one preset: the one with noise, if it is among them
    single = "portable" if "portable" in request.presets else request.presets[0]
    slices = sum(len(indices) for _, indices in chosen) if set(groups) & set(SLICE_SCORES) else 0
    total = slices * sum(map(len, ready.values())) + sum(UNITS.get(group, 0) for group in groups) * len(ready[single])
    done = 0

    def advance(units: int) -> None:
        nonlocal done
        done += units
        progress(done, max(total, 1))

    found = _slices(request, chosen, ready, groups, store, advance)
    subject = Subject(
        request.scale,
        # pairs that somebody else made do not say how; phantoms then go through the portable protocol
        "portable" if single == PAIRED else single,
        references(chosen),
        neighbours(chosen, single, request.scale),
        request.model,
    )
    patient_of = {source.name: source.patient for source, _ in chosen}
    return {
        "methods": _about(methods, prepared),
        "scores": {preset: patient_scores(found[preset], patient_of) for preset in found},
        "perception": {preset: distances(found[preset]) for preset in found if "perception" in groups},
        "examples": _examples(request.scale, chosen, ready, found, methods, out),
        **measure_extras(groups, ready[single], subject, store, advance, say),
    }


def _available_groups(groups: Sequence[str], say: Say) -> list[str]:
    if "perception" in groups and (reason := missing_weights()):
        say(f"perception is left out: {reason}")
        return [group for group in groups if group != "perception"]
    return list(groups)


def _about(methods: dict[str, Method], prepared: dict[str, dict[str, Ready | str]]) -> dict[str, dict[str, Any]]:
    """What the results say of each method; one that is there for some presets only is not missing."""
    about = {}
    for name, method in methods.items():
        found = [by_name[name] for by_name in prepared.values()]
        identities = [item.identity for item in found if isinstance(item, Ready)]
        about[name] = {
            "ours": method.ours,
            "told": method.told,
            "licence": method.licence,
            "identity": identities[0] if identities else "",
            "missing": None if identities else found[0],
        }
    return about


def _slices(
    request: EvaluateRequest,
    chosen: Chosen,
    ready: dict[str, list[Ready]],
    groups: list[str],
    store: Store,
    advance: Callable[[int], None],
) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """By preset and method, the scores of every slice; one volume at a time is in memory."""
    found: dict[str, dict[str, list[dict[str, Any]]]] = {preset: {} for preset in request.presets}
    if not set(groups) & set(SLICE_SCORES):
        return found
    for source, indices in chosen:
        for pair in source.pairs(request.presets, request.scale, indices):
            for method, item in measure_pair(pair, ready[pair.preset], groups, store).items():
                entry = {"file": source.name, "index": pair.index, "patient": source.patient, **item}
                found[pair.preset].setdefault(method, []).append(entry)
            advance(len(ready[pair.preset]))
    return found


def _examples(
    scale: int,
    chosen: Chosen,
    ready: dict[str, list[Ready]],
    found: dict[str, Found],
    methods: dict[str, Method],
    out: Path,
) -> list[dict[str, Any]]:
    """Crops where our first method, or else the first peer, disagrees most with the baseline."""
    written: list[dict[str, Any]] = []
    for preset, by_method in found.items():
        names = [name for name in by_method if name not in (REFERENCE, baseline(scale))]
        names.sort(key=lambda name: not methods[name].ours)
        for item in choose_places(by_method[names[0]]) if names else ():
            source = next(source for source, _ in chosen if source.name == item["file"])
            (pair,) = source.pairs([preset], scale, [item["index"]])
            written.append(write_example(pair, item["place"], ready[preset], out, len(written)))
    return written
