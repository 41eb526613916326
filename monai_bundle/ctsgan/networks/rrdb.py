"""The full generator: residual-in-residual dense blocks with batch normalisation."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..softness import UNKNOWN
from .told import softness_channel

SLOPE = 0.2
"""Of the leaky rectifiers for negative values, as in ESRGAN."""
STRIP = 32
"""Rows of the body's pixels that inference takes to the output's resolution at once."""
TAIL_REACH = 2
"""Pixels of the body that an output pixel sees beyond its own through the convolutions after the body."""
SMALL = 0.1
"""What the Kaiming initialisation inside the dense blocks is multiplied by, as in ESRGAN."""


class UnroundedConv2d(nn.Conv2d):
    """A convolution that mixed precision leaves alone: between two bfloat16 at water's 0.25 lie 8 HU."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if torch.jit.is_scripting():  # which takes only devices named in the source
            return self._conv_forward(image, self.weight, self.bias)
        with torch.autocast(image.device.type, enabled=False):
            return self._conv_forward(image.to(self.weight.dtype), self.weight, self.bias)


class DenseBlock(nn.Module):
    """Five convolutions, each of which sees what all before it made, and a scaled residual.

    Every convolution is followed by its batch normalisation, or by nothing where ``batch_norm`` is off, then,
    but for the fifth, by a leaky rectifier. Shape (B, features, H, W) in and out.
    """

    def __init__(self, features: int, growth: int, residual_scale: float, batch_norm: bool) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.activate = nn.LeakyReLU(SLOPE, inplace=True)
        self.conv1 = nn.Conv2d(features, growth, 3, padding=1)
        self.conv2 = nn.Conv2d(features + growth, growth, 3, padding=1)
        self.conv3 = nn.Conv2d(features + 2 * growth, growth, 3, padding=1)
        self.conv4 = nn.Conv2d(features + 3 * growth, growth, 3, padding=1)
        self.conv5 = nn.Conv2d(features + 4 * growth, features, 3, padding=1)
        for index in range(1, 6):
            conv = self.get_submodule(f"conv{index}")
            norm = nn.BatchNorm2d(conv.out_channels) if batch_norm else nn.Identity()
            self.add_module(f"norm{index}", norm)
            nn.init.kaiming_normal_(conv.weight)
            nn.init.zeros_(conv.bias)
            # a normalisation undoes any factor before it, so there the small start is its gain
            with torch.no_grad():
                (norm if batch_norm else conv).weight.mul_(SMALL)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        parts = [features]
        parts.append(self.activate(self.norm1(self.conv1(features))))
        parts.append(self.activate(self.norm2(self.conv2(torch.cat(parts, 1)))))
        parts.append(self.activate(self.norm3(self.conv3(torch.cat(parts, 1)))))
        parts.append(self.activate(self.norm4(self.conv4(torch.cat(parts, 1)))))
        together = torch.cat(parts, 1)
        # else they and their copy are held while the last convolution works
        parts.clear()
        fifth = self.norm5(self.conv5(together))
        return features + self.residual_scale * fifth


class ResidualDenseBlocks(nn.Module):
    """Three dense blocks and a scaled residual around them (RRDB). Shape (B, features, H, W) in and out."""

    def __init__(self, features: int, growth: int, residual_scale: float, batch_norm: bool) -> None:
        super().__init__()
        self.residual_scale = residual_scale
        self.rdb1 = DenseBlock(features, growth, residual_scale, batch_norm)
        self.rdb2 = DenseBlock(features, growth, residual_scale, batch_norm)
        self.rdb3 = DenseBlock(features, growth, residual_scale, batch_norm)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features + self.residual_scale * self.rdb3(self.rdb2(self.rdb1(features)))


