"""Denoisers that a researcher has at hand, tuned on the training slices: the peers of x1.

Each has its parameters from ``tuned.json``, which ``python -m benchmarks.peers --tune FOLDER`` writes: those that
leave the smallest soft-tissue RMSE on degraded slices of patients who are not measured.

The ``bm3d`` package is free for non-commercial use only, which measuring it is; its results have to name the
authors (Dabov et al., IEEE TIP 16, 2007; Mäkinen et al., IEEE TIP 29, 2020). Nothing of it is in this repository.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from ctsgan.metrics import rmse

from .method import Enhance, Method, Unavailable, whole_hu

TUNED = Path(__file__).with_name("tuned.json")
CROP = 256
"""Edge in pixels of the middle of a slice that is tuned on: the patient, at a quarter of the time."""


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
GRIDS: dict[str, dict[str, list[Any]]] = {
    "median": {"size": [3, 5]},
    "Gaussian": {"sigma": [0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0]},
    "non-local means": {"strength_hu": [2, 4, 6, 8, 12, 16], "noise_hu": [0, 6, 12]},
    "total variation": {"weight_hu": [0.25, 0.5, 1, 2, 4, 8, 16]},
    "BM3D": {"noise_hu": [4, 8, 12], "taps": [[1.0], [1.0, 2.0, 1.0]]},
}
"""What is tried; BM3D also for noise of the texture that the portable protocol adds, and coarsely, as it is slow."""


def _package(name: str) -> str:
    try:
        return f"{PACKAGES[name]} {version(PACKAGES[name])}"
    except PackageNotFoundError:
        raise Unavailable(f"{name} needs the package {PACKAGES[name]}: pip install 'ctsgan[benchmark]'") from None


def _stored() -> dict[str, Any]:
    return json.loads(TUNED.read_text(encoding="utf-8")) if TUNED.is_file() else {}


def tuned(preset: str, name: str) -> dict[str, Any] | None:
    """Parameters of a method for a protocol; ``None`` where it was not tuned."""
    entry = _stored().get(preset, {}).get(name)
    return entry and entry["parameters"]


def _method(name: str) -> Method:
    def prepare(scale: int, preset: str) -> Enhance:
        _package(name)
        parameters = tuned(preset, name)
        if parameters is None:
            raise Unavailable(f"{name} is not tuned for {preset}: run --tune FOLDER --preset {preset} first")
        function = FUNCTIONS[name]
        return lambda low, spacing_mm: whole_hu(function(low.astype(np.float64), **parameters))

    def identity(scale: int, preset: str) -> str:
        return f"{_package(name)} {json.dumps(tuned(preset, name))}"

    licence = "non-commercial use only" if name == "BM3D" else "BSD-3-Clause"
    return Method(scales=(1,), prepare=prepare, identity=identity, licence=licence)


METHODS = {
    "input": Method(scales=(1,), prepare=lambda scale, preset: lambda low, _: low, identity=lambda scale, preset: ""),
    **{name: _method(name) for name in FUNCTIONS},
}


def choices(grid: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of a grid's values."""
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def search(
    function: Callable[..., np.ndarray],
    grid: dict[str, list[Any]],
    pairs: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> tuple[dict[str, Any], float]:
    """The parameters of a grid with the smallest mean soft-tissue RMSE, and that RMSE in HU.

    Args:
        function: (rows, columns) HU and the parameters, to HU.
        grid: values to try by parameter.
        pairs: degraded slice, reference and body, each (rows, columns).
    """

    def error(parameters: dict[str, Any]) -> float:
        images = (whole_hu(function(low.astype(np.float64), **parameters)) for low, _, _ in pairs)
        scores = [rmse(image, truth, "soft", body) for image, (_, truth, body) in zip(images, pairs, strict=True)]
        return float(np.mean(scores))

    return min(((parameters, error(parameters)) for parameters in choices(grid)), key=lambda found: found[1])


def middle(image: np.ndarray) -> np.ndarray:
    """The middle :data:`CROP` x :data:`CROP` pixels."""
    rows, columns = (max(size - CROP, 0) // 2 for size in image.shape)
    return image[rows : rows + CROP, columns : columns + CROP]


def tune(pairs: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], preset: str, names: Sequence[str]) -> None:
    """Search each denoiser's grid on degraded training slices and write :data:`TUNED`; prints what was found."""
    pairs = [tuple(middle(image) for image in pair) for pair in pairs]
    before = float(np.mean([rmse(low, truth, "soft", body) for low, truth, body in pairs]))
    print(f"{preset}: {before:.2f} HU soft-tissue RMSE before, {len(pairs)} slices")
    for name in names:
        try:
            _package(name)
        except Unavailable as error:
            print(error)
            continue
        parameters, after = search(FUNCTIONS[name], GRIDS[name], pairs)
        print(f"{name}: {after:.2f} HU with {parameters}", flush=True)
        stored = _stored()
        stored.setdefault(preset, {})[name] = {
            "parameters": parameters,
            "slices": len(pairs),
            "soft_rmse_hu": {"before": round(before, 2), "after": round(after, 2)},
        }
        TUNED.write_text(json.dumps(stored, indent=4) + "\n", encoding="utf-8")
