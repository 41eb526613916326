"""One of several chains, for a model that is not told which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.transforms import Randomizable

from .chain import Chain


class MixedDegradation(Chain):
    """One of several chains, drawn for each slice, so that a blind model is trained for all of them.

    Args:
        chains: of one and the same factor.
        chances: how often each is drawn, in any unit; ``None`` draws all equally often.

    Raises:
        ValueError: if there is no chain, factors differ, or there is not one chance for each chain.
    """

    def __init__(self, chains: Sequence[Chain], chances: Sequence[float] | None = None) -> None:
        factors = {chain.factor for chain in chains}
        if len(factors) != 1:
            raise ValueError(f"a mixture needs chains of one factor, got {sorted(factors)}")
        super().__init__(factors.pop())
        chances = np.ones(len(chains)) if chances is None else np.asarray(chances, dtype=float)
        if len(chances) != len(chains):
            raise ValueError(f"a mixture needs one chance for each chain, got {len(chances)} for {len(chains)}")
        self.chains = list(chains)
        self.chances = chances / chances.sum()
        self.margin = max(chain.margin for chain in chains)
        self._drawn = self.chains[0]

    @property
    def drawn(self) -> Chain:
        return self._drawn

    @property
    def softer_prob(self) -> float | None:
        return self.drawn.softer_prob

    def operations(self) -> Sequence[Randomizable]:
        return self.chains

    def begin_batch(self, seed: int, number: int) -> None:
        for chain in self.chains:
            chain.begin_batch(seed, number)

    def randomize(self, data: object = None) -> None:
        self._drawn = self.chains[self.R.choice(len(self.chains), p=self.chances)]
        self.drawn.randomize()

    def randomize_slice(self) -> None:
        self.drawn.randomize_slice()

    def slice_at(self, voxels: np.ndarray, index: int, distance_mm: float) -> torch.Tensor:
        return self.drawn.slice_at(voxels, index, distance_mm)

    def __call__(self, image: torch.Tensor, spacing_mm: Sequence[float], randomize: bool = True) -> torch.Tensor:
        if randomize:
            self.randomize()
        return self.drawn(image, spacing_mm, randomize=False)
