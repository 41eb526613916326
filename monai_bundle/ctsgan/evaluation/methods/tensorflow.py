"""FSRCNN and LapSRN as OpenCV runs them: small networks that people have at hand.

FSRCNN: Dong, Loy, Tang, ECCV 2016. LapSRN: Lai, Huang, Ahuja, Yang, CVPR 2017. Their published graphs are
TensorFlow's; OpenCV reads them, and gives them an 8-bit picture: of the window from -1024 to 3071 HU a step is 16 HU.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...intensity import HU_MAX, HU_MIN, whole_hu
from .download import FSRCNN, LAPSRN, Download, stored
from .method import Enhance, Method, Unavailable, package_version

PACKAGE = "opencv-contrib-python-headless"


def _prepare(name: str, files: dict[int, Download]) -> Callable[[int, str], Enhance]:
    def prepare(scale: int, preset: str) -> Enhance:
        package_version(PACKAGE)
        import cv2

        if not hasattr(cv2, "dnn_superres"):
            raise Unavailable(f"another OpenCV hides {PACKAGE}; uninstall opencv-python")
        network = cv2.dnn_superres.DnnSuperResImpl_create()
        network.readModel(str(stored(files[scale])))
        network.setModel(name.lower(), scale)
        step = (HU_MAX - HU_MIN) / 255

        def enhance(low: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
            grey = np.rint((low.astype(np.float64) - HU_MIN) / step).astype(np.uint8)
            large = network.upsample(np.repeat(grey[..., None], 3, axis=2))
            return whole_hu(large.astype(np.float64).mean(axis=2) * step + HU_MIN)

        return enhance

    return prepare


def _identity(files: dict[int, Download]) -> Callable[[int, str], str]:
    return lambda scale, preset: f"{files[scale].sha256[:16]} {package_version(PACKAGE)}"


METHODS = {
    name: Method(
        scales=tuple(files), prepare=_prepare(name, files), identity=_identity(files), licence=files[2].licence
    )
    for name, files in (("FSRCNN", FSRCNN), ("LapSRN", LAPSRN))
}
