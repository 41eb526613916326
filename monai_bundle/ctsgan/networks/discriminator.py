"""The discriminator of the second training stage."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from ..intensity import from_network_range

SLOPE = 0.2
"""Negative slope of the leaky ReLU."""
KNEE_HU = 100.0
"""Around 0 HU up to here the discriminator sees HU in proportion, beyond it their logarithm."""


class UNetDiscriminator(nn.Module):
    """Says of each pixel of a CT slice how real it looks, from what surrounds it.

    A U-Net (Schonfeld et al., CVPR 2020) with spectral normalisation (Miyato et al., ICLR 2018) of every
    convolution but the first and the last, in the layout of Real-ESRGAN (Wang et al., ICCV Workshops 2021): three
    4 x 4 convolutions of stride 2 down, three bilinear steps up with the way down added to them, two convolutions
    on top.

    A spectral norm of one bounds how much a logit can move with the input, so the unit of the input decides what
    the discriminator can see at all. It sees asinh(HU / 100): fat, water and muscle lie as far apart as on a
    soft-tissue window, yet air, lung and bone keep their places instead of being clipped to black and white.

    Args:
        features: channels at full resolution; doubled at each step down.
        skip: add the features of the way down to those of the way up.

    Shape: (B, 1, H, W) in the networks' range to logits (B, 1, H, W); H and W are multiples of ``size_multiple``.

    Attributes:
        size_multiple: what H and W are multiples of.

    Raises:
        ValueError: from ``forward`` for another size.
    """

    size_multiple = 8

    def __init__(self, features: int = 64, skip: bool = True) -> None:
        super().__init__()
        self.skip = skip
        self.entrance = nn.Conv2d(1, features, 3, padding=1)
        self.down = nn.ModuleList(
            _normalised(features * 2**step, features * 2 ** (step + 1), 4, stride=2) for step in range(3)
        )
        self.up = nn.ModuleList(
            _normalised(features * 2 ** (step + 1), features * 2**step, 3) for step in reversed(range(3))
        )
        self.top = nn.ModuleList(_normalised(features, features, 3) for _ in range(2))
        self.exit = nn.Conv2d(features, 1, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        rows, columns = image.shape[-2:]
        if rows % self.size_multiple or columns % self.size_multiple:
            raise ValueError(
                f"the discriminator needs sides that are multiples of {self.size_multiple}, got {rows} x {columns}"
            )
        features = _activate(self.entrance(torch.asinh(from_network_range(image) / KNEE_HU)))
        passed = []
        for conv in self.down:
            passed.append(features)
            features = _activate(conv(features))
        for conv in self.up:
            features = F.interpolate(features, scale_factor=2.0, mode="bilinear", align_corners=False)
            features = _activate(conv(features))
            beside = passed.pop()
            if self.skip:
                features = features + beside
        for conv in self.top:
            features = _activate(conv(features))
        return self.exit(features)


def _normalised(in_channels: int, out_channels: int, size: int, stride: int = 1) -> nn.Module:
    return spectral_norm(nn.Conv2d(in_channels, out_channels, size, stride=stride, padding=1, bias=False))


def _activate(features: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu(features, SLOPE)
