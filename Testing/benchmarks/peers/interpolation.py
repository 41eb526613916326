"""Interpolation: what every viewer does."""

from __future__ import annotations

import numpy as np

from ..quality import interpolate
from .method import Enhance, Method, whole_hu


def _bicubic(scale: int, preset: str) -> Enhance:
    return lambda low, spacing_mm: whole_hu(interpolate(low[None], scale)[0])


def _lanczos(scale: int, preset: str) -> Enhance:
    from PIL import Image

    def enhance(low: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
        rows, columns = low.shape
        image = Image.fromarray(low.astype(np.float32))
        return whole_hu(np.asarray(image.resize((scale * columns, scale * rows), Image.Resampling.LANCZOS)))

    return enhance


METHODS = {
    "bicubic": Method(scales=(2, 4), prepare=_bicubic, identity=lambda scale, preset: "Keys -0.5"),
    "Lanczos": Method(scales=(2, 4), prepare=_lanczos, identity=lambda scale, preset: "three lobes"),
}
