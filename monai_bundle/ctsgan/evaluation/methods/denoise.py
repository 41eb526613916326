"""Denoisers that a researcher has at hand, tuned on the training slices: the peers of x1.

Each has its parameters from ``tuned.json``, which ``Testing/benchmarks/tune_denoisers.py`` writes: those that leave
the smallest soft-tissue RMSE on degraded slices of patients who are not measured.

The ``bm3d`` package is free for non-commercial use only, which measuring it is; its results have to name the
authors (Dabov et al., IEEE TIP 16, 2007; Mäkinen et al., IEEE TIP 29, 2020). Nothing of it is in this repository.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from ...intensity import whole_hu
from .method import Enhance, Method, Unavailable, package_version

TUNED = Path(__file__).with_name("tuned.json")


def median(image: np.ndarray, size: int) -> np.ndarray:
    from scipy import ndimage

    return ndimage.median_filter(image, size)


def gaussian(image: np.ndarray, sigma: float) -> np.ndarray:
    from scipy import ndimage

    return ndimage.gaussian_filter(image, sigma, mode="nearest")


def non_local_means(image: np.ndarray, strength_hu: float, noise_hu: float) -> np.ndarray:
    from skimage.restoration import denoise_nl_means

    return denoise_nl_means(image, patch_size=5, patch_distance=6, h=strength_hu, sigma=noise_hu, fast_mode=True)


def total_variation(image: np.ndarray, weight_hu: float) -> np.ndarray:
    from skimage.restoration import denoise_tv_chambolle

    return denoise_tv_chambolle(image, weight=weight_hu)


def bm3d(image: np.ndarray, noise_hu: float, taps: Sequence[float]) -> np.ndarray:
    """BM3D for noise whose texture is white noise filtered by ``taps`` along both axes."""
    from bm3d import bm3d as denoise

    kernel = np.outer(taps, taps)
    spectrum = np.abs(np.fft.fft2(kernel / np.linalg.norm(kernel), image.shape)) ** 2
    # the package calls the trapezoid rule by a name that NumPy 2.4 has no longer
    rule = np.trapezoid if hasattr(np, "trapezoid") else np.trapz  # noqa: NPY201
    with mock.patch.object(np, "trapz", rule, create=True):
        return denoise(image, noise_hu**2 * image.size * spectrum)


FUNCTIONS: dict[str, Callable[..., np.ndarray]] = {
    "median": median,
    "Gaussian": gaussian,
    "non-local means": non_local_means,
    "total variation": total_variation,
    "BM3D": bm3d,
}
PACKAGES = {
    "median": "scipy",
    "Gaussian": "scipy",
    "non-local means": "scikit-image",
    "total variation": "scikit-image",
    "BM3D": "bm3d",
}


def _stored() -> dict[str, Any]:
    return json.loads(TUNED.read_text(encoding="utf-8")) if TUNED.is_file() else {}


def tuned(preset: str, name: str) -> dict[str, Any] | None:
    """Parameters of a method for a protocol; ``None`` where it was not tuned."""
    entry = _stored().get(preset, {}).get(name)
    return entry and entry["parameters"]


def _method(name: str) -> Method:
    def prepare(scale: int, preset: str) -> Enhance:
        parameters = tuned(preset, name)
        if parameters is None:
            raise Unavailable(f"{name} was not tuned for {preset}; Testing/benchmarks/tune_denoisers.py does it")
        function = FUNCTIONS[name]
        return lambda low, spacing_mm: whole_hu(function(low.astype(np.float64), **parameters))

    def identity(scale: int, preset: str) -> str:
        return f"{package_version(PACKAGES[name])} {json.dumps(tuned(preset, name))}"

    licence = "non-commercial use only" if name == "BM3D" else "BSD-3-Clause"
    return Method(scales=(1,), prepare=prepare, identity=identity, licence=licence)


METHODS = {
    "input": Method(scales=(1,), prepare=lambda scale, preset: lambda low, _: low, identity=lambda scale, preset: ""),
    **{name: _method(name) for name in FUNCTIONS},
}
