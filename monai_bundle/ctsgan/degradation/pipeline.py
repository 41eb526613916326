"""The chain that makes a training pair or a test case, and the protocols that have a name."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from monai.transforms import Randomizable

from .chain import Chain, whole_hu
from .high_order import HighOrderDegradation
from .small_scanner import ScannerDegradation
from .transforms import RandBlur, RandNoise, RandReduce

PROTOCOLS = ("area", "portable", "bicubic")
"""The fixed protocols that results are reported on."""

PRESETS = (*PROTOCOLS, "scanner", "paper")
"""All that have a name; the last two draw anew each time what happens."""


class Degradation(Chain):
    """Blur, reduce, add noise, then round to whole HU within [-1024, 3071], in this order.

    Args:
        factor: how many pixels of the sharp image make one pixel of the degraded one, along each axis.
        blur, reduce, noise: the operations; ``None`` leaves one out.
        softer_prob: see :attr:`Chain.softer_prob`. What is blurred and noisy leaves nothing to tell a smooth slice
            from a sharp one by; what was only reduced shows its own noise.
    """

    def __init__(
        self,
        factor: int,
        blur: RandBlur | None = None,
        reduce: RandReduce | None = None,
        noise: RandNoise | None = None,
        softer_prob: float | None = None,
    ) -> None:
        super().__init__(factor)
        self.blur = blur
        self.reduce = reduce or RandReduce()
        self.noise = noise
        self.softer_prob = softer_prob

    def operations(self) -> Sequence[Randomizable]:
        return [operation for operation in (self.blur, self.reduce, self.noise) if operation is not None]

    def __call__(self, image: torch.Tensor, spacing_mm: Sequence[float], randomize: bool = True) -> torch.Tensor:
        """Degrade a slice (C, H, W) in HU; the result is (C, H / factor, W / factor) in whole HU."""
        if randomize:
            self.randomize()
        if self.blur is not None:
            image = self.blur(image, spacing_mm, self.factor, randomize=False)
        image = self.reduce(image, self.factor, randomize=False)
        if self.noise is not None:
            image = self.noise(image, randomize=False)
        return whole_hu(image)


def preset(name: str, factor: int) -> Chain:
    """One of :data:`PRESETS`.

    - ``area``: the mean over each footprint, what a detector does.
    - ``portable``: Gaussian blur of 0.6 reduced pixels, footprint mean, 12 HU of noise smoothed by (1, 2, 1).
    - ``bicubic``: antialiased bicubic reduction, what papers on super-resolution do.
    - ``scanner``: a smaller scanner in mm and photons, with streaks, for whole slices.
    - ``paper``: the second-order degradation of Real-ESRGAN, on HU.
    """
    if name == "area":
        return Degradation(factor)
    if name == "portable":
        return Degradation(factor, blur=RandBlur((0.6, 0.6)), noise=RandNoise((12.0, 12.0), [(1.0, 2.0, 1.0)]))
    if name == "bicubic":
        return Degradation(factor, reduce=RandReduce(bicubic_prob=1.0))
    if name == "scanner":
        return ScannerDegradation(factor, streak_prob=1.0)
    if name == "paper":
        return HighOrderDegradation(factor)
    raise ValueError(f"there is no degradation preset {name!r}; choose one of {', '.join(PRESETS)}")
