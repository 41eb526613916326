"""What a method resolves, how noisy it is and whether its HU are true, measured on a digital phantom.

Signatures first; the bodies follow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Enhance = Callable[[np.ndarray, tuple[float, float]], np.ndarray]


def measure_physics(enhance: Enhance | None, scale: int, preset: str, realisations: int = 16) -> dict[str, Any]:
    """Resolution, noise and HU of a method on the digital phantom; ``enhance=None`` measures the reference itself.

    Returns:
        ``{"numbers": {name: float | None}, "curves": {"ttf": {label: {"x", "y"}}, "nps": {label: {"x", "y"}},
        "linearity": {"x", "y"}}}``; ``None`` is what could not be measured. 2 ``realisations`` calls of ``enhance``.
    """
    raise NotImplementedError


def measure_edges(
    enhance: Enhance | None, scale: int, preset: str, references: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Edge MTF of the references that have a clean outline (``phantom_skull*``), as measure_physics returns it.

    Args:
        references: as :func:`ctsgan.data.load_slices` returns them (``slices``, ``spacing_mm``, ``name``).

    Returns:
        ``{"numbers": {...}, "curves": {"mtf": {file: {"x", "y"}}}}``, empty where no reference is such a phantom.
    """
    raise NotImplementedError


def measure_consistency(
    images: np.ndarray, references: np.ndarray, bodies: np.ndarray | None = None
) -> dict[str, float]:
    """Slice-to-slice consistency of a volume, (slices, rows, columns) HU, by name."""
    raise NotImplementedError
