"""Training data: whole slices held in memory, patches degraded as they are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from monai.transforms import Randomizable
from torch.utils.data import IterableDataset

from .degradation import Chain
from .intensity import HU_MAX, HU_MIN, to_network_range


def load_slices(dataset_dir: str | Path) -> list[dict[str, Any]]:
    """Every NIfTI volume of a folder as axial slices.

    Returns:
        One dictionary a volume: ``slices`` int16 HU (N, H, W), ``spacing_mm`` (row, column distance), ``name``.

    Raises:
        FileNotFoundError: if the folder holds no NIfTI file.
    """
    files = sorted(Path(dataset_dir).glob("*.nii.gz")) + sorted(Path(dataset_dir).glob("*.nii"))
    if not files:
        raise FileNotFoundError(f"no .nii or .nii.gz file in {dataset_dir}")
    volumes = []
    for file in files:
        image = nib.load(file)
        voxels = np.asanyarray(image.dataobj)
        voxels = np.clip(np.rint(voxels), HU_MIN, HU_MAX).astype(np.int16)
        slices = np.ascontiguousarray(voxels.reshape(*voxels.shape[:2], -1).transpose(2, 1, 0))
        column_mm, row_mm = (float(v) for v in image.header.get_zooms()[:2])
        volumes.append({"slices": torch.from_numpy(slices), "spacing_mm": (row_mm, column_mm), "name": file.name})
    return volumes


class PatchBatches(IterableDataset, Randomizable):
    """An endless stream of batches: sharp patches of real slices and their degraded counterparts.

    A volume is drawn with a chance that grows with the root of its number of slices, so that patients of whom
    there is one slice count; then a slice, a place (again, up to four times, while there is only air) and one
    of the eight flips and quarter turns. Each patch of a batch has a degradation of its own, and is degraded with
    ``degradation.margin`` input pixels around it, which are cut away, so that a blur sees no edge.

    Args:
        volumes: as :func:`load_slices` returns them.
        degradation: what makes the input from the sharp patch.
        patch_size: pixels of the *input* patch along each axis.
        batch_size: patches a batch.
        device: where slices are kept and patches are made.
        seed: of everything that is drawn.

    Yields:
        ``image`` (B, 1, patch_size, patch_size) and ``label`` (B, 1, factor patch_size, factor patch_size),
        both in the networks' range.
    """

    def __init__(
        self,
        volumes: list[dict[str, Any]],
        degradation: Chain,
        patch_size: int = 32,
        batch_size: int = 16,
        device: str | torch.device = "cpu",
        seed: int = 0,
    ) -> None:
        self.volumes = [{**volume, "slices": volume["slices"].to(device)} for volume in volumes]
        chances = np.sqrt([len(volume["slices"]) for volume in volumes])
        self.chances = chances / chances.sum()
        self.degradation = degradation
        self.patch_size = patch_size
        self.batch_size = batch_size
        self.set_random_state(seed)
        degradation.set_random_state(state=self.R)

    def _sharp_patch(self) -> tuple[torch.Tensor, tuple[float, float]]:
        volume = self.volumes[self.R.choice(len(self.volumes), p=self.chances)]
        image = volume["slices"][self.R.randint(len(volume["slices"]))]
        size = self.degradation.factor * (self.patch_size + 2 * self.degradation.margin)
        for _ in range(4):
            row, column = (self.R.randint(extent - size + 1) for extent in image.shape)
            patch = image[row : row + size, column : column + size]
            if (patch > -900).float().mean() > 0.2:
                break
        patch = patch.float()
        if self.R.randint(2):
            patch = patch.T
        flips = [axis for axis in (0, 1) if self.R.randint(2)]
        return (patch.flip(flips) if flips else patch)[None], volume["spacing_mm"]

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        margin = self.degradation.margin
        inner = slice(margin, -margin)
        outer = slice(margin * self.degradation.factor, -margin * self.degradation.factor)
        while True:
            self.degradation.next_batch()
            images, labels = [], []
            for _ in range(self.batch_size):
                sharp, spacing_mm = self._sharp_patch()
                images.append(self.degradation(sharp, spacing_mm)[:, inner, inner])
                labels.append(sharp[:, outer, outer])
            yield {
                "image": to_network_range(torch.stack(images)),
                "label": to_network_range(torch.stack(labels)),
            }


def validation_pairs(
    volumes: list[dict[str, Any]], degradation: Chain, slices_a_volume: int = 2, crop: int = 256, seed: int = 0
) -> list[dict[str, Any]]:
    """Fixed pairs from the middle of evenly spaced slices, degraded with one seed, for curves while training.

    Returns:
        Dictionaries with ``image`` (1, crop / factor, crop / factor) and ``label`` (1, crop, crop) in the
        networks' range.
    """
    degradation.set_random_state(seed)
    pairs = []
    for volume in volumes:
        count = len(volume["slices"])
        for index in sorted({int((i + 0.5) * count / slices_a_volume) for i in range(slices_a_volume)}):
            image = volume["slices"][index].float()
            row, column = ((extent - crop) // 2 for extent in image.shape)
            sharp = image[None, row : row + crop, column : column + crop]
            pairs.append(
                {
                    "image": to_network_range(degradation(sharp, volume["spacing_mm"])),
                    "label": to_network_range(sharp),
                }
            )
    return pairs
