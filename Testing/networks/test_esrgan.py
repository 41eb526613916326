"""An ESRGAN for photographs in CTsGAN's generator, and normalisations that begin as the identity."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from ctsgan.networks import CTsGANGenerator, calibrate, from_esrgan
from ctsgan.networks.esrgan import Layer, parameter_names


def esrgan(entrance: int = 3, blocks: int = 1) -> list[Layer]:
    """Convolutions of one for colour pictures whose entrance takes so many channels."""
    generator = torch.Generator().manual_seed(0)

    def layer(outputs: int, inputs: int) -> Layer:
        weight = torch.randn(outputs, inputs, 3, 3, generator=generator) / (3 * inputs**0.5)
        return weight, torch.randn(outputs, generator=generator)

    body = [layer(64 if i == 4 else 32, 64 + 32 * i) for _ in range(3 * blocks) for i in range(5)]
    return [layer(64, entrance), *body, *(layer(64, 64) for _ in range(4)), layer(3, 64)]


def loaded(layers: list[Layer], scale: int = 4, blocks: int = 1, batch_norm: bool = False) -> CTsGANGenerator:
    torch.manual_seed(0)
    network = CTsGANGenerator(scale, blocks=blocks, batch_norm=batch_norm)
    network.load_state_dict(from_esrgan(layers, network), strict=False)
    return network.eval()


@pytest.fixture
def picture() -> torch.Tensor:
    return torch.rand(1, 1, 16, 12, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def test_one_channel_stands_for_three_equal_ones(picture):
    assert len(parameter_names(23)) == 351
    layers = esrgan()
    network = loaded(layers)
    seen = {}
    network.conv_first.register_forward_hook(lambda _, inputs, output: seen.update(first=output.clone()))
    network.conv_last.register_forward_hook(lambda _, inputs, output: seen.update(last=inputs[0].clone()))
    output = network(picture)
    torch.testing.assert_close(
        seen["first"], F.conv2d(picture.expand(1, 3, -1, -1), *layers[0], padding=1), rtol=1e-4, atol=1e-4
    )
    colours = F.conv2d(seen["last"], *layers[-1], padding=1)
    torch.testing.assert_close(output, colours.mean(dim=1, keepdim=True), rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("scale", [1, 2])
def test_a_smaller_scale_sees_the_footprint_mean(picture, scale):
    layers = esrgan()
    expected = loaded(layers)(F.avg_pool2d(picture, 4 // scale))
    torch.testing.assert_close(loaded(layers, scale)(picture), expected, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_an_entrance_of_several_pixels_sees_one_several_times(picture):
    layers = esrgan(entrance=12)
    expected = loaded(layers, scale=2)(F.interpolate(picture, scale_factor=2.0, mode="nearest"))
    torch.testing.assert_close(loaded(layers, scale=4)(picture), expected, rtol=1e-4, atol=1e-4)


def test_blocks_are_taken_evenly_from_first_to_last():
    layers = esrgan(blocks=5)
    theirs = dict(zip(parameter_names(5), layers, strict=True))
    state = from_esrgan(layers, CTsGANGenerator(4, blocks=3, batch_norm=False))
    for own, source in enumerate((0, 2, 4)):
        assert torch.equal(state[f"body.{own}.rdb2.conv3.weight"], theirs[f"body.{source}.rdb2.conv3"][0])


@pytest.mark.parametrize(
    ("layers", "problem"),
    [
        (esrgan()[:-1], "20 convolutions, not those of an ESRGAN of 1 blocks or more"),
        (esrgan(entrance=6), "takes 6 channels"),
        (esrgan(entrance=27), "takes 27 channels"),
        ([(weight[:48], bias[:48]) for weight, bias in esrgan()], r"conv_first has the shape \(48, 1, 3, 3\)"),
    ],
)
def test_what_is_no_such_network_is_refused(layers, problem):
    with pytest.raises(ValueError, match=problem):
        loaded(layers)


@torch.no_grad()
def test_calibrated_normalisations_change_nothing(picture):
    layers = esrgan()
    plain, network = loaded(layers), loaded(layers, batch_norm=True)
    images = torch.cat([picture, picture.flip(-1), 0.3 * picture])
    network.train()
    calibrate(network, images)
    assert network.training
    torch.testing.assert_close(network.eval()(picture), plain(picture), rtol=1e-3, atol=1e-3)
    # in training, a batch's own statistics take the place of those it was calibrated with
    torch.testing.assert_close(network.train()(images), plain(images), rtol=1e-2, atol=1e-2)
