"""The tables: means over patients with their intervals, and ours against the best peer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..quality import SCORES
from .measure import NAMES, TISSUE_SCORES
from .method import Method
from .statistics import bootstrap, patient_means

Found = Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]]
"""As :func:`benchmarks.peers.measure.measure` returns it."""

BETTER = {"wide dB": 1, "soft dB": 1, "soft SSIM": 1, "soft RMSE": -1}
"""Scores that name a best method: the higher the better, or the lower."""


def _digits(score: str) -> int:
    return 3 if "SSIM" in score else 2


def _interval(values: Sequence[float], score: str, sign: str = "") -> str:
    if not values:
        return "-"
    mean, lower, upper = bootstrap(values)
    digits = _digits(score)
    return f"{mean:{sign}.{digits}f} [{lower:{sign}.{digits}f}, {upper:{sign}.{digits}f}]"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def by_patient(found: Found, patient_of: Mapping[str, str]) -> dict[str, dict[str, dict[str, float]]]:
    """Means of each method, score and patient."""
    return {
        name: {
            score: patient_means(
                {file: [item["scores"][column] for item in slices] for file, slices in files.items()}, patient_of
            )
            for column, score in enumerate(NAMES)
        }
        for name, files in found.items()
    }


def differences(
    means: Mapping[str, Mapping[str, Mapping[str, float]]], methods: Mapping[str, Method]
) -> list[list[str]]:
    """Rows of ours minus the best peer, patient by patient, for each score that names a best.

    The best peer is chosen on the same patients, which favours the peer. One that is told the truth about the
    degradation stands in a row of its own.
    """
    rows = []
    for ours in (name for name in means if methods[name].ours):
        for told in (False, True):
            peers = [name for name in means if not methods[name].ours and methods[name].told == told]
            for score, direction in BETTER.items() if peers else ():
                best = max(peers, key=lambda name: direction * np.mean(list(means[name][score].values())))
                mine, theirs = means[ours][score], means[best][score]
                paired = [mine[patient] - theirs[patient] for patient in mine if patient in theirs]
                rows.append([ours, best, score, _interval(paired, score, "+")])
    return rows


def report(found: Found, methods: Mapping[str, Method], patient_of: Mapping[str, str], title: str) -> str:
    """Markdown for one protocol and scale."""
    means = by_patient(found, patient_of)
    fidelity, tissues = [], []
    for name, scores in means.items():
        seconds = [item["seconds"] for slices in found[name].values() for item in slices]
        cells = [_interval(list(scores[score].values()), score) for score in SCORES]
        fidelity.append([name, *cells, f"{np.median(seconds):.2f}"])
        tissues.append([name, *(_interval(list(scores[tissue].values()), tissue, "+") for tissue in TISSUE_SCORES)])
    parts = [
        f"## {title}",
        _table(["method", *SCORES, "processor s a slice"], fidelity),
        "Mean error by tissue (HU):",
        _table(["method", *(name.removesuffix(" HU") for name in TISSUE_SCORES)], tissues),
    ]
    if rows := differences(means, methods):
        parts += ["Ours minus the best peer:", _table(["ours", "best peer", "score", "difference"], rows)]
    return "\n\n".join(parts)
