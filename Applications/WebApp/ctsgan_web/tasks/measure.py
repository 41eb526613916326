"""How near an image is to its reference, as ``ctsgan evaluate`` measures it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ctsgan.errors import CTError
from ctsgan.intensity import HU_MAX, HU_MIN
from ctsgan.metrics import niqe, psnr, rmse, ssim
from ctsgan.metrics.fidelity import WINDOWS

from ..pictures import Picture
from .facts import facts_of, stack_of

SLICES = 32
"""Of a volume that are measured, evenly spread."""

SMALLEST = 11
"""Pixels along a side that SSIM's window needs."""


def run(folder: Path, request: dict[str, Any], progress: Callable[[float, int], None]) -> dict[str, Any]:
    """PSNR (dB), SSIM, RMSE and NIQE of ``request["read"]`` against ``request["reference"]`` in ``request["window"]``.

    Returns:
        ``slices`` (their indices), ``unit`` of the RMSE, and a list of values for each of ``psnr``, ``ssim``, ``rmse``,
        ``niqe`` and ``niqe_reference``; ``None`` where a slice is too small.

    Raises:
        CTError: if they are not of one kind and size.
    """
    image, reference = facts_of(request["read"]), facts_of(request["reference"])
    if image["kind"] != reference["kind"]:
        raise CTError("one is a picture and one has HU; a picture can be measured against a picture only")
    if image["shape"] != reference["shape"]:
        sizes = " and ".join(" x ".join(map(str, facts["shape"][::-1])) for facts in (image, reference))
        raise CTError(f"image and reference must have the same size, not {sizes}; enhance the coarser one first")
    if min(image["shape"][1:]) < SMALLEST:
        raise CTError(f"slices of fewer than {SMALLEST} pixels along a side cannot be measured")
    is_picture = image["kind"] == "picture"
    steps = max(image.get("steps", 0), reference.get("steps", 0))
    window = "wide" if is_picture else request["window"]
    stacks = stack_of(request["read"]), stack_of(request["reference"])
    count = len(stacks[0])
    indices = np.unique(np.linspace(0, count - 1, min(count, SLICES)).astype(int)).tolist()
    found: dict[str, list] = {name: [] for name in ("psnr", "ssim", "rmse", "niqe", "niqe_reference")}
    for done, index in enumerate(indices, start=1):
        one, other = (_on_scale(stack[index], steps) if is_picture else stack[index] for stack in stacks)
        error = rmse(one, other, window)
        # grey values stand on the scale of HU_MIN to HU_MAX while they are measured
        found["rmse"].append(error * (steps - 1) / (HU_MAX - HU_MIN) if is_picture else error)
        # no difference at all is an infinite ratio, for which JSON has no number
        found["psnr"].append(psnr(one, other, window) if error else None)
        found["ssim"].append(ssim(one, other, window))
        found["niqe"].append(_niqe(one, window))
        found["niqe_reference"].append(_niqe(other, window))
        progress(done, len(indices))
    unit = "grey values" if is_picture else "HU"
    return {
        "slices": indices,
        "unit": unit,
        "window": list(WINDOWS[window]),
        "identical": not any(found["rmse"]),
        **found,
    }


def _on_scale(pixels: np.ndarray, steps: int) -> np.ndarray:
    """A picture's luminance, from black to white, as the whole range of HU."""
    return HU_MIN + Picture(np.asarray(pixels)).luminance * ((HU_MAX - HU_MIN) / (steps - 1))


def _niqe(image: np.ndarray, window: str) -> float | None:
    try:
        score = niqe(np.asarray(image), window)
    except (ValueError, np.linalg.LinAlgError):
        return None
    return score if np.isfinite(score) else None
