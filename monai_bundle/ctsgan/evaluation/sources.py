"""Which volumes are measured, whose they are, and which of their slices."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..degradation.volumes import degraded_shape
from ..errors import CTError, reason
from ..io.files import find_volumes, is_dicom_folder, read_volume, split_suffix
from ..volume import Volume
from .pairs import PAIRED, Pair, degraded_pairs, whole_volume
from .statistics import patients

SCALES = (1, 2, 4)

REFERENCES = 32
"""Slices that lesions are put into, or edges are looked for in, are chosen from so many."""

NEIGHBOURS = 4
"""Neighbouring slices that consistency is measured on."""


@dataclass(frozen=True)
class Source:
    """A reference volume that can be read.

    Args:
        path: file or DICOM folder.
        name: of it below the folder of references.
        patient: whose it is.
        slices: how many it has.
        low: the volume it is paired with, or ``None``.
    """

    path: Path
    name: str
    patient: str
    slices: int
    low: Path | None = None

    def pairs(self, presets: Sequence[str], scale: int, indices: Iterable[int]) -> Iterator[Pair]:
        """Pairs of some slices, preset by preset. What is drawn depends on the file's name and the slice alone."""
        volume = whole_volume(self.path)
        if self.low is None:
            for preset in presets:
                yield from degraded_pairs(volume, self.name, preset, scale, indices)
            return
        low = whole_volume(self.low)
        for index in indices:
            yield Pair(self.name, index, PAIRED, scale, low.voxels[index], volume.voxels[index], low.row_and_column_mm)


def find_sources(
    folder: Path, scale: int | None, paired: Path | None = None
) -> tuple[list[Source], list[dict[str, Any]], int]:
    """The volumes of a folder, each read once to see whether it can be.

    Args:
        folder: of volumes, with sub-folders; or one DICOM series.
        scale: what the presets reduce by; of pairs, what their grids must say, or ``None``.
        paired: folder of low-quality volumes with the same names.

    Returns:
        the sources; for each file, also one that is left out, ``name``, ``patient``, ``slices``, ``sha256`` and in
        ``skipped`` the reason or ``None``; and the scale.

    Raises:
        CTError: if there is no volume, none that can be read, or a pair that does not fit.
    """
    paths = _volumes(folder)
    names = {path: path.name if path == folder else path.relative_to(folder).as_posix() for path in paths}
    patient_of = patients(folder, list(names.values()))
    partners = _partners(folder, paths, paired) if paired else {}
    sources, files = [], []
    for path, name in names.items():
        entry = {"name": name, "patient": patient_of[name], "slices": 0, "sha256": None, "skipped": None}
        files.append(entry)
        try:
            entry["sha256"] = _digest(path)
            volume = read_volume(path)
            entry["slices"] = len(volume.voxels)
            low = read_volume(partners[path]) if paired else None
            if low is None:
                degraded_shape(volume, scale or 1)
        except CTError as error:
            entry["skipped"] = str(error)
        else:
            if low is not None:
                scale = _fitting_scale(low, volume, partners[path], path, scale)
            sources.append(Source(path, name, patient_of[name], len(volume.voxels), partners.get(path)))
    if not sources:
        raise CTError(f"no volume in {folder} can be measured: {files[0]['skipped']}")
    return sources, files, scale or 1


