"""The light generator, for machines without a GPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from .collapsible import CollapsibleConv2d

UNIT = 256.0 / 4096.0
"""Inside the network one unit is 256 HU around 0 HU, so that soft tissue spans about [-1, 1]."""
WATER = 1024.0 / 4096.0
"""0 HU in the networks' range."""


class AttentionBlock(nn.Module):
    """Three convolutions and the parameter-free attention of SPAN (Wan et al., CVPRW 2024).

    The attention is the last convolution's own output through an odd sigmoid: strong responses, edges
    mostly, are passed on and weak ones are damped. Shape (B, features, H, W) in and out. With ``residual`` the
    block's input is added to its output.
    """

    def __init__(self, features: int, conv: type[nn.Module], residual: bool) -> None:
        super().__init__()
        self.residual = residual
        self.conv1 = conv(features, features)
        self.conv2 = conv(features, features)
        self.conv3 = conv(features, features)

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Returns the block's output and its first response, which the generator may use once more."""
        first = self.conv1(features)
        response = self.conv3(F.silu(self.conv2(F.silu(first))))
        attended = (response + features) * (torch.sigmoid(response) - 0.5)
        return (attended + features if self.residual else attended), first


class PlainConv2d(nn.Conv2d):
    """A 3 x 3 convolution that keeps the size, with the signature of :class:`CollapsibleConv2d`."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 3, padding=1)


class LightGenerator(nn.Module):
    """A CT slice in the networks' range, upscaled and cleaned: bicubic interpolation plus a learnt residual.

    The body works at a quarter of the output's resolution whatever the scale: a pixel-unshuffle at the
    entrance (as Real-ESRGAN does for x1 and x2) and a pixel-shuffle by 4 at the exit. The last layer starts
    at zero, so an untrained network is the interpolation.

    Args:
        scale: 1, 2 or 4, output pixels for an input pixel along each axis.
        features: channels of the body.
        blocks: number of :class:`AttentionBlock`.
        collapsed: plain convolutions for inference (the default), or collapsible ones for training.

    Attributes:
        scale: as given.
        size_multiple: what H and W are multiples of, input pixels to a pixel of the body.
        reach: how far, in input pixels, an output pixel can see at most; a multiple of ``size_multiple``.

    Shape: (B, 1, H, W) to (B, 1, scale H, scale W); H and W are multiples of ``size_multiple``.
    """

    def __init__(self, scale: int, features: int = 64, blocks: int = 5, collapsed: bool = True) -> None:
        super().__init__()
        if scale not in (1, 2, 4):
            raise ValueError(f"scale must be 1, 2 or 4, got {scale}")
        conv = PlainConv2d if collapsed else CollapsibleConv2d
        self.scale = scale
        # TorchScript knows the attributes of a module, not the constants of a file
        self.unit, self.water = UNIT, WATER
        self.size_multiple = 4 // scale
        # 3 convolutions a block, entrance, body_end and exit; one more, as an input pixel may lie anywhere in its
        # body pixel
        self.reach = (3 * blocks + 4) * self.size_multiple
        self.entrance = conv(self.size_multiple**2, features)
        # without a finer grid to fill in there is little to learn at first, and blocks that only multiply would
        # fade to zero before it is found
        residual = scale == 1
        self.blocks = nn.ModuleList(AttentionBlock(features, conv, residual) for _ in range(blocks))
        self.body_end = conv(features, features)
        self.fuse = nn.Conv2d(features * 4, features, 1)
        self.exit = PlainConv2d(features, 16)
        nn.init.zeros_(self.exit.weight)
        nn.init.zeros_(self.exit.bias)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        entrance = self.entrance(F.pixel_unshuffle((image - self.water) / self.unit, self.size_multiple))
        features, early, late = entrance, entrance, entrance
        for index, block in enumerate(self.blocks):
            features, late = block(features)
            if index == 0:
                early = features
        fused = self.fuse(torch.cat([entrance, self.body_end(features), early, late], dim=1))
        residual = F.pixel_shuffle(self.exit(fused), 4) * self.unit
        if self.scale == 1:
            return image + residual
        base = F.interpolate(image, scale_factor=float(self.scale), mode="bicubic", align_corners=False)
        return base + residual
