"""Everything in order: what ``ctsgan evaluate`` does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from .examples import choose_places, write_example
from .extras import UNITS, measure_extras
from .measure import REFERENCE, Ready, Store, measure_pair, prepare
from .methods import Enhance, Method, baseline, choose
from .pairs import PAIRED, Chosen, every_nth, find_sources, row_and_column_mm, thinned, whole_volume
from .request import EvaluateRequest, completed, settings
from .results import FORMAT, Found, distances, environment, patient_scores, write_results
from .scores import SLICE_SCORES, missing_weights

STORE = "measured.jsonl"
"""In the output folder: what an interrupted run goes on from."""

REFERENCES = 32
"""Slices that lesions are put into, or edges are looked for in, are chosen from so many."""

Progress = Callable[[float, int], None]


def evaluate(
    reference: Path,
    out: Path,
    request: EvaluateRequest | None = None,
    progress: Progress = lambda done, total: None,
    say: Callable[[str], None] = lambda sentence: None,
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
    reference, out = Path(reference), Path(out)
    request = completed(request or EvaluateRequest())
    if request.threads:
        torch.set_num_threads(request.threads)
    sources, files, scale = find_sources(reference, request.scale, request.paired)
    for file in files:
        if file["skipped"]:
            say(f"{file['name']} is left out: {file['skipped']}")
    request = replace(request, scale=scale)
    chosen = thinned(every_nth(sources, request.every), request.limit)
    measured = {source.name: len(indices) for source, indices in chosen}
    files = [{**file, "slices": measured.get(file["name"], 0)} for file in files]
    methods = choose(request.methods, scale, request.model)
    with Store(out / STORE) as store:
        results = _measured(request, chosen, methods, store, out, progress, say)
    results = {
        "format": FORMAT,
        "settings": settings(reference, out, request),
        "environment": environment(),
        "files": files,
        **results,
    }
    write_results(results, out)
    from .report import write_report

    return write_report(results, out)


def _measured(
    request: EvaluateRequest,
    chosen: Chosen,
    methods: dict[str, Method],
    store: Store,
    out: Path,
    progress: Progress,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """All that is measured, as the results name it."""
    groups = list(request.groups)
    if "perception" in groups and (reason := missing_weights()):
        say(f"perception is left out: {reason}")
        groups.remove("perception")
    loaded: dict[str, Enhance] = {}
    ready, missing = {}, {}
    for preset in request.presets:
        prepared = dict(zip(methods, prepare(methods, preset, request.scale, loaded), strict=True))
        ready[preset] = [item for item in prepared.values() if isinstance(item, Ready)]
        missing[preset] = {name: item for name, item in prepared.items() if not isinstance(item, Ready)}
    for name in methods:
        reasons = {missing[preset][name] for preset in request.presets if name in missing[preset]}
        for reason in sorted(reasons):
            say(f"{name} is left out: {reason}")
    # what is not measured slice by slice is measured for one preset: the one with noise, if it is among them
    single = "portable" if "portable" in request.presets else request.presets[0]
    count = sum(len(indices) for _, indices in chosen)
    slices = sum(count * len(ready[preset]) for preset in request.presets) if set(groups) & set(SLICE_SCORES) else 0
    total = slices + sum(UNITS.get(group, 0) for group in groups) * len(ready[single])
    done = 0

    def advance(units: int) -> None:
        nonlocal done
        done += units
        progress(done, max(total, 1))

    found = _slices(request, chosen, ready, groups, store, advance)
    patient_of = {source.name: source.patient for source, _ in chosen}
    identities = {item.name: item.identity for items in ready.values() for item in items}
    results = {
        "methods": {
            name: {
                "ours": method.ours,
                "told": method.told,
                "licence": method.licence,
                "identity": identities.get(name, ""),
                "missing": None if name in identities else missing[request.presets[0]][name],
            }
            for name, method in methods.items()
        },
        "scores": {preset: patient_scores(found[preset], patient_of) for preset in found},
        "perception": {preset: distances(found[preset]) for preset in found} if "perception" in groups else {},
        "examples": _examples(chosen, ready, found, methods, request.scale, out),
    }
    references = _references(chosen)
    return results | measure_extras(
        groups, ready[single], request.scale, _degradable(single), references, request.model, store, advance, say
    )


def _degradable(preset: str) -> str:
    """A preset that phantoms can go through; pairs that somebody else made do not say which, so the portable one."""
    return "portable" if preset == PAIRED else preset


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
    chosen: Chosen,
    ready: dict[str, list[Ready]],
    found: dict[str, Found],
    methods: dict[str, Method],
    scale: int,
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


def _references(chosen: Chosen) -> list[dict[str, Any]]:
    """Some of the slices that are measured, evenly spread, as :func:`ctsgan.data.load_slices` returns volumes."""
    volumes = []
    for source, indices in thinned(chosen, REFERENCES):
        volume = whole_volume(source.path)
        slices = torch.from_numpy(volume.voxels[indices])
        volumes.append({"slices": slices, "spacing_mm": row_and_column_mm(volume), "name": source.name})
    return volumes
