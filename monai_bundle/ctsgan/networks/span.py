"""SPAN, a light network with parameter-free attention (Wan et al., CVPR Workshops 2024)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import nn

from ..softness import SHARP
from .expert import ExpertGenerator
from .light import WATER, LightGenerator, conv
from .told import softness_channel

UNIT = 64.0 / 4096.0
"""Inside the network one unit is 64 HU around 0 HU, which with photographs was about four grey values."""

RANGE = 255.0
"""The published networks count in steps of an 8-bit picture."""

FEATURES = 52
"""Channels, as the larger one of the two published networks has."""
BLOCKS = 6
"""Blocks, as both published networks have."""


class AttentionBlock(nn.Module):
    """Three convolutions, whose result says how much of it and of the input goes on.

    The attention, sigmoid(t) - 1/2 of the third convolution's t, needs no parameters: far from zero counts, and the
    sign is kept. Each convolution is that of inference, in which the branches of the published training form are
    merged. Shape (B, features, H, W) in and out.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.conv1 = conv(features, features)
        self.conv2 = conv(features, features)
        self.conv3 = conv(features, features)

    def first(self, features: torch.Tensor) -> torch.Tensor:
        """What the first convolution found, which the network's end sees of the last block."""
        return F.silu(self.conv1(features))

    def rest(self, features: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
        """The block's output, from its input and :meth:`first` of it."""
        third = self.conv3(F.silu(self.conv2(first)))
        return (third + features) * (torch.sigmoid(third) - 0.5)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.rest(features, self.first(features))


class SPANBody(nn.Module):
    """SPAN from the image to the pixel shuffle, in its form for inference.

    Mixed precision leaves it alone. The attention multiplies features by features, block after block, and what float16
    rounds away of them came out as 100 HU and more beside a step from metal to air.

    Args:
        channels: of the image.
        colours: of the output.
        scale: of the pixel shuffle.
        features: channels inside.
        blocks: number of :class:`AttentionBlock`, two or more.

    Attributes:
        reach: how far, in input pixels, an output pixel can see at most.

    Shape: (B, channels, H, W) to (B, colours, scale H, scale W).
    """

    def __init__(self, channels: int, colours: int, scale: int, features: int, blocks: int) -> None:
        super().__init__()
        self.scale = scale
        self.reach = 3 * blocks + 3
        self.entrance = conv(channels, features)
        self.first_block = AttentionBlock(features)
        self.blocks = nn.ModuleList(AttentionBlock(features) for _ in range(blocks - 2))
        self.last_block = AttentionBlock(features)
        self.body_end = conv(features, features)
        self.join = nn.Conv2d(4 * features, features, 1)
        self.exit = conv(features, colours * scale**2)

    def convolutions(self) -> dict[str, nn.Conv2d]:
        """All of them by name, as they follow one another here and in the published file."""
        return {name: module for name, module in self.named_modules() if isinstance(module, nn.Conv2d)}

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        if torch.jit.is_scripting():  # which takes only devices named in the source
            return self.whole(image)
        with torch.autocast(image.device.type, enabled=False):
            return self.whole(image.to(self.join.weight.dtype))

    def whole(self, image: torch.Tensor) -> torch.Tensor:
        """The output, in the precision of the weights."""
        entrance = self.entrance(image)
        after_one = self.first_block(entrance)
        features = after_one
        for block in self.blocks:
            features = block(features)
        first = self.last_block.first(features)
        end = self.body_end(self.last_block.rest(features, first))
        return F.pixel_shuffle(self.exit(self.join(torch.cat([entrance, end, after_one, first], dim=1))), self.scale)


class SPANGenerator(ExpertGenerator):
    """A CT slice in the networks' range, upscaled and cleaned by SPAN, which can begin with what photographs taught it.

    It makes the image itself, not what is added to an interpolation.

    Args:
        scale: 2 or 4, output pixels for an input pixel along each axis; 1 is allowed.
        features: channels; ``None`` takes :data:`FEATURES`.
        blocks: number of :class:`AttentionBlock`, two or more; ``None`` takes :data:`BLOCKS`.
        told: whether it also gets, as one more channel, how soft the kernel was (:mod:`ctsgan.softness`).
        experts: whether slices softer than :data:`ctsgan.softness.SHARP` go through ``soft`` instead, a SPAN of their
            own.
        light_in_doubt: whether of those softer ones only that above :data:`ctsgan.networks.expert.SOFT` do, and what
            is between, where it is in doubt whether the kernel was soft, goes through a :class:`LightGenerator`: for a
            SPAN that has seen nothing but soft kernels.
        turns: see :class:`ExpertGenerator`, with attributes and shape.

    Attributes:
        body_pixel: input pixels to a pixel of the body, along each axis; fewer than ``size_multiple``, which the
            expert for doubtful kernels may ask for.
    """

    def __init__(
        self,
        scale: int,
        features: int | None = None,
        blocks: int | None = None,
        told: bool = False,
        experts: bool = False,
        light_in_doubt: bool = False,
        turns: int = 1,
    ) -> None:
        super().__init__(scale, told, experts, turns)
        # TorchScript knows the attributes of a module, not the constants of a file
        self.unit, self.water, self.soft_above = UNIT, WATER, SHARP
        self.size_multiple = self.body_pixel = 1
        self.body = SPANBody(1 + int(told), 1, scale, features or FEATURES, blocks or BLOCKS)
        self.reach = self.body.reach
        self.soft = SPANGenerator(scale, features, blocks, told, turns=turns) if experts else None
        if self.soft is not None and light_in_doubt:
            light = LightGenerator(scale, told=True, turns=turns)
            self.soft, light.soft = light, self.soft
            self.size_multiple = light.size_multiple
            self.reach = -(-max(self.reach, light.reach) // self.size_multiple) * self.size_multiple

    def once(self, image: torch.Tensor) -> torch.Tensor:
        pixels = (image[:, :1] - self.water) / self.unit
        if self.told:
            pixels = torch.cat([pixels, softness_channel(image, 1, self.softness)], dim=1)
        return self.water + self.unit * self.body(pixels)


def from_span(
    mean: torch.Tensor, convolutions: Sequence[tuple[torch.Tensor, torch.Tensor]], network: SPANGenerator
) -> dict[str, torch.Tensor]:
    """Weights with which a generator does to CT what a SPAN for photographs does to a grey picture of it.

    The picture is the whole range, -1024 to 3071 HU as grey from 0 to 1, and the output the mean of its colours. A
    softness is not listened to.

    Args:
        mean: of each colour of the training photographs, (3,), in [0, 1].
        convolutions: weight and bias of each, in the order of :meth:`SPANBody.convolutions`; the picture counts in
            steps of an 8-bit one.
        network: to be started; it is not changed.

    Returns:
        a state dictionary for ``network`` without its expert for soft kernels.

    Raises:
        ValueError: if they are not of its size.
    """
    (first, first_bias), *inside, (last, last_bias) = convolutions
    colours = len(mean)
    # what the network counts is (unit x + water) as a picture's grey
    grey = F.pad(RANGE * UNIT * first.sum(dim=1, keepdim=True), (0, 0, 0, 0, 0, int(network.told)))
    grey_bias = first_bias + RANGE * (first.sum(dim=(2, 3)) * (WATER - mean)).sum(dim=1)
    one = last.unflatten(0, (colours, -1)).mean(dim=0) / UNIT
    one_bias = (last_bias.unflatten(0, (colours, -1)).mean(dim=0) - WATER) / UNIT
    state = {}
    own = network.body.convolutions().items()
    for (name, module), (weight, bias) in zip(own, [(grey, grey_bias), *inside, (one, one_bias)], strict=True):
        if module.weight.shape != weight.shape:
            raise ValueError(f"body.{name} is {tuple(module.weight.shape)}, not {tuple(weight.shape)}")
        state |= {f"body.{name}.weight": weight, f"body.{name}.bias": bias}
    return state


def from_larger_scale(weights: Mapping[str, torch.Tensor], network: SPANGenerator) -> dict[str, torch.Tensor] | None:
    """Weights with which a generator makes of a slice the footprint means of what one for a larger scale makes.

    Where that one was told a softness and this one is not, it takes the kernel for soft. Where only this one is told,
    it does not listen.

    Args:
        weights: state dictionary of a generator for the same scale or, without experts, a larger one.
        network: to be started; it is not changed.

    Returns:
        a state dictionary for ``network``; ``None`` if the two differ in anything but scale and softness.
    """
    own = {name: value.shape for name, value in network.state_dict().items()}
    if weights.keys() != own.keys():
        return None
    state = dict(weights)
    entrance, bias = state["body.entrance.weight"], state["body.entrance.bias"]
    if len(entrance[0]) == 2 and not network.told:
        state["body.entrance.weight"], state["body.entrance.bias"] = entrance[:, :1], bias + entrance[:, 1].sum((1, 2))
    elif len(entrance[0]) == 1 and network.told:
        state["body.entrance.weight"] = F.pad(entrance, (0, 0, 0, 0, 0, 1))
    scale = round(len(state["body.exit.weight"]) ** 0.5)
    if scale % network.scale:
        return None
    footprint = scale // network.scale
    for name in ("body.exit.weight", "body.exit.bias"):
        pixels = state[name].unflatten(0, (network.scale, footprint, network.scale, footprint))
        state[name] = pixels.mean(dim=(1, 3)).flatten(0, 1)
    return state if all(value.shape == own[name] for name, value in state.items()) else None
