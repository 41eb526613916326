"""The operations as MONAI transforms: what is drawn (``randomize``) apart from what is done (``__call__``).

Each takes a channel-first slice (C, H, W) in HU and the spacing of its pixels, so that a draw means the same
on every scanner. Lengths are drawn in pixels of the reduced image, the pitch of the detector being imitated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from monai.transforms import Randomizable, RandomizableTransform

from ..filters import bicubic_mean, footprint_mean, gaussian_blur
from .operators import correlated_noise


class RandOperation(RandomizableTransform):
    """An operation whose parameters are drawn in ``randomize`` and used in ``apply``.

    Called with ``randomize=False`` it does the same again: what was drawn, or nothing where the draw left it out.
    """

    def apply(self, image: torch.Tensor, *arguments: Any) -> torch.Tensor:
        """Do what was drawn."""
        raise NotImplementedError

    def __call__(self, image: torch.Tensor, *arguments: Any, randomize: bool = True) -> torch.Tensor:
        if randomize:
            self.randomize()
        return self.apply(image, *arguments) if self._do_transform else image


class RandBlur(RandOperation):
    """Gaussian blur before the reduction: focal spot, reconstruction kernel and motion taken together.

    Args:
        sigma: range of the standard deviation, in pixels of the reduced image. 0.6 is the "portable"
            protocol; with the footprint it gives an MTF of 10 % near 0.3 cycles a pixel.
        prob: how often it is applied.
    """

    def __init__(self, sigma: tuple[float, float] = (0.0, 0.9), prob: float = 1.0) -> None:
        super().__init__(prob)
        self.sigma = sigma
        self._sigma = 0.0

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self._sigma = self.R.uniform(*self.sigma)

    def apply(self, image: torch.Tensor, spacing_mm: Sequence[float], factor: int) -> torch.Tensor:
        pitch_mm = factor * float(np.mean(spacing_mm))
        return gaussian_blur(image, self._sigma * pitch_mm, spacing_mm)


class RandReduce(Randomizable):
    """Fewer, larger pixels: the mean over each footprint, or now and then a bicubic reduction.

    Args:
        bicubic_prob: how often the antialiased bicubic reduction of picture programs is used instead of the
            footprint mean.
    """

    def __init__(self, bicubic_prob: float = 0.0) -> None:
        self.bicubic_prob = bicubic_prob
        self._bicubic = False

    def randomize(self, data: object = None) -> None:
        self._bicubic = self.R.random_sample() < self.bicubic_prob

    def __call__(self, image: torch.Tensor, factor: int, randomize: bool = True) -> torch.Tensor:
        if randomize:
            self.randomize()
        return bicubic_mean(image, factor) if self._bicubic else footprint_mean(image, factor)


class RandNoise(RandOperation):
    """Gaussian noise in HU with the texture of a reconstruction kernel.

    Args:
        std_hu: range of the standard deviation in HU. 12 HU is the "portable" protocol.
        textures: filter taps, one of which is drawn; (1, 2, 1) along both axes is the "portable" protocol,
            (1,) is white noise.
        prob: how often it is applied.
    """

    def __init__(
        self,
        std_hu: tuple[float, float] = (0.0, 25.0),
        textures: Sequence[Sequence[float]] = ((1.0,), (1.0, 2.0, 1.0)),
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.std_hu = std_hu
        self.textures = textures
        self._std_hu = 0.0
        self._texture: Sequence[float] = (1.0,)
        self._seed = 0

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self._std_hu = self.R.uniform(*self.std_hu)
        self._texture = self.textures[self.R.randint(len(self.textures))]
        self._seed = int(self.R.randint(2**31))

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator(image.device).manual_seed(self._seed)
        return image + correlated_noise(image.shape, self._std_hu, self._texture, generator, image.device)
