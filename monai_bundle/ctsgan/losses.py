"""Losses, each a small module on images in the networks' range."""

from __future__ import annotations

import torch
from torch import nn

from .intensity import HU_STEPS, from_network_range


class WindowedL1Loss(nn.Module):
    """Mean absolute error in HU over the whole range, plus a share of it inside a soft-tissue window.

    Between two soft tissues lie 20 HU, between bone and air 2000: without the second term the network
    spends itself on the latter.

    Args:
        window_hu: lower and upper end of the window in HU.
        window_weight: weight of the windowed term.
    """

    def __init__(self, window_hu: tuple[float, float] = (-160.0, 240.0), window_weight: float = 0.5) -> None:
        super().__init__()
        self.window_hu = tuple(window_hu)
        self.window_weight = window_weight

    def forward(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        prediction, target = prediction.float(), target.float()
        wide = (prediction - target).abs().mean() * HU_STEPS
        prediction, target = (from_network_range(x).clamp(*self.window_hu) for x in (prediction, target))
        return wide + self.window_weight * (prediction - target).abs().mean()
