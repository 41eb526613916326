"""What generators that may be told how soft the kernel was have in common."""

from __future__ import annotations

import torch
from torch import nn

from ..softness import UNKNOWN

SOFT = 0.8
"""Softness above which a generator with experts takes the one for soft kernels: in doubt, the other one loses less."""


def turned(image: torch.Tensor, turn: int) -> torch.Tensor:
    """One of the eight symmetries of a square, 0 to 7: flipped along columns (1) and rows (2), then transposed (4)."""
    if turn & 1:
        image = image.flip(-1)
    if turn & 2:
        image = image.flip(-2)
    return image.transpose(-2, -1) if turn & 4 else image


def turned_back(image: torch.Tensor, turn: int) -> torch.Tensor:
    """The inverse of :func:`turned`."""
    return turned(image.transpose(-2, -1) if turn & 4 else image, turn & 3)


class ExpertGenerator(nn.Module):
    """A generator of which there may be another, for soft kernels, and which may take the mean over turned slices.

    A subclass computes a slice in :meth:`once` and sets :attr:`soft`.

    Args:
        scale: output pixels for an input pixel along each axis.
        told: whether :meth:`once` takes the softness, as a second channel.
        experts: whether the subclass is going to set ``soft``, for which it must be told.
        turns: 1, 2, 4 or 8: the output is the mean over so many of the eight flips and quarter turns of the slice
            (self-ensemble, Timofte et al., CVPR 2016). What the network got wrong by chance differs among them. The
            weights are the same; train with 1.

    Attributes:
        scale: as given.
        told: as given.
        softness: what it takes where it is not given one.
        soft: the generator for kernels softer than ``soft_above``, or ``None``.
        size_multiple: what H and W are multiples of.
        reach: how far, in input pixels, an output pixel can see at most; a multiple of ``size_multiple``.

    Shape: (B, 1, H, W), or (B, 2, H, W) with the softness, -1 to 1, as a second channel of one value a slice, to
        (B, 1, scale H, scale W); H and W are multiples of ``size_multiple``.
    """

    def __init__(self, scale: int, told: bool, experts: bool, turns: int) -> None:
        super().__init__()
        if scale not in (1, 2, 4):
            raise ValueError(f"scale must be 1, 2 or 4, got {scale}")
        if turns not in (1, 2, 4, 8):
            raise ValueError(f"turns must be 1, 2, 4 or 8, got {turns}")
        if experts and not told:
            raise ValueError("experts are chosen by the softness, so the generator must be told it")
        self.scale = scale
        self.told = told
        self.turns = turns
        self.softness = UNKNOWN
        # TorchScript knows the attributes of a module, not the constants of a file
        self.soft_above = SOFT

    def once(self, image: torch.Tensor) -> torch.Tensor:
        """With this generator's own weights, as the slice lies."""
        raise NotImplementedError

    def enhanced(self, image: torch.Tensor) -> torch.Tensor:
        """With this generator's own weights."""
        result = self.once(image)
        for turn in range(1, self.turns):
            result = result + turned_back(self.once(turned(image, turn)), turn)
        return result / self.turns if self.turns > 1 else result

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if self.soft is None:
            return self.enhanced(image)
        if image.shape[1] == 1:
            return self.soft(image) if self.softness > self.soft_above else self.enhanced(image)
        soft = image[:, 1, 0, 0] > self.soft_above
        if bool(soft.all()):
            return self.soft(image)
        if not bool(soft.any()):
            return self.enhanced(image)
        results = torch.cat([self.enhanced(image[~soft]), self.soft(image[soft])])
        order = torch.cat([torch.nonzero(~soft), torch.nonzero(soft)])[:, 0]
        return results[torch.argsort(order)]
