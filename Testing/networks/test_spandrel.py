"""To programs that load networks through spandrel (chaiNNer and others) the folded generator is an ESRGAN."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from spandrel import ImageModelDescriptor, ModelLoader
from torch import nn

from ctsgan.networks import CTsGANGenerator, fold


@pytest.fixture
def build() -> Callable[[int], nn.Module]:
    """Of the two families only this one."""
    torch.manual_seed(0)
    return lambda scale: CTsGANGenerator(scale, features=16, growth=32, blocks=2)


@pytest.fixture
def folded(trained: nn.Module) -> nn.Module:
    return fold(trained)


def test_it_is_recognised(folded, scale):
    descriptor = ModelLoader().load_from_state_dict(folded.state_dict())
    assert isinstance(descriptor, ImageModelDescriptor)
    assert descriptor.architecture.id == "ESRGAN"
    assert (descriptor.scale, descriptor.input_channels, descriptor.output_channels) == (scale, 1, 1)
    assert {"16nf", "2nb"} <= set(descriptor.tags)


def test_it_runs_to_the_same_output(folded, image):
    descriptor = ModelLoader().load_from_state_dict(folded.state_dict())
    with torch.no_grad():
        expected = folded(image)
        torch.testing.assert_close(descriptor.model.eval()(image), expected, rtol=0, atol=1e-6)
    # the descriptor itself keeps to pictures' [0, 1]
    torch.testing.assert_close(descriptor(image), expected.clamp(0, 1), rtol=0, atol=1e-6)


def test_a_file_of_weights_is_loaded_too(folded, scale, tmp_path):
    torch.save(folded.state_dict(), tmp_path / "ctsgan.pth")
    descriptor = ModelLoader().load_from_file(tmp_path / "ctsgan.pth")
    assert (descriptor.architecture.id, descriptor.scale) == ("ESRGAN", scale)
