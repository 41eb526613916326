"""Seconds and memory of methods, side by side in one run.

Seconds are of the wall clock; a busy machine slows all methods alike, so that ratios hold where seconds do not.
Memory is the most that the process holds while a method works beyond what it held before, its weights and what it
keeps from its first slice not included. Linux tells it (``VmHWM``, which can be reset); macOS and Windows only know
the peak since the process began, so there memory is ``None``.
"""

from __future__ import annotations

import ctypes
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ..enhancement import enhance_slices
from ..models import load_generator
from .methods.method import Enhance

SPACING_MM = 0.7
"""Of the output's pixels; no method's time depends on it much."""

MIB = 2**20
SMALLEST_FIT_MIB = 1.0
"""Memory below it is that of Python objects and says nothing about growth."""


def _held(field: str) -> float:
    """``VmRSS``, held now, or ``VmHWM``, held at most, of this process in bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(re.search(rf"{field}:\s+(\d+) kB", status)[1]) * 1024.0


def _forget_peak() -> bool:
    """Give free memory back to the system and make what is held now the peak; whether that is possible here."""
    try:
        # memory that earlier methods have freed but the allocator keeps would hide what the next one takes
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except (OSError, AttributeError, TypeError):
        return False
    return True


def peak_memory(work: Callable[[], Any]) -> float | None:
    """MiB that ``work`` takes at most beyond what the process held before; ``None`` where no system tells it."""
    if not _forget_peak():
        return None
    before = _held("VmRSS")
    work()
    return max(_held("VmHWM") - before, 0.0) / MIB


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def power_law(x: Sequence[float], y: Sequence[float]) -> dict[str, float]:
    """y = factor x^exponent by least squares of the logarithms, and the share of variance ``r2`` it explains."""
    logarithms = np.log(np.asarray(x, dtype=np.float64)), np.log(np.asarray(y, dtype=np.float64))
    exponent, offset = np.polyfit(*logarithms, 1)
    residual = logarithms[1] - (exponent * logarithms[0] + offset)
    spread = ((logarithms[1] - logarithms[1].mean()) ** 2).sum()
    r2 = 1.0 - (residual**2).sum() / spread if spread > 0 else 1.0
    return {"factor": float(np.exp(offset)), "exponent": float(exponent), "r2": float(r2)}


def _growth(x: Sequence[float], y: Sequence[float | None], least: float = 0.0) -> dict[str, Any]:
    known = [(a, b) for a, b in zip(x, y, strict=True) if b is not None and b > least]
    return {"x": list(x), "y": list(y), "fit": power_law(*zip(*known, strict=True)) if len(known) >= 3 else None}


def _slices(count: int, size: int) -> np.ndarray:
    """Slices without two equal neighbours, as a scanner's are, int16 HU: padding would be passed by."""
    return np.random.default_rng(0).integers(-100, 100, (count, size, size), dtype=np.int16)


def measure_cost(
    methods: Mapping[str, Enhance],
    scale: int,
    baseline: str | None = None,
    matrix: int = 512,
    repetitions: int = 3,
) -> dict[str, dict[str, Any]]:
    """Seconds a slice and peak memory of each method, and how both grow with the matrix.

    Each method first enhances one small slice that does not count. Then all methods take turns on slices of a quarter,
    of half and of the whole matrix, ``repetitions`` times; medians count.

    Args:
        methods: by name.
        scale: of all of them.
        baseline: the method whose time is 1; the first unless told.
        matrix: rows and columns of the output.
        repetitions: of each slice.

    Returns:
        By method ``seconds_a_slice``; ``ratio``, the median over turns of its time over the baseline's in the same
        turn; ``peak_mib``, see :func:`peak_memory`; ``growth``: ``matrix`` (seconds) and ``matrix memory`` (MiB) over
        the number of output pixels, each ``x``, ``y`` and ``fit``, a :func:`power_law`, or ``None`` below three
        points.
    """
    names = list(methods)
    baseline = names[0] if baseline is None else baseline
    sizes = [max(matrix // (part * scale), 1) for part in (4, 2, 1)]
    coarse = (scale * SPACING_MM,) * 2
    inputs = [_slices(1, size)[0] for size in sizes]
    for enhance in methods.values():
        enhance(inputs[0], coarse)
    seconds = {name: np.zeros((repetitions, len(sizes))) for name in names}
    memory: dict[str, list[float | None]] = {}
    for turn in tqdm(range(repetitions), desc="cost", leave=False, disable=None):
        for place, low in enumerate(inputs):
            for name in names:
                seconds[name][turn, place] = _seconds(lambda name=name, low=low: methods[name](low, coarse))
    for name in names:
        memory[name] = [peak_memory(lambda name=name, low=low: methods[name](low, coarse)) for low in inputs]
    pixels = [float((scale * size) ** 2) for size in sizes]
    found = {}
    for name in names:
        typical = np.median(seconds[name], axis=0).tolist()
        found[name] = {
            "seconds_a_slice": typical[-1],
            "ratio": float(np.median(seconds[name][:, -1] / seconds[baseline][:, -1])),
            "peak_mib": memory[name][-1],
            "growth": {
                "matrix": _growth(pixels, typical),
                "matrix memory": _growth(pixels, memory[name], SMALLEST_FIT_MIB),
            },
        }
    return found


def measure_slices(
    scale: int, model: str = "light", counts: Sequence[int] = (1, 2, 4, 8, 16), matrix: int = 256
) -> dict[str, Any]:
    """How time and memory of the path that volumes take grow with their slices.

    Args:
        scale: of the model.
        model: a name of the catalogue.
        counts: numbers of slices.
        matrix: rows and columns of the output.

    Returns:
        ``slices`` (seconds) and ``slices memory`` (MiB beyond the input, the output included) over the number of
        slices, each as a growth of :func:`measure_cost`.
    """
    network = load_generator(model, scale)
    coarse = (scale * SPACING_MM,) * 2
    enhance_slices(_slices(1, matrix // scale), coarse, network)
    seconds, memory = [], []
    for count in counts:
        voxels = _slices(count, matrix // scale)
        seconds.append(_seconds(lambda voxels=voxels: enhance_slices(voxels, coarse, network)))
        memory.append(peak_memory(lambda voxels=voxels: enhance_slices(voxels, coarse, network)))
    numbers = [float(count) for count in counts]
    return {"slices": _growth(numbers, seconds), "slices memory": _growth(numbers, memory, SMALLEST_FIT_MIB)}
