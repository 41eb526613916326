"""What a smaller, simpler scanner does to a slice, as MONAI transforms.

Each takes channel-first slices (C, H, W) in HU and their spacing in mm; ``randomize`` draws, ``__call__`` applies,
and with ``randomize=False`` applies the same again. Lengths are in mm and frequencies in cycles/mm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from . import acquisition
from .transforms import RandOperation


class RandDetectorFootprint(RandOperation):
    """The mean over a wider detector element.

    Args:
        width_mm: range of its width at the isocentre in mm. Multi-row detectors have about 0.6 mm there
            (Kalender, Computed Tomography, 3rd edition), so that 0.6 to 1.2 is one element to two read together.
        prob: how often it is applied.
    """

    def __init__(self, width_mm: tuple[float, float] = (0.6, 1.2), prob: float = 1.0) -> None:
        super().__init__(prob)
        self.width_mm = width_mm
        self._width_mm = 0.0

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self._width_mm = self.R.uniform(*self.width_mm)

    def apply(self, image: torch.Tensor, spacing_mm: Sequence[float]) -> torch.Tensor:
        return acquisition.detector_footprint(image, spacing_mm, self._width_mm)


class RandMtfBlur(RandOperation):
    """Focal spot and reconstruction kernel, as the modulation transfer function (MTF) that is measured of them.

    Args:
        f10: range of the frequency in cycles/mm at which the MTF is 10 %. Limiting resolutions of portable head
            scanners are 7 (Rumboldt et al., AJNR 30:1630, 2009) and 8 line pairs per cm (Kunst et al., Lahey
            Journal 2:1, 2024), and softer kernels are in use: 0.4 to 0.8.
        ratio: range of f50 / f10; 0.55 is a Gaussian, as Nickoloff and Riley found (Medical Physics 12:437, 1985).
        prob: how often it is applied.
    """

    def __init__(
        self, f10: tuple[float, float] = (0.4, 0.8), ratio: tuple[float, float] = (0.45, 0.6), prob: float = 1.0
    ) -> None:
        super().__init__(prob)
        self.f10 = f10
        self.ratio = ratio
        self._f10 = self._f50 = 0.0

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self._f10 = self.R.uniform(*self.f10)
        self._f50 = self._f10 * self.R.uniform(*self.ratio)

    def apply(self, image: torch.Tensor, spacing_mm: Sequence[float]) -> torch.Tensor:
        return acquisition.mtf_blur(image, spacing_mm, self._f10, self._f50)


class RandQuantumNoise(RandOperation):
    """Noise that follows the dose, with the texture of filtered back projection.

    Args:
        dose: range of the share of the full dose; drawn evenly on a logarithmic scale.
        full_dose_std_hu: standard deviation in HU at full dose; 12 is the "portable" protocol's.
        peak_frequency: range of the peak of the noise power spectrum in cycles/mm; its mean is 1.25 times that,
            and means of 0.26 to 0.31 were measured on an ACR phantom (AAPM 2026, abstract 2456). No higher than
            0.6 of the grid's Nyquist frequency: a kernel is chosen to suit the pixels.
        prob: how often it is applied.
    """

    def __init__(
        self,
        dose: tuple[float, float] = (0.25, 1.0),
        full_dose_std_hu: float = 12.0,
        peak_frequency: tuple[float, float] = (0.2, 0.25),
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.dose = dose
        self.full_dose_std_hu = full_dose_std_hu
        self.peak_frequency = peak_frequency
        self._dose = self._peak = 1.0
        self._seed = 0

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self._dose = math.exp(self.R.uniform(*np.log(self.dose)))
        self._peak = self.R.uniform(*self.peak_frequency)
        self.randomize_pattern()

    def randomize_pattern(self) -> None:
        """Another noise at the same dose and with the same texture: that of the next slice."""
        self._seed = int(self.R.randint(2**31))

    def apply(self, image: torch.Tensor, spacing_mm: Sequence[float]) -> torch.Tensor:
        generator = torch.Generator(image.device).manual_seed(self._seed)
        peak = min(self._peak, 0.3 / max(spacing_mm))
        return image + acquisition.quantum_noise(
            image.shape, spacing_mm, self.full_dose_std_hu, self._dose, peak, generator, image.device
        )


class RandStreaks(RandOperation):
    """Streaks where few photons arrive, by projecting the slice forward and back: whole slices only, and slow.

    Args:
        photons: range of photons per ray and view, in air, drawn evenly on a logarithmic scale. With 360 views and
            pixels of 2 mm, 5e5 adds about 23 HU and 2e6 about 11 HU in the middle of an abdomen, one to two times
            the "portable" protocol's noise.
        electronic_std: range of the detector's noise floor in photons; chosen so that it matters only behind metal
            and along shoulders or hips.
        views: over 180 degrees; time is proportional to it.
        prob: how often it is applied.
    """

    def __init__(
        self,
        photons: tuple[float, float] = (5e5, 2e6),
        electronic_std: tuple[float, float] = (0.0, 20.0),
        views: int = 360,
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.photons = photons
        self.electronic_std = electronic_std
        self.views = views
        self._photons = self._electronic_std = 0.0
        self._seed = 0

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self._photons = math.exp(self.R.uniform(*np.log(self.photons)))
        self._electronic_std = self.R.uniform(*self.electronic_std)
        self.randomize_pattern()

    def randomize_pattern(self) -> None:
        """Other counts at the same dose: those of the next slice."""
        self._seed = int(self.R.randint(2**31))

    def apply(self, image: torch.Tensor, spacing_mm: Sequence[float]) -> torch.Tensor:
        return acquisition.low_count_streaks(
            image, spacing_mm, self._photons, self._electronic_std, self._seed, self.views
        )


class RandRings(RandOperation):
    """Rings about the isocentre, from detector channels with a wrong gain.

    Args:
        count: range of their number.
        amplitude_hu: range of their crest in HU, either sign. Acceptance tests (IEC 61223-3-5) let water deviate by
            4 HU; rings are noticed from about there, and a scanner in need of calibration has more.
        width_mm: range of the full width at half maximum in mm, the width of a detector element.
        radius_mm: range of their radii in mm.
        centre_mm: how far at most the isocentre lies from the middle of the image, along each axis, in mm; 0 for
            whole slices, about 100 for patches of them.
        prob: how often it is applied.
    """

    def __init__(
        self,
        count: tuple[int, int] = (1, 6),
        amplitude_hu: tuple[float, float] = (4.0, 15.0),
        width_mm: tuple[float, float] = (0.6, 1.2),
        radius_mm: tuple[float, float] = (3.0, 150.0),
        centre_mm: float = 0.0,
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.count = count
        self.amplitude_hu = amplitude_hu
        self.width_mm = width_mm
        self.radius_mm = radius_mm
        self.centre_mm = centre_mm
        self._radii = self._amplitudes = np.zeros(0)
        self._centre = np.zeros(2)
        self._width_mm = 1.0

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        count = self.R.randint(self.count[0], self.count[1] + 1)
        self._radii = self.R.uniform(*self.radius_mm, size=count)
        self._amplitudes = self.R.uniform(*self.amplitude_hu, size=count) * self.R.choice((-1.0, 1.0), size=count)
        self._width_mm = self.R.uniform(*self.width_mm)
        self._centre = self.R.uniform(-1.0, 1.0, size=2) * self.centre_mm

    def apply(self, image: torch.Tensor, spacing_mm: Sequence[float]) -> torch.Tensor:
        rings = self._radii.tolist(), self._amplitudes.tolist(), self._width_mm, self._centre.tolist()
        return acquisition.ring_artefacts(image, spacing_mm, *rings)


class RandCupping(RandOperation):
    """Too low HU deep in the patient, from beam hardening and scatter that were not corrected to the end.

    Args:
        depth_hu: range of what water loses in the middle, in HU; 4 is what acceptance tests (IEC 61223-3-5) allow,
            a choice of up to 20 where a patient is not the phantom that the correction was made for.
        radius_mm: range of the radius in mm from which nothing is lost, from a head's to a large abdomen's.
        prob: how often it is applied.
    """

    def __init__(
        self,
        depth_hu: tuple[float, float] = (4.0, 20.0),
        radius_mm: tuple[float, float] = (90.0, 180.0),
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.depth_hu = depth_hu
        self.radius_mm = radius_mm
        self._depth_hu = 0.0
        self._radius_mm = 1.0

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self._depth_hu = self.R.uniform(*self.depth_hu)
        self._radius_mm = self.R.uniform(*self.radius_mm)

    def apply(self, image: torch.Tensor, spacing_mm: Sequence[float]) -> torch.Tensor:
        return acquisition.cupping(image, spacing_mm, self._depth_hu, self._radius_mm)


class RandThickSlices(RandOperation):
    """Thicker slices, at the positions of the given ones.

    Args:
        thickness_mm: range of the thickness in mm; 2.5 to 5, in which portable head CT is mostly read.
        prob: how often it is applied.
    """

    def __init__(self, thickness_mm: tuple[float, float] = (2.5, 5.0), prob: float = 1.0) -> None:
        super().__init__(prob)
        self.thickness_mm = thickness_mm
        self._thickness_mm = 0.0

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self._thickness_mm = self.R.uniform(*self.thickness_mm)

    def reach(self, distance_mm: float) -> int:
        """How many neighbours on either side take part in a slice, as drawn."""
        return math.ceil((self._thickness_mm / distance_mm - 1.0) / 2.0) if self._do_transform else 0

    def apply(self, stack: torch.Tensor, distance_mm: float) -> torch.Tensor:
        """A stack (slices, H, W) ``distance_mm`` apart, thickened; slices that are thicker already stay so."""
        if self._thickness_mm <= distance_mm:
            return stack
        return acquisition.thick_slices(stack, distance_mm, self._thickness_mm)
