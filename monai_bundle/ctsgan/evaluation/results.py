"""From the scores of slices to the dictionary that ``results.json`` holds and the report is made from."""

from __future__ import annotations

import datetime
import json
import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..errors import CTError, reason
from ..io.output import partial_output
from .measure import REFERENCE
from .scores import DIRECTIONS, FEATURES, frechet_distances
from .statistics import patient_means

FORMAT = 1
NAME = "results.json"

Found = Mapping[str, Sequence[Mapping[str, Any]]]
"""Of one preset: by method, of each slice ``file``, ``scores`` and what else was kept."""


def patient_scores(found: Found, patient_of: Mapping[str, str]) -> dict[str, dict[str, dict[str, float]]]:
    """Means over each patient's slices, by method and score."""
    table: dict[str, dict[str, dict[str, float]]] = {}
    for method, slices in found.items():
        if method == REFERENCE:
            continue
        table[method] = {}
        for name in DIRECTIONS:
            by_file: dict[str, list[float]] = {}
            for item in slices:
                if name in item["scores"]:
                    by_file.setdefault(item["file"], []).append(item["scores"][name])
            if by_file:
                table[method][name] = patient_means(by_file, patient_of)
    return table


def distances(found: Found) -> dict[str, dict[str, float]]:
    """FID-VGG of each method over all its slices."""
    features = {
        method: [item["scores"][FEATURES] for item in slices if FEATURES in item["scores"]]
        for method, slices in found.items()
    }
    reference = features.pop(REFERENCE, [])
    return {method: {"FID-VGG": value} for method, value in frechet_distances(features, reference).items()}


def environment() -> dict[str, Any]:
    """What a figure may depend on beside code and data."""
    packages = {name: version(name) for name in ("torch", "numpy", "monai")}
    return {
        "ctsgan": __version__,
        "python": platform.python_version(),
        **packages,
        "processor": _processor(),
        "threads": torch.get_num_threads(),
        "date": datetime.date.today().isoformat(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{model}, {os.cpu_count()} cores"


def write_results(results: Mapping[str, Any], out: Path) -> None:
    """Write ``results.json`` into ``out``, whole or not at all.

    Raises:
        CTError: if it cannot be written.
    """
    try:
        with partial_output(out / NAME, overwrite=True) as partial:
            partial.write_text(json.dumps(results, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise CTError(f"{out / NAME} could not be written: {reason(error)}; choose another output folder") from None
