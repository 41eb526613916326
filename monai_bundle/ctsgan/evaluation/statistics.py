"""Means over patients and how sure they are."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

RESAMPLES = 10_000


def patients(folder: Path, files: Sequence[str]) -> dict[str, str]:
    """The patient of each file, from the nearest MANIFEST.csv in the folder or above it; else each file is one.

    The manifest has the columns ``file`` and ``patient``; another one is passed over. A file's row is the one whose
    path ends as its own does below the folder, or else the one with its name, if there is only one.
    """
    folder = folder.resolve()
    rows: list[tuple[str, str]] = []
    for place in (folder, *folder.parents):
        manifest = place / "MANIFEST.csv"
        if not manifest.is_file():
            continue
        with manifest.open(newline="", encoding="utf-8", errors="replace") as lines:
            table = csv.DictReader(lines)
            if {"file", "patient"} <= set(table.fieldnames or ()):
                rows = [(f"/{row['file']}", row["patient"]) for row in table]
                break

    def patient(file: str) -> str:
        for ending in (f"/{file}", f"/{Path(file).name}"):
            found = {patient for path, patient in rows if path.endswith(ending)}
            if len(found) == 1:
                return found.pop()
        return file

    return {file: patient(file) for file in files}


def patient_means(scores: Mapping[str, Sequence[float]], patient_of: Mapping[str, str]) -> dict[str, float]:
    """The mean over all slices of each patient, NaN left out; who has only NaN is left out.

    Args:
        scores: of each slice, by file.
        patient_of: the patient of each file.
    """
    slices: dict[str, list[float]] = {}
    for file, values in scores.items():
        slices.setdefault(patient_of[file], []).extend(value for value in values if not np.isnan(value))
    return {patient: float(np.mean(values)) for patient, values in slices.items() if values}


def bootstrap(values: Sequence[float], confidence: float = 0.95, seed: int = 0) -> tuple[float, float, float]:
    """The mean over patients and its percentile interval (Efron and Tibshirani 1993), lower and upper.

    Patients are drawn with replacement, never slices: those of one patient resemble each other. With a dozen
    patients such an interval is a little too narrow.

    Args:
        values: one for each patient.
        confidence: of the interval.
        seed: of what is drawn, so that a report repeats.

    Raises:
        ValueError: without any value.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.size == 0:
        raise ValueError("there is no patient to draw from")
    drawn = np.random.default_rng(seed).integers(array.size, size=(RESAMPLES, array.size))
    lower, upper = np.quantile(array[drawn].mean(axis=1), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(array.mean()), float(lower), float(upper)
