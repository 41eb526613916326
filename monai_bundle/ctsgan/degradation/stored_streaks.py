"""Streaks for patches: projected once through whole slices, then added to patches as they are drawn."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from ..filters import footprint_mean, whole_footprints
from .scanner import RandStreaks
from .transforms import RandOperation

VERSION = 1
"""Of what is stored; another one projects anew."""


def project_streaks(
    volumes: Sequence[dict[str, Any]],
    factor: int,
    count: int = 200,
    cache_dir: str | Path | None = None,
    seed: int = 0,
) -> list[torch.Tensor]:
    """What :class:`~ctsgan.degradation.RandStreaks`, with its defaults, adds to slices drawn from volumes.

    Every volume is drawn equally often. A slice of 512 x 512 takes two seconds at factor 1.

    Args:
        volumes: with ``slices`` (N, H, W) in HU, ``spacing_mm`` and ``name``, as :func:`ctsgan.data.load_slices` makes
            them.
        factor: how many pixels of the slices make one of those that streaks are added to, along each axis.
        count: slices that are projected.
        cache_dir: where the result is kept, and taken from the next time; ``None`` keeps it in memory alone.
        seed: of everything that is drawn.

    Returns:
        ``count`` tensors (H / factor, W / factor) in HU, float16.

    Raises:
        CTError: if scikit-image is not installed.
    """
    cached = None
    if cache_dir is not None:
        about = [(volume["name"], tuple(volume["slices"].shape), volume["spacing_mm"]) for volume in volumes]
        key = hashlib.sha256(repr((VERSION, about, factor, count, seed)).encode()).hexdigest()[:32]
        cached = Path(cache_dir) / f"streaks_{key}.pt"
        if cached.exists():
            return torch.load(cached, weights_only=True)
    random = np.random.RandomState(seed)
    streaks = RandStreaks().set_random_state(state=random)
    fields = []
    for index in tqdm(range(count), desc="streaks", unit="slice", disable=None):
        volume = volumes[index % len(volumes)]
        image = volume["slices"][random.randint(len(volume["slices"]))].float()[None]
        image = footprint_mean(whole_footprints(image, factor), factor)
        streaky = streaks(image, tuple(factor * mm for mm in volume["spacing_mm"]))
        fields.append((streaky - image)[0].half())
    if cached is not None:
        cached.parent.mkdir(parents=True, exist_ok=True)
        partial = cached.with_name(f".{cached.name}.{os.getpid()}")
        torch.save(fields, partial)
        partial.replace(cached)
    return fields


class RandStoredStreaks(RandOperation):
    """Streaks of another slice: a window of what a low dose added there, turned over at random.

    A patch cannot be projected, because every ray crosses the whole slice. Streaks keep their texture and strength
    this way; that they follow this patient's bones is lost.

    Args:
        fields: (H, W) in HU, from :func:`project_streaks`; what was drawn there is the range here.
        prob: how often they are added.
    """

    def __init__(self, fields: Sequence[torch.Tensor], prob: float = 1.0) -> None:
        super().__init__(prob)
        self.fields = list(fields)
        self._index = 0
        self._place = np.zeros(2)
        self._flips: list[int] = []

    def randomize(self, data: object = None) -> None:
        super().randomize(None)
        self.randomize_pattern()

    def randomize_pattern(self) -> None:
        """Other streaks: those of the next slice."""
        self._index = int(self.R.randint(len(self.fields)))
        # the middle half, where the patient is
        self._place = self.R.uniform(0.25, 0.75, size=2)
        self._flips = [axis for axis in (0, 1) if self.R.randint(2)]

    def apply(self, image: torch.Tensor, spacing_mm: Sequence[float]) -> torch.Tensor:
        """Slices (C, H, W), no larger than the fields.

        Raises:
            ValueError: for larger ones.
        """
        field, size = self.fields[self._index], image.shape[-2:]
        if any(wanted > there for wanted, there in zip(size, field.shape, strict=True)):
            raise ValueError(f"stored streaks of {tuple(field.shape)} pixels are too small for {tuple(size)}")
        corners = [
            min(max(round(share * there - wanted / 2), 0), there - wanted)
            for share, there, wanted in zip(self._place, field.shape, size, strict=True)
        ]
        window = field[corners[0] : corners[0] + size[0], corners[1] : corners[1] + size[1]].flip(self._flips)
        return image + window.to(image)
