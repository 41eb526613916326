"""Faint lesions for sharp training patches."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from ..degradation.transforms import RandOperation
from ..filters import blurred_disc
from ..intensity import HU_MIN

AIR_HU = -950.0
"""Below this there is no tissue for a lesion to be in."""


class RandLesions(RandOperation):
    """Round and oval lesions of low contrast, added to a sharp slice (C, H, W) in HU before it is degraded.

    What training data seldom shows, a network takes for noise. Small lesions of low contrast are seldom in anybody's
    data, so some are put in; half of them are darker than their surroundings.

    Args:
        count: least and largest number.
        diameter_mm: range of the diameter, the geometric mean of an oval's two; each octave as often.
        contrast_hu: range of the contrast in HU, of either sign; each octave as often.
        axis_ratio: largest ratio of an oval's diameters.
        edge_mm: range of the standard deviation of the blur of the edge.
        prob: how often a slice gets any.
    """

    def __init__(
        self,
        count: tuple[int, int] = (1, 8),
        diameter_mm: tuple[float, float] = (2.0, 16.0),
        contrast_hu: tuple[float, float] = (8.0, 120.0),
        axis_ratio: float = 1.8,
        edge_mm: tuple[float, float] = (0.3, 1.0),
        prob: float = 1.0,
    ) -> None:
        super().__init__(prob)
        self.count = count
        self.diameter_mm = diameter_mm
        self.contrast_hu = contrast_hu
        self.axis_ratio = axis_ratio
        self.edge_mm = edge_mm
        self._lesions: list[tuple[float, ...]] = []

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self._lesions = [
            (
                self.R.random_sample(),
                self.R.random_sample(),
                math.exp(self.R.uniform(*map(math.log, self.diameter_mm))),
                math.exp(self.R.uniform(*map(math.log, self.contrast_hu))) * (1 - 2 * self.R.randint(2)),
                math.sqrt(self.R.uniform(1.0, self.axis_ratio)),
                self.R.uniform(0.0, math.pi),
                self.R.uniform(*self.edge_mm),
            )
            for _ in range(self.R.randint(self.count[0], self.count[1] + 1))
        ]

    def apply(self, image: torch.Tensor, spacing_mm: Sequence[float]) -> torch.Tensor:
        rows, columns = image.shape[-2:]
        added = torch.zeros(rows, columns, device=image.device)
        for row, column, diameter, contrast, stretch, angle, edge in self._lesions:
            y = (torch.arange(rows, device=image.device) - row * rows)[:, None] * spacing_mm[0]
            x = (torch.arange(columns, device=image.device) - column * columns) * spacing_mm[1]
            along = (math.cos(angle) * x + math.sin(angle) * y) / stretch
            across = (math.cos(angle) * y - math.sin(angle) * x) * stretch
            added += contrast * blurred_disc(torch.hypot(along, across), diameter, edge)
        return torch.where(image > AIR_HU, image + added, image).clamp(min=HU_MIN)
