"""What a finished read job left for other tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from ctsgan.volume import Volume

from ..pictures import Picture, as_volume

DICOM_SERIES = "DICOM series"
"""The format of what came as DICOM, as a person reads it."""


def facts_of(folder: str) -> dict[str, Any]:
    """What was read, from a read job's folder."""
    return json.loads((Path(folder) / "read.json").read_text(encoding="utf-8"))


def stack_of(folder: str) -> np.ndarray:
    """Voxels in HU (slices, rows, columns), or a picture's pixels with a first axis of 1; not in memory."""
    return np.load(Path(folder) / "before.npy", mmap_mode="r")


def volume_of(folder: str) -> tuple[Volume, Picture | None]:
    """What was read as a volume; of a picture its luminance on the networks' scale, and the picture."""
    facts, stack = facts_of(folder), stack_of(folder)
    if facts["kind"] == "picture":
        picture = Picture(np.asarray(stack[0]))
        return as_volume(picture), picture
    return Volume(stack, np.array(facts["affine"])), None
