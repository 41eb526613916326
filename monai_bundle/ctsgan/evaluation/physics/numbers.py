"""Numbers and curves as JSON can hold them."""

from __future__ import annotations

import math

import numpy as np


def number(value: float) -> float | None:
    """``None`` where nothing could be measured."""
    return float(value) if math.isfinite(value) else None


def curve(x: np.ndarray, y: np.ndarray) -> dict[str, list[float]]:
    """Two arrays (n,) of one length."""
    return {"x": np.round(x, 5).tolist(), "y": np.round(y, 5).tolist()}
