"""The chain of operations that makes a training pair or a test case."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.transforms import Randomizable

from ..intensity import HU_MAX, HU_MIN
from .transforms import RandBlur, RandNoise, RandReduce

PRESETS = ("area", "portable", "bicubic")
"""The fixed protocols that results are reported on."""


class Degradation(Randomizable):
    """Blur, reduce, add noise, then round to whole HU within [-1024, 3071], in this order.

    Args:
        factor: how many pixels of the sharp image make one pixel of the degraded one, along each axis.
        blur, reduce, noise: the operations; ``None`` leaves one out.
    """

    def __init__(
        self,
        factor: int,
        blur: RandBlur | None = None,
        reduce: RandReduce | None = None,
        noise: RandNoise | None = None,
    ) -> None:
        self.factor = factor
        self.blur = blur
        self.reduce = reduce or RandReduce()
        self.noise = noise

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> Degradation:
        super().set_random_state(seed, state)
        for operation in (self.blur, self.reduce, self.noise):
            if operation is not None:
                operation.set_random_state(state=self.R)
        return self

    def randomize(self, data: object = None) -> None:
        for operation in (self.blur, self.reduce, self.noise):
            if operation is not None:
                operation.randomize()

    def __call__(self, image: torch.Tensor, spacing_mm: Sequence[float], randomize: bool = True) -> torch.Tensor:
        """Degrade a slice (C, H, W) in HU; the result is (C, H / factor, W / factor) in whole HU."""
        if randomize:
            self.randomize()
        if self.blur is not None:
            image = self.blur(image, spacing_mm, self.factor, randomize=False)
        image = self.reduce(image, self.factor, randomize=False)
        if self.noise is not None:
            image = self.noise(image, randomize=False)
        return image.round().clamp(HU_MIN, HU_MAX)


def preset(name: str, factor: int) -> Degradation:
    """One of :data:`PRESETS`.

    - ``area``: the mean over each footprint, what a detector does.
    - ``portable``: Gaussian blur of 0.6 reduced pixels, footprint mean, 12 HU of noise smoothed by (1, 2, 1).
    - ``bicubic``: antialiased bicubic reduction, what papers on super-resolution do.
    """
    if name == "area":
        return Degradation(factor)
    if name == "portable":
        return Degradation(factor, blur=RandBlur((0.6, 0.6)), noise=RandNoise((12.0, 12.0), [(1.0, 2.0, 1.0)]))
    if name == "bicubic":
        return Degradation(factor, reduce=RandReduce(bicubic_prob=1.0))
    raise ValueError(f"there is no degradation preset {name!r}; choose one of {', '.join(PRESETS)}")
