"""The operations of blind super-resolution papers as MONAI transforms, ranges as in Real-ESRGAN unless said.

Real-ESRGAN is Wang et al., ICCV workshops 2021, with the figures of its published x4plus training. Lengths are in
pixels of the image at that point of the chain: these imitate pictures, which know no mm. Each takes channel-first
slices (C, H, W) in HU; ``randomize`` draws, ``__call__`` applies, and with ``randomize=False`` applies the same again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from monai.transforms import Randomizable

from ..metrics.fidelity import WINDOWS
from . import jpeg, kernels
from .operators import RESIZE_METHODS, convolve, poisson_noise, resize
from .transforms import RandOperation

SHAPES = {
    "isotropic": 0.45,
    "anisotropic": 0.25,
    "generalised isotropic": 0.12,
    "generalised anisotropic": 0.03,
    "plateau isotropic": 0.12,
    "plateau anisotropic": 0.03,
}
"""How often Real-ESRGAN draws each shape of blur."""

SMALLEST = 16
"""Pixels along an axis below which no slice or patch is shrunk on the way."""


def _drawn_sinc(random: Randomizable, sizes: Sequence[int]) -> torch.Tensor:
    """A sinc kernel, cut off from 1/10 (in small kernels 1/6) to 1/2 cycles a pixel."""
    size = int(sizes[random.R.randint(len(sizes))])
    lowest = 1.0 / 6.0 if size < 13 else 1.0 / 10.0
    return kernels.sinc_kernel(size, random.R.uniform(lowest, 0.5))


class RandKernelBlur(RandOperation):
    """Blur with a kernel of a drawn shape: Gaussian, generalised, plateau, or now and then sinc.

    Args:
        sigma: range of the standard deviation in pixels, along and across; 0.2 to 3 in Real-ESRGAN's first
            order, 0.2 to 1.5 in its second.
        sizes: odd edges in pixels to draw from; 7 to 21 in Real-ESRGAN.
        generalised: range of the exponent of the generalised Gaussian; 0.5 to 4 in Real-ESRGAN.
        plateau: range of the exponent of the plateau shape; 1 to 2 in Real-ESRGAN.
        sinc_prob: how often the kernel is a sinc; 0.1 in Real-ESRGAN.
        prob: how often it is applied; 1 in Real-ESRGAN's first order, 0.8 in its second.
    """

    def __init__(
        self,
        sigma: tuple[float, float] = (0.2, 3.0),
        sizes: Sequence[int] = kernels.SIZES,
        generalised: tuple[float, float] = (0.5, 4.0),
        plateau: tuple[float, float] = (1.0, 2.0),
        sinc_prob: float = 0.1,
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.sigma = sigma
        self.sizes = sizes
        self.generalised = generalised
        self.plateau = plateau
        self.sinc_prob = sinc_prob
        self.kernel = torch.ones(1, 1)

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        if self.R.random_sample() < self.sinc_prob:
            self.kernel = _drawn_sinc(self, self.sizes)
            return
        size = int(self.sizes[self.R.randint(len(self.sizes))])
        shape = list(SHAPES)[self.R.choice(len(SHAPES), p=list(SHAPES.values()))]
        along, across, angle = *self.R.uniform(*self.sigma, size=2), self.R.uniform(-math.pi, math.pi)
        place = {"sigma": along, "sigma_across": across, "angle": angle} if "anisotropic" in shape else {"sigma": along}
        if shape.startswith("generalised"):
            self.kernel = kernels.generalised_gaussian_kernel(size, beta=self._exponent(self.generalised), **place)
        elif shape.startswith("plateau"):
            self.kernel = kernels.plateau_kernel(size, beta=self._exponent(self.plateau), **place)
        else:
            self.kernel = kernels.gaussian_kernel(size, **place)

    def _exponent(self, limits: tuple[float, float]) -> float:
        """Half of the draws below 1 and half above, so that sharp and flat shapes are as frequent."""
        low, high = limits
        if low < 1.0 < high and self.R.random_sample() < 0.5:
            return self.R.uniform(low, 1.0)
        return self.R.uniform(max(low, 1.0), high)

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        # an image on its way can be smaller than the kernel, which mirroring does not allow
        return convolve(image, self.kernel, edges="replicate")


class RandSinc(RandOperation):
    """The last filter: a sinc that rings at edges, as sharpening on export does.

    Args:
        sizes: odd edges in pixels to draw from; 7 to 21 in Real-ESRGAN. The cut-off is drawn from 1/10 (for
            kernels below 13 pixels 1/6) to 1/2 cycles a pixel.
        prob: how often it is applied; 0.8 in Real-ESRGAN.
    """

    def __init__(self, sizes: Sequence[int] = kernels.SIZES, prob: float = 0.8) -> None:
        super().__init__(prob)
        self.sizes = sizes
        self.kernel = torch.ones(1, 1)

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self.kernel = _drawn_sinc(self, self.sizes)

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        return convolve(image, self.kernel, edges="replicate")


class RandResize(Randomizable):
    """Enlarge, shrink or keep, by area, bilinear or bicubic, the method drawn as well.

    Args:
        chances: of enlarging, shrinking and keeping; 0.2, 0.7 and 0.1 in Real-ESRGAN's first order, .3, .4 and .3
            in its second.
        limits: smallest and largest factor, without unit; 0.15 to 1.5 in Real-ESRGAN's first order, 0.3 to 1.2
            in its second.
    """

    def __init__(
        self, chances: tuple[float, float, float] = (0.2, 0.7, 0.1), limits: tuple[float, float] = (0.15, 1.5)
    ) -> None:
        self.chances = chances
        self.limits = limits
        self._factor = 1.0
        self._method = "area"

    def randomize(self, data: object = None) -> None:
        low, high = self.limits
        choice = self.R.choice(3, p=self.chances)
        self._factor = (self.R.uniform(1.0, high), self.R.uniform(low, 1.0), 1.0)[choice]
        self._method = RESIZE_METHODS[self.R.randint(len(RESIZE_METHODS))]

    def __call__(self, image: torch.Tensor, size: Sequence[int], randomize: bool = True) -> torch.Tensor:
        """Resize to the drawn factor times ``size`` (rows, columns)."""
        if randomize:
            self.randomize()
        target = [max(round(length * self._factor), min(length, SMALLEST)) for length in size]
        return image if list(image.shape[-2:]) == target else resize(image, target, self._method)


class RandPoissonNoise(RandOperation):
    """Shot noise of a picture in a window, as :func:`ctsgan.degradation.operators.poisson_noise` says.

    Args:
        scale: range of its strength; 0.05 to 3 in Real-ESRGAN, where 1 is one count for each grey value.
        window: name of the view in HU whose grey values are counted; soft tissue, -160 to 240 HU, is a choice of
            this project: 255 grey values there are 400 HU, in the 12-bit range they would be ten times that.
        prob: how often it is applied.
    """

    def __init__(self, scale: tuple[float, float] = (0.05, 3.0), window: str = "soft", prob: float = 1.0) -> None:
        super().__init__(prob)
        self.scale = scale
        self.window = window
        self._scale = 0.0
        self._seed = 0

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self._scale = self.R.uniform(*self.scale)
        self._seed = int(self.R.randint(2**31))

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        generator = torch.Generator(image.device).manual_seed(self._seed)
        return poisson_noise(image, self._scale, WINDOWS[self.window], generator)


class RandJpeg(RandOperation):
    """JPEG compression of a windowed 8-bit view, as slices are shared in talks, messages and teaching files.

    Args:
        quality: range of whole numbers on JPEG's scale of 1 to 100; 30 to 95 in Real-ESRGAN.
        windows: names of views to draw from: wide, soft, lung and bone, as in ``ctsgan.metrics.WINDOWS``; HU
            outside the drawn one pass unchanged.
        prob: how often it is applied.
        real: through a JPEG file made by Pillow, on the processor, in place of the tensors' own computation, which
            differs by a tenth to a fifth of a grey value, runs on any device and has a gradient.
    """

    def __init__(
        self,
        quality: tuple[int, int] = (30, 95),
        windows: Sequence[str] = tuple(WINDOWS),
        prob: float = 1.0,
        real: bool = False,
    ) -> None:
        super().__init__(prob)
        self.quality = quality
        self.windows = windows
        self.real = real
        self._quality = quality[1]
        self._window = windows[0]

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self._quality = int(self.R.randint(self.quality[0], self.quality[1] + 1))
        self._window = self.windows[self.R.randint(len(self.windows))]

    def apply(self, image: torch.Tensor) -> torch.Tensor:
        compress = jpeg.jpeg_file if self.real else jpeg.jpeg
        return compress(image, self._quality, WINDOWS[self._window])
