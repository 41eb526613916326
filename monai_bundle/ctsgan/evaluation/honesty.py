"""The hallucination test of a method, and where an output contradicts its input.

Signatures first; the bodies follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Enhance = Callable[[np.ndarray, tuple[float, float]], np.ndarray]


def measure_honesty(
    enhance: Enhance, scale: int, preset: str, references: Sequence[dict[str, Any]], slices: int = 6
) -> dict[str, Any]:
    """How often a method keeps, loses or invents a lesion; 6 calls of ``enhance`` for each of ``slices`` slices.

    Args:
        references: as :func:`ctsgan.data.load_slices` returns them (``slices``, ``spacing_mm``, ``name``).

    Returns:
        ``{"numbers": {name: float | None}, "curves": {"roc_area": {label: {"x", "y"}}, "kept": {...}}}``.

    Raises:
        CTError: if no reference has uniform soft tissue.
    """
    raise NotImplementedError


def contradiction_map(
    low: np.ndarray, output: np.ndarray, spacing_mm: tuple[float, float], scale: int, preset: str
) -> tuple[np.ndarray, float]:
    """|low - degrade(output)| in HU, (rows, columns) as ``low``, and its root mean square.

    Args:
        low: the input, HU, (rows, columns).
        output: what a method made of it, HU, (scale rows, scale columns).
        spacing_mm: (row, column) distance of ``low``.
        preset: degrade is that preset without its noise; where a preset draws its blur, and for pairs that somebody
            else made (``"paired"``), it is the footprint mean.
    """
    raise NotImplementedError
