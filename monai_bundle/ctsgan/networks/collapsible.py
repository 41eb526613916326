"""A 3 x 3 convolution that is trained over-parameterised and used plain."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class CollapsibleConv2d(nn.Module):
    """Expand, convolve, project, plus a linear skip; all linear, so one 3 x 3 kernel does the same.

    The kernel is composed at every training step in weight space (as in SESR, Bhardwaj et al., MLSys 2022),
    which costs next to nothing beside the convolution of the features, instead of running the wide branch
    on the features as SPAN (Wan et al., CVPRW 2024) does.

    Args:
        in_channels: channels of the input, shape (B, in_channels, H, W).
        out_channels: channels of the output, shape (B, out_channels, H, W).
        expansion: width of the inner branch in multiples of ``in_channels``.
    """

    def __init__(self, in_channels: int, out_channels: int, expansion: int = 2) -> None:
        super().__init__()
        inner_in, inner_out = in_channels * expansion, out_channels * expansion
        self.expand = nn.Parameter(torch.empty(inner_in, in_channels))
        self.convolve = nn.Parameter(torch.empty(inner_out, inner_in, 3, 3))
        self.project = nn.Parameter(torch.empty(out_channels, inner_out))
        self.skip = nn.Parameter(torch.empty(out_channels, in_channels))
        self.bias = nn.Parameter(torch.zeros(out_channels))
        for matrix, fan_in in (
            (self.expand, in_channels),
            (self.convolve, inner_in * 9),
            (self.project, inner_out),
            (self.skip, in_channels),
        ):
            nn.init.normal_(matrix, std=(1.0 / fan_in) ** 0.5)

    def kernel(self) -> torch.Tensor:
        """The equivalent kernel, shape (out_channels, in_channels, 3, 3)."""
        with torch.autocast(self.skip.device.type, enabled=False):
            inner = torch.einsum("om,mnhw,ni->oihw", self.project, self.convolve, self.expand)
            return inner + F.pad(self.skip[:, :, None, None], (1, 1, 1, 1))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return F.conv2d(features, self.kernel(), self.bias, padding=1)

    @torch.no_grad()
    def collapse(self) -> nn.Conv2d:
        """The plain convolution that gives the same output."""
        conv = nn.Conv2d(self.skip.shape[1], self.skip.shape[0], 3, padding=1)
        conv.weight.copy_(self.kernel())
        conv.bias.copy_(self.bias)
        return conv