class CTsGANGenerator(nn.Module):
    """A CT slice in the networks' range, (HU + 1024) / 4096, upscaled and cleaned.

    The generator of ESRGAN (Wang et al., ECCV Workshops 2018) with one channel and with batch normalisation
    in its dense blocks. As in Real-ESRGAN (Wang et al., ICCV Workshops 2021), a pixel-unshuffle at the entrance
    keeps the body at a quarter of the output's resolution, whatever the scale.

    The defaults but for ``batch_norm=False``, which is what :func:`~ctsgan.networks.fold` makes, have ESRGAN's
    parameter names and arithmetic, so programs that load ESRGAN load them; such programs take a growth of 32
    and a residual scaling of 0.2 for granted.

    Args:
        scale: 1, 2 or 4, output pixels for an input pixel along each axis.
        features: channels of the body.
        growth: channels that each of a dense block's first four convolutions adds.
        blocks: number of :class:`ResidualDenseBlocks`.
        residual_scale: weight of a dense block, and of three of them, against the way around.
        batch_norm: normalise after each convolution of the dense blocks, for training; off for inference.
        told: whether the first convolution also gets, as one more channel, how soft the kernel was
            (:mod:`ctsgan.softness`). :func:`~ctsgan.networks.fold` makes one softness part of the weights, which are
            then ESRGAN's again.

    Shape: (B, 1, H, W), where it is told also (B, 2, H, W) with the softness, -1 to 1, as a second channel of one value
        a slice, to (B, 1, scale H, scale W); H and W are multiples of ``size_multiple``.

    Attributes:
        scale: as given.
        told: as given.
        softness: what it takes where it is not given one.
        size_multiple: what H and W are multiples of, input pixels to a pixel of the body.
        reach: how far, in input pixels, an output pixel can see at most; a multiple of ``size_multiple``. What
            comes from afar has passed through many small residuals: with Real-ESRGAN's weights (23 blocks, so a
            reach of 350) a window with 96 pixels around it agreed with all 288 x 288 of a CT image to 0.1 HU.

    Raises:
        ValueError: for another scale.
    """

    def __init__(
        self,
        scale: int,
        features: int = 64,
        growth: int = 32,
        blocks: int = 16,
        residual_scale: float = 0.2,
        batch_norm: bool = True,
        told: bool = False,
    ) -> None:
        super().__init__()
        if scale not in (1, 2, 4):
            raise ValueError(f"scale must be 1, 2 or 4, got {scale}")
        self.scale = scale
        self.told = told
        self.softness = UNKNOWN
        self.size_multiple = 4 // scale
        # 15 convolutions a block, conv_first and conv_body; the four after them see two of the body's pixels further;
        # one more, as an input pixel may lie anywhere in its body pixel
        self.reach = (15 * blocks + 5) * self.size_multiple
        self.conv_first = UnroundedConv2d(self.size_multiple**2 + int(told), features, 3, padding=1)
        self.body = nn.Sequential(
            *(ResidualDenseBlocks(features, growth, residual_scale, batch_norm) for _ in range(blocks))
        )
        self.conv_body = nn.Conv2d(features, features, 3, padding=1)
        self.conv_up1 = nn.Conv2d(features, features, 3, padding=1)
        self.conv_up2 = nn.Conv2d(features, features, 3, padding=1)
        self.conv_hr = nn.Conv2d(features, features, 3, padding=1)
        self.conv_last = UnroundedConv2d(features, 1, 3, padding=1)
        self.activate = nn.LeakyReLU(SLOPE, inplace=True)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        pixels = F.pixel_unshuffle(image[:, :1], self.size_multiple)
        if self.told:
            pixels = torch.cat([pixels, softness_channel(image, self.size_multiple, self.softness)], dim=1)
        shallow = self.conv_first(pixels)
        features = shallow + self.conv_body(self.body(shallow))
        if torch.jit.is_scripting():
            return self.upscaled(features)
        if self.training or torch.jit.is_tracing() or torch.compiler.is_compiling():
            return self.upscaled(features)
        # at the output's resolution the features of a slice take gigabytes
        rows = features.shape[-2]
        strips = []
        for first in range(0, rows, STRIP):
            above = min(first, TAIL_REACH)
            strip = self.upscaled(features[..., first - above : first + STRIP + TAIL_REACH, :])
            strips.append(strip[..., 4 * above : 4 * (above + STRIP), :])
        return torch.cat(strips, dim=-2)

    def upscaled(self, features: torch.Tensor) -> torch.Tensor:
        """From the body's features (B, features, H, W) to the image (B, 1, 4 H, 4 W)."""
        features = self.activate(self.conv_up1(F.interpolate(features, scale_factor=2.0, mode="nearest")))
        features = self.activate(self.conv_up2(F.interpolate(features, scale_factor=2.0, mode="nearest")))
        return self.conv_last(self.activate(self.conv_hr(features)))
