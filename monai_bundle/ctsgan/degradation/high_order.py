"""Degradation of k-th order: the same four operations several times over, with new draws each time."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from monai.transforms import Randomizable

from ..metrics.fidelity import WINDOWS
from .chain import Chain, random_state, whole_hu
from .operators import RESIZE_METHODS, resize
from .paper import RandJpeg, RandKernelBlur, RandPoissonNoise, RandResize, RandSinc
from .transforms import RandNoise

GREY_HU = (WINDOWS["soft"][1] - WINDOWS["soft"][0]) / 255.0
"""One of 255 grey values of the soft-tissue window in HU: the unit of the papers' Gaussian noise."""


class Order(Randomizable):
    """One order: blur, resize, noise and JPEG.

    Args:
        blur, resize, gaussian, poisson, jpeg: the operations; ``None`` is Real-ESRGAN's first order, with Gaussian
            noise of 1 to 30 grey values of the soft-tissue window (1.6 to 47 HU), white or with a CT's correlated
            texture.
        gaussian_prob: how often the noise is the Gaussian one, else Poisson's.
    """

    def __init__(
        self,
        blur: RandKernelBlur | None = None,
        resize: RandResize | None = None,
        gaussian: RandNoise | None = None,
        poisson: RandPoissonNoise | None = None,
        jpeg: RandJpeg | None = None,
        gaussian_prob: float = 0.5,
    ) -> None:
        self.blur = blur or RandKernelBlur()
        self.resize = resize or RandResize()
        self.gaussian = gaussian or RandNoise((GREY_HU, 30.0 * GREY_HU))
        self.poisson = poisson or RandPoissonNoise()
        self.jpeg = jpeg or RandJpeg()
        self.gaussian_prob = gaussian_prob
        self._gaussian = True

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> Order:
        super().set_random_state(seed, state)
        for operation in (self.blur, self.resize, self.gaussian, self.poisson, self.jpeg):
            operation.set_random_state(state=self.R)
        return self

    def randomize(self, data: object = None) -> None:
        self._gaussian = self.R.random_sample() < self.gaussian_prob
        noise = self.gaussian if self._gaussian else self.poisson
        for operation in (self.blur, self.resize, noise, self.jpeg):
            operation.randomize()

    def __call__(self, image: torch.Tensor, size: Sequence[int], randomize: bool = True) -> torch.Tensor:
        """Blur, resize to a drawn multiple of ``size`` (rows, columns) and add noise; JPEG is the chain's to apply."""
        if randomize:
            self.randomize()
        image = self.blur(image, randomize=False)
        image = self.resize(image, size, randomize=False)
        noise = self.gaussian if self._gaussian else self.poisson
        return noise(image, randomize=False)


def _second_order() -> Order:
    return Order(
        blur=RandKernelBlur(sigma=(0.2, 1.5), prob=0.8),
        resize=RandResize(chances=(0.3, 0.4, 0.3), limits=(0.3, 1.2)),
        gaussian=RandNoise((GREY_HU, 25.0 * GREY_HU)),
        poisson=RandPoissonNoise(scale=(0.05, 2.5)),
    )


class HighOrderDegradation(Chain):
    """The k-th order degradation of Real-ESRGAN, on HU: what may happen to a slice that was passed on as a picture.

    Each order blurs, resizes (the first relative to the slice, the others relative to the result), adds noise and
    compresses. At the end the slice is brought to the result's size and a sinc filter applied, before or after the
    last compression. Nothing on the way is clipped, and nothing moves. Everything is in pixels: the spacing that a
    call is given does not matter.

    Args:
        factor: how many pixels of the sharp image make one pixel of the degraded one, along each axis.
        order: k, or the range (least, most) from which it is drawn anew after every ``redraw_every`` batches:
            whoever trains calls :meth:`begin_batch` before each batch.
        redraw_every: batches that have one k in common.
        first: the first order; ``None`` is Real-ESRGAN's.
        later: all further ones; ``None`` is Real-ESRGAN's second, which is milder and blurs 8 times in 10.
        sinc: the last filter, 8 times in 10 by default.

    Raises:
        ValueError: if an order is less than 1.
    """

    margin = 12
    noise_tells = False

    def __init__(
        self,
        factor: int,
        order: int | tuple[int, int] = 2,
        redraw_every: int = 100,
        first: Order | None = None,
        later: Order | None = None,
        sinc: RandSinc | None = None,
    ) -> None:
        super().__init__(factor)
        self.orders = (order, order) if isinstance(order, int) else tuple(order)
        if not 1 <= self.orders[0] <= self.orders[1]:
            raise ValueError(f"an order is 1 or more, and a range rises, so not {order}")
        self.redraw_every = redraw_every
        later = later or _second_order()
        self.stages = [first or Order(), *(copy.deepcopy(later) for _ in range(self.orders[1] - 1))]
        self.sinc = sinc or RandSinc()
        self._method = "area"
        self._jpeg_last = True
        self.begin_batch(seed=0, number=0)

    def operations(self) -> Sequence[Randomizable]:
        return (*self.stages, self.sinc)

    def begin_batch(self, seed: int, number: int) -> None:
        """Take the order of that batch, which follows from the seed and how often ``redraw_every`` fits into it."""
        self.order = int(random_state(seed, number // self.redraw_every).randint(self.orders[0], self.orders[1] + 1))

    def randomize(self, data: object = None) -> None:
        for operation in (*self.stages[: self.order], self.sinc):
            operation.randomize()
        self._method = RESIZE_METHODS[self.R.randint(len(RESIZE_METHODS))]
        self._jpeg_last = self.R.random_sample() < 0.5

    def __call__(self, image: torch.Tensor, spacing_mm: Sequence[float], randomize: bool = True) -> torch.Tensor:
        if randomize:
            self.randomize()
        low = tuple(length // self.factor for length in image.shape[-2:])
        *earlier, last = self.stages[: self.order]
        size = image.shape[-2:]
        for stage in earlier:
            image = stage.jpeg(stage(image, size, randomize=False), randomize=False)
            size = low
        image = last(image, size, randomize=False)
        if not self._jpeg_last:
            image = last.jpeg(image, randomize=False)
        image = self.sinc(resize(image, low, self._method), randomize=False)
        if self._jpeg_last:
            image = last.jpeg(image, randomize=False)
        return whole_hu(image)
