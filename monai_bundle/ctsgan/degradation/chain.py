"""What all chains of operations have in common, so that training, tests and the command line need not know which."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.transforms import Randomizable

from ..intensity import HU_MAX, HU_MIN


def whole_hu(image: torch.Tensor) -> torch.Tensor:
    """As a scanner stores it: whole HU within [-1024, 3071]."""
    return image.round().clamp(HU_MIN, HU_MAX)


def random_state(*numbers: int) -> np.random.RandomState:
    """A random state of its own for each sequence of numbers of 0 or more, such as seed, batch and place."""
    return np.random.RandomState(np.random.MT19937(np.random.SeedSequence(numbers)))


class Chain(Randomizable):
    """Operations that together make a slice with pixels ``factor`` times as wide.

    What is drawn, in :meth:`randomize`, stays apart from what is done, in :meth:`__call__`: called again with
    ``randomize=False`` the same draw is applied. All operations draw from one random state.
    """

    margin = 4
    """Pixels of the result around a patch that its surroundings decide; training cuts that much away."""

    softer_prob: float | None = None
    """How often training takes a smooth slice for the sharp one of what was drawn; ``None`` leaves it to training."""

    noise_tells = True
    """Whether the noise of a slice may tell how soft it is (:mod:`ctsgan.softness`)."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    @property
    def drawn(self) -> Chain:
        """The chain that was drawn, where there are several; else this one."""
        return self

    def operations(self) -> Sequence[Randomizable]:
        """Those that take part, in the order in which they draw."""
        raise NotImplementedError

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> Chain:
        super().set_random_state(seed, state)
        for operation in self.operations():
            operation.set_random_state(state=self.R)
        return self

    def randomize(self, data: object = None) -> None:
        for operation in self.operations():
            operation.randomize()

    def randomize_slice(self) -> None:
        """Draw anew what differs from slice to slice of one volume; here, everything."""
        self.randomize()

    def begin_batch(self, seed: int, number: int) -> None:
        """Told before each batch of training which one it is; a chain that changes its form over time does so here."""

    def slice_at(self, voxels: np.ndarray, index: int, distance_mm: float) -> torch.Tensor:
        """The slice (1, H, W) to degrade of a stack (slices, H, W) ``distance_mm`` apart; here, that slice alone."""
        return torch.from_numpy(voxels[index].astype(np.float32))[None].clamp(HU_MIN, HU_MAX)

    def __call__(self, image: torch.Tensor, spacing_mm: Sequence[float], randomize: bool = True) -> torch.Tensor:
        """Degrade a slice (C, H, W) in HU; the result is (C, H / factor, W / factor) in whole HU.

        Args:
            image: H and W are multiples of the factor.
            spacing_mm: (row, column) distance.
            randomize: draw anew.
        """
        raise NotImplementedError
