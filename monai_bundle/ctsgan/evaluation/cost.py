"""Seconds and memory of methods, side by side in one run.

Signatures first; the bodies follow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

Enhance = Callable[[np.ndarray, tuple[float, float]], np.ndarray]


def measure_cost(
    methods: Mapping[str, Enhance], scale: int, baseline: str | None = None, matrix: int = 512, repetitions: int = 3
) -> dict[str, dict[str, Any]]:
    """Seconds a slice and peak memory of each method, and how both grow with the matrix.

    Args:
        baseline: the method whose time is 1; the first unless told.
        matrix: rows and columns of the output.

    Returns:
        By method ``{"seconds_a_slice": float, "ratio": float, "peak_mib": float | None, "growth": {"matrix": {"x",
        "y", "fit": {"factor", "exponent", "r2"}}, "matrix memory": {...}}}``.
    """
    raise NotImplementedError


def measure_slices(scale: int, model: str = "light", counts: tuple[int, ...] = (1, 2, 4, 8, 16)) -> dict[str, Any]:
    """How time and memory of the volume path grow with slices: ``{"slices": {...}, "slices memory": {...}}``."""
    raise NotImplementedError