def _volumes(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise CTError(f"there is no folder {folder}; give one with CT volumes")
    paths = [folder] if is_dicom_folder(folder) else find_volumes(folder, recursive=True)
    if not paths:
        raise CTError(f"no CT volume in {folder}; give a folder with volumes in HU")
    return paths


def _digest(path: Path) -> str:
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    content = hashlib.sha256()
    try:
        for file in files:
            content.update(file.read_bytes())
    except OSError as error:
        raise CTError(f"{error.filename} cannot be read: {reason(error)}") from None
    return content.hexdigest()


def _partners(folder: Path, paths: list[Path], paired: Path) -> dict[Path, Path]:
    """The low-quality volume of each reference: of the same name, whatever the format, or the only one there is."""

    def stem(path: Path, below: Path) -> str:
        return "" if path == below else split_suffix(path.relative_to(below).as_posix())[0]

    lows = {stem(path, paired): path for path in _volumes(paired)}
    if len(paths) == len(lows) == 1:
        return dict(zip(paths, lows.values(), strict=True))
    for path in paths:
        if stem(path, folder) not in lows:
            raise CTError(f"{paired} has no volume for {path}; give both the same name")
    return {path: lows[stem(path, folder)] for path in paths}


def _fitting_scale(low: Volume, reference: Volume, low_path: Path, path: Path, scale: int | None) -> int:
    """The scale from ``low`` to ``reference``; :class:`CTError` if their slices do not lie on each other."""

    def refuse(reason: str) -> CTError:
        return CTError(f"{low_path} and {path} are no pair: {reason}; give volumes of the same slices of one patient")

    if len(low.voxels) != len(reference.voxels):
        raise refuse(f"{len(low.voxels)} and {len(reference.voxels)} slices")
    (rows, columns), (fine_rows, fine_columns) = low.voxels.shape[1:], reference.voxels.shape[1:]
    found = next((s for s in SCALES if (s * rows, s * columns) == (fine_rows, fine_columns)), None)
    if found is None:
        raise refuse(
            f"slices of {columns} x {rows} and {fine_columns} x {fine_rows} pixels, not one, two or four to one"
        )
    if scale is not None and found != scale:
        raise refuse(f"their grids say x{found}, not x{scale} as asked or as the pairs before")
    ends = np.array([[0, 0, 0, 1], [columns, 0, 0, 1], [0, rows, 0, 1], [0, 0, len(low.voxels) - 1, 1]], dtype=float)
    fine = low.upscaled(low.voxels, found)
    ends[:, :2] *= found
    distance = np.linalg.norm((ends @ (fine.affine - reference.affine).T)[:, :3], axis=1).max()
    if distance > 0.5 * reference.spacing_mm[:2].min():
        raise refuse(f"their corners lie up to {distance:.2f} mm apart")
    return found


Chosen = list[tuple[Source, list[int]]]
"""Sources with the indices of the slices that are looked at."""


def every_nth(sources: Sequence[Source], every: int) -> Chosen:
    """Every n-th slice of each source."""
    return [(source, list(range(0, source.slices, every))) for source in sources]


def thinned(chosen: Chosen, limit: int | None) -> Chosen:
    """At most ``limit`` of the slices, evenly spread over all; all of them for ``None``."""
    flat = [(source, index) for source, indices in chosen for index in indices]
    if limit is not None and limit < len(flat):
        flat = [flat[int((place + 0.5) * len(flat) / limit)] for place in range(limit)]
    left: dict[str, tuple[Source, list[int]]] = {}
    for source, index in flat:
        left.setdefault(source.name, (source, []))[1].append(index)
    return list(left.values())


def references(chosen: Chosen) -> list[dict[str, Any]]:
    """Some of the slices that are measured, evenly spread, as :func:`ctsgan.data.load_slices` returns volumes."""
    volumes = []
    for source, indices in thinned(chosen, REFERENCES):
        volume = whole_volume(source.path)
        slices = torch.from_numpy(volume.voxels[indices])
        volumes.append({"slices": slices, "spacing_mm": volume.row_and_column_mm, "name": source.name})
    return volumes


def neighbours(chosen: Chosen, preset: str, scale: int) -> list[Pair]:
    """Pairs from the middle of the volume with most slices."""
    source = max((source for source, _ in chosen), key=lambda source: source.slices)
    first = max(source.slices - NEIGHBOURS, 0) // 2
    return list(source.pairs([preset], scale, range(first, min(first + NEIGHBOURS, source.slices))))
