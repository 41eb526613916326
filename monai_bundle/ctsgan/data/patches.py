"""An endless stream of training batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset

from ..degradation.chain import Chain, random_state
from ..errors import CTError
from ..filters import footprint_mean, gaussian_blur
from ..intensity import to_network_range
from ..softness import UNKNOWN, measure_softness, with_softness
from .lesions import RandLesions

MEASURED = 384
"""Pixels, along each axis, of the middle of a sharp slice that is degraded to measure its softness."""


class PatchBatches(IterableDataset):
    """An endless stream of batches: sharp patches of real slices and their degraded counterparts.

    A volume is drawn with a chance that grows with the root of its number of slices, so that patients of whom
    there is one slice count; then a slice, a place (again, up to four times, while there is only air) and one
    of the eight flips and quarter turns. Each patch of a batch has a degradation of its own, and is degraded with
    ``degradation.margin`` input pixels around it, which are cut away, so that a blur sees no edge.

    Scanners differ more than the patients of one dataset show: a soft kernel and a large pixel leave edges smooth
    and noise low. So now and then the sharp patch is the footprint mean of one twice as large, or is smoothed
    first.

    Everything that is drawn for a patch follows from the seed, the number of its batch and its place in the batch
    alone. A run that goes on at batch n (``next_batch``) therefore sees what it would have seen without a stop, and
    several processes see together the batches of one process.

    Args:
        volumes: as :func:`load_slices` returns them.
        degradation: what makes the input from the sharp patch.
        patch_size: pixels of the *input* patch along each axis.
        batch_size: patches a batch of this process.
        device: where patches are made. Slices are kept there too, if they leave half of a GPU's free memory free.
        seed: of everything that is drawn.
        coarser_prob: how often the sharp patch has pixels of twice the size.
        softer_prob: how often the sharp patch is smoothed by a Gaussian of 0.5 to 2 of its pixels, unless the
            degradation says it.
        lesions: what is put into sharp patches; ``None`` for nothing.
        tell: give the softness of each patch too, as a network that is told gets it: measured, once for each slice and
            chain of operations, in the middle of the whole slice degraded by a draw of its own.
        unknown_prob: how often a patch is told that its softness is unknown.
        known_softness: the lowest and the highest that are told as they are; others are told as unknown: for one of
            several experts, which meets the others' kernels only where the measure is in doubt.
        rank: number of this process among ``world_size``; each makes its own part of every batch.
        world_size: processes that train together.

    Attributes:
        next_batch: number of the batch that comes next.
        measured: the softness by chain, number of volume and of slice, coarser and halves of a pixel smoothed.

    Raises:
        CTError: if slices are smaller than a patch.

    Yields:
        ``image`` (B, 1, patch_size, patch_size), with ``tell`` (B, 2, ...), and ``label``
        (B, 1, factor patch_size, factor patch_size), both in the networks' range.
    """

    def __init__(
        self,
        volumes: list[dict[str, Any]],
        degradation: Chain,
        patch_size: int = 32,
        batch_size: int = 16,
        device: str | torch.device = "cpu",
        seed: int = 0,
        coarser_prob: float = 0.15,
        softer_prob: float = 0.1,
        lesions: RandLesions | None = None,
        tell: bool = False,
        unknown_prob: float = 0.0,
        known_softness: Sequence[float] = (-1.0, 1.0),
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.degradation = degradation
        self.patch_size = patch_size
        self.batch_size = batch_size
        self.device = torch.device(device)
        self.seed = seed
        self.coarser_prob = coarser_prob
        self.softer_prob = softer_prob
        self.lesions = lesions
        self.tell = tell
        self.unknown_prob = unknown_prob
        self.known_softness = known_softness
        self.rank, self.world_size = rank, world_size
        self.next_batch = 0
        self.measured: dict[tuple[Chain, int, int, int, int], float] = {}
        self.size = degradation.factor * (patch_size + 2 * degradation.margin)
        for volume in volumes:
            rows, columns = volume["slices"].shape[1:]
            if min(rows, columns) < self.size:
                raise CTError(
                    f"the slices of {volume['name']} have {rows} x {columns} pixels, and a patch takes {self.size}; "
                    "leave the volume out or set a smaller patch_size"
                )
        # stored streaks are as large as their own slices
        self.middle = min(MEASURED, *(min(volume["slices"].shape[1:]) for volume in volumes))
        self.volumes = self._near(volumes)
        chances = np.sqrt([len(volume["slices"]) for volume in volumes])
        self.chances = chances / chances.sum()

    def _near(self, volumes: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if self.device.type == "cuda":
            needed = sum(volume["slices"].nbytes for volume in volumes)
            if 2 * needed < torch.cuda.mem_get_info(self.device)[0]:
                return [{**volume, "slices": volume["slices"].to(self.device)} for volume in volumes]
        return volumes

    def _sharp_patch(
        self, random: np.random.RandomState
    ) -> tuple[torch.Tensor, tuple[float, float], tuple[int, int, int, int]]:
        """The patch, the distances of its pixels, and what :meth:`_softness` asks for."""
        number = random.choice(len(self.volumes), p=self.chances)
        volume = self.volumes[number]
        index = random.randint(len(volume["slices"]))
        image = volume["slices"][index]
        coarser = 2 if random.random_sample() < self.coarser_prob and 2 * self.size <= min(image.shape) else 1
        spacing_mm = tuple(coarser * mm for mm in volume["spacing_mm"])
        size = coarser * self.size
        for _ in range(4):
            row, column = (random.randint(extent - size + 1) for extent in image.shape)
            patch = image[row : row + size, column : column + size]
            if (patch > -900).float().mean() > 0.2:
                break
        softer_prob = self.degradation.softer_prob
        softer = random.random_sample() < (self.softer_prob if softer_prob is None else softer_prob)
        smoothed = random.uniform(0.5, 2.0) if softer else 0.0
        patch = self._made_sharp(patch, spacing_mm, coarser, smoothed)
        if self.lesions is not None:
            patch = self.lesions.set_random_state(state=random)(patch, spacing_mm)
        patch = patch.round()
        if random.randint(2):
            patch, spacing_mm = patch.transpose(1, 2), spacing_mm[::-1]
        flips = [axis for axis in (1, 2) if random.randint(2)]
        patch = patch.flip(flips) if flips else patch
        return patch, spacing_mm, (int(number), index, coarser, round(2.0 * smoothed))

    def _made_sharp(
        self, pixels: torch.Tensor, spacing_mm: tuple[float, float], coarser: int, smoothed: float
    ) -> torch.Tensor:
        """Pixels (H, W) of a slice as (1, H / coarser, W / coarser), ``spacing_mm`` apart, smoothed by some of them."""
        sharp = footprint_mean(pixels.to(self.device).float()[None], coarser)
        return gaussian_blur(sharp, smoothed * float(np.mean(spacing_mm)), spacing_mm) if smoothed else sharp

    def _softness(self, random: np.random.RandomState, number: int, index: int, coarser: int, smoothed: int) -> float:
        """As it would be measured of slice ``index`` of volume ``number``, with pixels ``coarser`` times as wide.

        Args:
            random: of the patch.
            smoothed: by how many halves of a pixel the slice was smoothed first.
        """
        chain = self.degradation.drawn
        if not chain.noise_tells:
            return random.uniform(-1.0, 1.0)
        key = (chain, number, index, coarser, smoothed)
        if key not in self.measured:
            volume = self.volumes[number]
            image, unit = volume["slices"][index], coarser * chain.factor
            size = unit * (self.middle // unit)
            row, column = ((extent - size) // 2 for extent in image.shape)
            middle = image[row : row + size, column : column + size]
            spacing_mm = tuple(coarser * mm for mm in volume["spacing_mm"])
            sharp = self._made_sharp(middle, spacing_mm, coarser, 0.5 * smoothed)
            chain.set_random_state(state=random_state(self.seed, number, index))
            self.measured[key] = measure_softness(chain(sharp, spacing_mm).cpu().numpy(), chain.factor)
        return self.measured[key]

    def _told(self, random: np.random.RandomState, softness: float) -> float:
        lowest, highest = self.known_softness
        known = lowest <= softness <= highest and random.random_sample() >= self.unknown_prob
        return softness if known else UNKNOWN

    def batch(self, number: int) -> dict[str, torch.Tensor]:
        """This process's part of the batch with that number."""
        margin = self.degradation.margin
        inner = slice(margin, -margin)
        outer = slice(margin * self.degradation.factor, -margin * self.degradation.factor)
        self.degradation.begin_batch(self.seed, number)
        images, labels, softness = [], [], []
        for index in range(self.rank * self.batch_size, (self.rank + 1) * self.batch_size):
            random = random_state(self.seed, number, index)
            self.degradation.set_random_state(state=random)
            self.degradation.randomize()
            sharp, spacing_mm, measured = self._sharp_patch(random)
            images.append(self.degradation(sharp, spacing_mm, randomize=False)[:, inner, inner])
            labels.append(sharp[:, outer, outer])
            if self.tell:
                softness.append(self._told(random, self._softness(random, *measured)))
        image = to_network_range(torch.stack(images))
        if self.tell:
            image = with_softness(image, image.new_tensor(softness))
        return {"image": image, "label": to_network_range(torch.stack(labels))}

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        while True:
            self.next_batch += 1
            yield self.batch(self.next_batch - 1)
