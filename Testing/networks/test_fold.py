"""Folding changes the form of a network, never its output."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from ctsgan.networks import CTsGANGenerator, LightGenerator, SPANGenerator, fold
from ctsgan.softness import with_softness

from .conftest import make_trained


def test_output_stays_the_same(trained, image):
    with torch.no_grad():
        before, after = trained(image), fold(trained)(image)
    assert before.std() > 1e-3
    torch.testing.assert_close(after, before, rtol=0, atol=1e-5)


def test_no_normalisation_is_left(trained):
    folded = fold(trained)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())


def test_result_has_the_parameters_of_the_inference_form(trained, scale, image):
    if isinstance(trained, CTsGANGenerator):
        plain = CTsGANGenerator(scale, features=16, growth=32, blocks=2, batch_norm=False)
    elif isinstance(trained, SPANGenerator):
        plain = SPANGenerator(scale, 16, 2)
    else:
        plain = LightGenerator(scale, 16, 2, body_pixel=trained.size_multiple, turns=trained.turns)
    folded = fold(trained)
    plain.load_state_dict(folded.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(plain.eval()(image), folded(image), rtol=0, atol=0)


def test_original_is_left_as_it_was(trained):
    trained.train()
    before = copy.deepcopy(trained.state_dict())
    folded = fold(trained)
    assert trained.training
    assert not any(module.training for module in folded.modules())
    assert trained.state_dict().keys() == before.keys()
    torch.testing.assert_close(dict(trained.state_dict()), dict(before), rtol=0, atol=0)
    with torch.no_grad():
        for parameter in folded.parameters():
            parameter.zero_()
    torch.testing.assert_close(dict(trained.state_dict()), dict(before), rtol=0, atol=0)


def test_folding_twice_is_folding_once(trained):
    once = fold(trained)
    twice = fold(once)
    assert twice is not once
    torch.testing.assert_close(dict(twice.state_dict()), dict(once.state_dict()), rtol=0, atol=0)
    assert not {weight.data_ptr() for weight in once.parameters()} & {
        weight.data_ptr() for weight in twice.parameters()
    }


def test_precision_is_kept(trained, image):
    trained.double()
    with torch.no_grad():
        torch.testing.assert_close(fold(trained)(image.double()), trained(image.double()), rtol=0, atol=1e-6)


@pytest.mark.parametrize("softness", [-0.5, 1.0])
def test_a_softness_becomes_part_of_the_weights(scale, softness):
    told = make_trained(CTsGANGenerator(scale, features=8, growth=4, blocks=1, told=True))
    edge = 2 * told.reach
    image = torch.rand(1, 1, edge + 12, edge + 16)
    folded = fold(told, softness)
    plain = CTsGANGenerator(scale, features=8, growth=4, blocks=1, batch_norm=False)
    plain.load_state_dict(folded.state_dict())
    with torch.no_grad():
        expected = told(with_softness(image, torch.tensor([softness])))
        inside = (..., *(slice(scale * told.reach, -scale * told.reach),) * 2)
        torch.testing.assert_close(plain.eval()(image)[inside], expected[inside], rtol=0, atol=1e-5)
        assert not torch.allclose(told(image)[inside], expected[inside], atol=1e-3)
    assert told.told
    assert not folded.told
