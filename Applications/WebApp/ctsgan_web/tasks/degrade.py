"""One slice made coarser and noisier, as the models were trained on: what the page About shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ctsgan.degradation import preset
from ctsgan.degradation.volumes import degrade_slices

from ..pictures import from_volume
from .facts import volume_of


def run(folder: Path, request: dict[str, Any], progress: Callable[[float, int], None]) -> dict[str, Any]:
    """Degrade slice ``request["slice"]`` by ``request["preset"]``.

    Leaves the result as ``before.npy`` and the slice itself as ``after.npy``.

    Raises:
        CTError: if the slice is too small.
    """
    volume, picture = volume_of(request["read"])
    index = request["slice"]
    one = replace(volume, voxels=np.asarray(volume.voxels[index : index + 1]))
    chain = preset(request["preset"], request["scale"])
    degraded = next(iter(degrade_slices(one, chain, request["seed"], [0])))
    coarse = degraded if picture is None else from_volume(replace(one, voxels=degraded[None]), picture).pixels
    np.save(folder / "before.npy", coarse[None])
    np.save(folder / "after.npy", one.voxels if picture is None else picture.pixels[None])
    return {"shape": [1, *coarse.shape[:2]]}
