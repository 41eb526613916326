"""Slices of whole volumes, in memory or packed on disk so that one slice is read without the others."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..intensity import whole_hu
from ..io.files import read_volume

VERSION = 1
"""Of what is packed; another one packs anew."""


def load_slices(
    paths: Iterable[str | Path | dict[str, Any]], cache_dir: str | Path | None = None
) -> list[dict[str, Any]]:
    """Axial slices of volumes, clipped to [-1024, 3071] and rounded to whole HU.

    Args:
        paths: volumes of any kind that can be read, or entries of :func:`ctsgan.data.find_sources`.
        cache_dir: where each volume is packed once, uncompressed, and read from through the operating system's
            file cache, so that 20,000 slices need no more memory than what is looked at; ``None`` holds all of
            them in memory.

    Returns:
        One dictionary a volume: ``slices`` int16 HU tensor (N, H, W), ``spacing_mm`` (row, column distance),
        ``name``.

    Raises:
        CTError: naming a volume that cannot be read.
    """
    if isinstance(paths, (str, Path)):
        raise TypeError("load_slices takes volumes; find_sources and find_volumes list those of a folder")
    volumes = []
    for entry in paths:
        path = Path(entry["image"] if isinstance(entry, dict) else entry)
        slices, spacing_mm = _read(path) if cache_dir is None else _packed(path, Path(cache_dir))
        volumes.append({"slices": torch.from_numpy(slices), "spacing_mm": spacing_mm, "name": path.name})
    return volumes


def _read(path: Path) -> tuple[np.ndarray, tuple[float, float]]:
    volume = read_volume(path)
    return whole_hu(volume.voxels), volume.row_and_column_mm


def _packed(path: Path, cache_dir: Path) -> tuple[np.ndarray, tuple[float, float]]:
    stem = cache_dir / _key(path)
    array, about = stem.with_suffix(".npy"), stem.with_suffix(".json")
    if not about.exists():
        cache_dir.mkdir(parents=True, exist_ok=True)
        slices, spacing_mm = _read(path)
        # several processes may pack at once: each writes its own file, and the last rename wins
        for target, write in (
            (array, lambda file: np.save(file, slices)),
            (about, lambda file: file.write(json.dumps({"spacing_mm": spacing_mm}).encode())),
        ):
            partial = target.with_name(f".{target.name}.{os.getpid()}")
            with open(partial, "wb") as file:
                write(file)
            partial.replace(target)
    # copy-on-write: nothing writes to it, and PyTorch does not warn of memory that cannot be written
    slices = np.load(array, mmap_mode="c")
    return slices, tuple(json.loads(about.read_text())["spacing_mm"])


def _key(path: Path) -> str:
    """Changes with the place, the size and the time of what is packed."""
    files = sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]
    states = [(str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr((VERSION, states)).encode()).hexdigest()[:32]
