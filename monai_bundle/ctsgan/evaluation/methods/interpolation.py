"""Interpolation: what every viewer does. Corners stay on corners, as geometry asks for it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from ...intensity import whole_hu
from ...resample import resample_slices
from .method import Enhance, Method, package_version


def bicubic(low: np.ndarray, scale: int) -> np.ndarray:
    """Keys' cubic convolution with a = -0.5, (rows, columns) to (scale rows, scale columns), float32."""
    image = torch.from_numpy(low.astype(np.float32))[None, None]
    size = (scale * low.shape[0], scale * low.shape[1])
    return resample_slices(image, size, (1.0 / scale, 1.0 / scale))[0, 0].numpy()


def _nearest(low: np.ndarray, scale: int) -> np.ndarray:
    return low.repeat(scale, axis=0).repeat(scale, axis=1)


def _bilinear(low: np.ndarray, scale: int) -> np.ndarray:
    image = torch.from_numpy(low.astype(np.float32))[None, None]
    return F.interpolate(image, scale_factor=float(scale), mode="bilinear", align_corners=False)[0, 0].numpy()


def _lanczos(low: np.ndarray, scale: int) -> np.ndarray:
    from PIL import Image

    rows, columns = low.shape
    image = Image.fromarray(low.astype(np.float32))
    return np.asarray(image.resize((scale * columns, scale * rows), Image.Resampling.LANCZOS))


def _b_spline(low: np.ndarray, scale: int) -> np.ndarray:
    """The cubic B-spline through all pixels (Unser 1999)."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(low.astype(np.float32))
    return sitk.GetArrayFromImage(sitk.Expand(image, [scale, scale], sitk.sitkBSpline))


def _method(function: Callable[[np.ndarray, int], np.ndarray], parameters: str, package: str | None = None) -> Method:
    def prepare(scale: int, preset: str) -> Enhance:
        return lambda low, spacing_mm: whole_hu(function(low, scale))

    def identity(scale: int, preset: str) -> str:
        return f"{parameters}, {package_version(package)}" if package else parameters

    return Method(scales=(2, 4), prepare=prepare, identity=identity)


METHODS = {
    "nearest": _method(_nearest, "repeated"),
    "bilinear": _method(_bilinear, "half-pixel"),
    "bicubic": _method(bicubic, "Keys -0.5"),
    "Lanczos": _method(_lanczos, "three lobes", "pillow"),
    "B-spline": _method(_b_spline, "cubic, through all pixels"),
}
