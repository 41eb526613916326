"""The light generator, for machines without a GPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .expert import ExpertGenerator
from .told import softness_channel

UNIT = 256.0 / 4096.0
"""Inside the network one unit is 256 HU around 0 HU, so that soft tissue spans about [-1, 1]."""
WATER = 1024.0 / 4096.0
"""0 HU in the networks' range."""

BODY_PIXEL = {1: 2, 2: 2, 4: 1}
"""Input pixels to a pixel of the body, along each axis, by scale."""
FEATURES = {1: 32, 2: 64, 4: 64}
"""Channels of the body by scale: half where it works at twice the resolution."""
BLOCKS = {1: 7, 2: 9, 4: 9}
"""Residual blocks by scale, as many as 0.04 of the time of ESRGAN's 23 dense blocks allows."""


def conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    """A 3 x 3 convolution that keeps the size."""
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)


class ResidualBlock(nn.Module):
    """Two convolutions around a rectifier, added to their input (He et al., CVPR 2016, as in EDSR, Lim et al., 2017).

    Shape (B, features, H, W) in and out.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = conv(features, features)
        self.conv2 = conv(features, features)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features + self.conv2(F.relu(self.conv1(features)))


class LightGenerator(ExpertGenerator):
    """A CT slice in the networks' range, upscaled and cleaned: bicubic interpolation plus a learnt residual.

    The body works at a quarter of the output's resolution at x2 and x4 (a pixel-unshuffle at the entrance of x2, as
    in Real-ESRGAN) and at half of it at x1: sixteen output pixels to one of the body leave too few channels to tell
    noise from anatomy. The last layer starts at zero, so an untrained network is the interpolation.

    Args:
        scale: 1, 2 or 4, output pixels for an input pixel along each axis.
        features: channels of the body; ``None`` takes :data:`FEATURES`.
        blocks: number of :class:`ResidualBlock`; ``None`` takes :data:`BLOCKS`.
        body_pixel: input pixels to a pixel of the body, along each axis; ``None`` takes :data:`BODY_PIXEL`. With 1 at
            x2 the body takes four times as long and sees each input pixel.
        told: whether the body also gets, as one more channel, how soft the kernel was that the slice was reconstructed
            with (:mod:`ctsgan.softness`). A slice of smooth anatomy and a blurred one look alike where a network
            looks; the noise of the whole volume tells them apart.
        experts: whether one set of weights is for sharp kernels and another, in ``soft``, for those softer than
            :data:`ctsgan.networks.expert.SOFT`. Twice the weights, in the time of one: what is blurred and noisy asks
            for another answer than what was only reduced, and one network of this size gains on the one what it loses
            on the other.
        turns: see :class:`ExpertGenerator`, with attributes and shape.
    """

    def __init__(
        self,
        scale: int,
        features: int | None = None,
        blocks: int | None = None,
        body_pixel: int | None = None,
        told: bool = False,
        experts: bool = False,
        turns: int = 1,
    ) -> None:
        super().__init__(scale, told, experts, turns)
        features = features or FEATURES[scale]
        blocks = blocks or BLOCKS[scale]
        # TorchScript knows the attributes of a module, not the constants of a file
        self.unit, self.water = UNIT, WATER
        self.size_multiple = body_pixel or BODY_PIXEL[scale]
        self.shuffle = scale * self.size_multiple
        # 2 convolutions a block, entrance, body_end and exit; one more, as an input pixel may lie anywhere in its
        # body pixel
        self.reach = (2 * blocks + 4) * self.size_multiple
        self.entrance = conv(self.size_multiple**2 + int(told), features)
        self.blocks = nn.Sequential(*(ResidualBlock(features) for _ in range(blocks)))
        self.body_end = conv(features, features)
        self.exit = conv(features, self.shuffle**2)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)
        self.soft = LightGenerator(scale, features, blocks, body_pixel, told, turns=turns) if experts else None

    def residual(self, image: torch.Tensor) -> torch.Tensor:
        """What is added to the interpolation, shape (B, 1, scale H, scale W)."""
        pixels = F.pixel_unshuffle((image[:, :1] - self.water) / self.unit, self.size_multiple)
        if self.told:
            pixels = torch.cat([pixels, softness_channel(image, self.size_multiple, self.softness)], dim=1)
        entrance = self.entrance(pixels)
        features = entrance + self.body_end(self.blocks(entrance))
        return F.pixel_shuffle(self.exit(features), self.shuffle) * self.unit

    def once(self, image: torch.Tensor) -> torch.Tensor:
        residual = self.residual(image)
        image = image[:, :1]
        if self.scale == 1:
            return image + residual
        base = F.interpolate(image, scale_factor=float(self.scale), mode="bicubic", align_corners=False)
        return base + residual
