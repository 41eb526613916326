"""The chain from the patient to the image of a smaller scanner."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.transforms import Randomizable

from ..filters import footprint_mean
from ..intensity import HU_MAX, HU_MIN
from .chain import Chain, whole_hu
from .scanner import (
    RandCupping,
    RandDetectorFootprint,
    RandMtfBlur,
    RandQuantumNoise,
    RandRings,
    RandStreaks,
    RandThickSlices,
)
from .stored_streaks import RandStoredStreaks


class ScannerDegradation(Chain):
    """What another, smaller scanner would have made of the patient.

    Detector footprint, MTF, the mean over each larger pixel, noise by dose, then now and then streaks, rings and
    cupping; of a volume, thicker slices before all that.

    Streaks need the whole slice, because every ray crosses all of it, and take seconds: to train on patches leave
    ``streak_prob`` 0 and give :class:`RandStoredStreaks`. Of a volume, the scanner and its dose are drawn once, and
    the noise anew for each slice.

    Args:
        factor: how many pixels of the sharp image make one pixel of the degraded one, along each axis.
        streak_prob, ring_prob, cupping_prob: how often each artefact appears.
        pixel_mm: take the degraded image's pixels as this wide, whatever they are; ``None`` takes them as they are.
            A network sees pixels and no mm: to train one for scanners whose pixels are 0.7 mm wide on sharp slices
            of 0.7 mm, say 0.7.
        footprint, blur, noise, streaks, rings, cupping, thick: the operations, where not with their defaults;
            of ``streaks``, ``rings`` and ``cupping`` the probability is then their own.
    """

    margin = 8

    def __init__(
        self,
        factor: int,
        streak_prob: float = 0.0,
        ring_prob: float = 0.2,
        cupping_prob: float = 0.2,
        pixel_mm: float | None = None,
        footprint: RandDetectorFootprint | None = None,
        blur: RandMtfBlur | None = None,
        noise: RandQuantumNoise | None = None,
        streaks: RandStreaks | RandStoredStreaks | None = None,
        rings: RandRings | None = None,
        cupping: RandCupping | None = None,
        thick: RandThickSlices | None = None,
    ) -> None:
        super().__init__(factor)
        self.pixel_mm = pixel_mm
        self.footprint = footprint or RandDetectorFootprint()
        self.blur = blur or RandMtfBlur()
        self.noise = noise or RandQuantumNoise()
        self.streaks = streaks or RandStreaks(prob=streak_prob)
        self.rings = rings or RandRings(prob=ring_prob)
        self.cupping = cupping or RandCupping(prob=cupping_prob)
        self.thick = thick or RandThickSlices()

    def operations(self) -> Sequence[Randomizable]:
        return self.thick, self.footprint, self.blur, self.noise, self.streaks, self.rings, self.cupping

    def randomize_slice(self) -> None:
        self.noise.randomize_pattern()
        self.streaks.randomize_pattern()

    def slice_at(self, voxels: np.ndarray, index: int, distance_mm: float) -> torch.Tensor:
        reach = self.thick.reach(distance_mm)
        first = max(index - reach, 0)
        stack = torch.from_numpy(voxels[first : index + reach + 1].astype(np.float32)).clamp(HU_MIN, HU_MAX)
        return self.thick(stack, distance_mm, randomize=False)[index - first][None]

    def __call__(self, image: torch.Tensor, spacing_mm: Sequence[float], randomize: bool = True) -> torch.Tensor:
        if randomize:
            self.randomize()
        fine = tuple(spacing_mm) if self.pixel_mm is None else (self.pixel_mm / self.factor,) * 2
        coarse = tuple(self.factor * mm for mm in fine)
        image = self.footprint(image, fine, randomize=False)
        image = self.blur(image, fine, randomize=False)
        image = footprint_mean(image, self.factor)
        for operation in (self.noise, self.streaks, self.rings, self.cupping):
            image = operation(image, coarse, randomize=False)
        return whole_hu(image)
