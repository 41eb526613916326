"""Makes spandrel importable, and small networks of each family that look trained."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn

from ctsgan.evaluation.methods.spandrel_file import import_spandrel
from ctsgan.networks import CTsGANGenerator, LightGenerator, SPANGenerator

import_spandrel()

SCALES = (1, 2, 4)


def rrdb(scale: int) -> nn.Module:
    return CTsGANGenerator(scale, features=16, growth=32, blocks=2)


def light(scale: int) -> nn.Module:
    return LightGenerator(scale, features=16, blocks=2)


def light_fine_turned(scale: int) -> nn.Module:
    return LightGenerator(scale, features=16, blocks=2, body_pixel=1, turns=8)


def span(scale: int) -> nn.Module:
    return SPANGenerator(scale, features=16, blocks=2)


@pytest.fixture(params=[rrdb, light, light_fine_turned, span], ids=["rrdb", "light", "light fine turned", "span"])
def build(request: pytest.FixtureRequest) -> Callable[[int], nn.Module]:
    """The training form of each family for a scale."""
    torch.manual_seed(0)
    return request.param


@pytest.fixture(params=SCALES, ids=lambda scale: f"x{scale}")
def scale(request: pytest.FixtureRequest) -> int:
    return request.param


@pytest.fixture
def image() -> torch.Tensor:
    """Two unlike images in the networks' range, unlike in rows and columns too, a multiple of 4."""
    return torch.rand(2, 1, 24, 20, generator=torch.Generator().manual_seed(1))


def make_trained(network: nn.Module) -> nn.Module:
    """Gives every parameter and statistic a value that matters, as training would, and evaluation mode."""
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.uniform_(0.5, 1.5)
                module.running_mean.normal_(std=0.2)
                module.running_var.uniform_(0.2, 2.0)
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.05)
    return network.eval()


@pytest.fixture
def trained(build: Callable[[int], nn.Module], scale: int) -> nn.Module:
    return make_trained(build(scale))


@pytest.fixture
def trained_light() -> Callable[..., LightGenerator]:
    """A light generator of any scale and size with weights that are drawn."""

    def drawn(scale: int, **size: int) -> LightGenerator:
        network = LightGenerator(scale, **size)
        with torch.no_grad():
            for weight in network.parameters():
                weight.normal_(std=0.1)
        return network

    return drawn
