"""Whether a volume is steady from slice to slice."""

from __future__ import annotations

import numpy as np

from ...metrics import slice_consistency


def measure_consistency(
    images: np.ndarray, references: np.ndarray, bodies: np.ndarray | None = None
) -> dict[str, float]:
    """Whether a volume flickers when one scrolls through it; see :func:`ctsgan.metrics.slice_consistency`.

    Args:
        images, references: HU, (slices, rows, columns), neighbouring slices, at least two.
        bodies: pixels that count, bool, same shape.

    Returns:
        ``step RMSE`` and ``jitter`` in HU, and ``independence`` from 0 (same error in every slice) to 1.
    """
    found = slice_consistency(images, references, bodies)
    return {"step RMSE": found.step_rmse_hu, "jitter": found.jitter_hu, "independence": found.independence}
