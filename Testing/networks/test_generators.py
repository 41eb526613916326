"""What the generators promise, whichever family: sizes, how far they see, where they start."""

from __future__ import annotations

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ctsgan.networks import CTsGANGenerator, LightGenerator, SPANGenerator, fold
from ctsgan.networks.rrdb import STRIP
from ctsgan.softness import with_softness


def test_output_is_the_input_upscaled_with_one_channel(trained, scale, image):
    with torch.no_grad():
        assert trained(image).shape == (2, 1, scale * 24, scale * 20)


def test_sizes_that_are_multiples_of_size_multiple_are_accepted(trained, scale):
    rows, columns = 3 * trained.size_multiple, 5 * trained.size_multiple
    with torch.no_grad():
        assert trained(torch.rand(1, 1, rows, columns)).shape[-2:] == (scale * rows, scale * columns)


@pytest.mark.parametrize("generator", [CTsGANGenerator, LightGenerator, SPANGenerator])
@pytest.mark.parametrize("unsuitable", [0, 3, 8])
def test_other_scales_are_refused(generator, unsuitable):
    with pytest.raises(ValueError, match=f"scale must be 1, 2 or 4, got {unsuitable}"):
        generator(unsuitable)


@pytest.mark.parametrize(
    "build",
    [
        partial(CTsGANGenerator, blocks=1),
        partial(LightGenerator, blocks=1),
        partial(LightGenerator, blocks=1, body_pixel=1),
        partial(SPANGenerator, blocks=2),
    ],
    ids=["rrdb", "light", "light fine", "span"],
)
def test_reach_is_as_far_as_an_output_pixel_sees(build, scale):
    """Not a number spreads through every weight: where the output is one, the pixel has been seen."""
    network = build(scale, features=4).double().eval()
    reach, multiple = network.reach, network.size_multiple
    assert reach % multiple == 0
    middle = reach + 2 * multiple
    side = 2 * middle + multiple
    farthest = 0
    for place in {middle, middle + multiple - 1}:  # first and last input pixel of a pixel of the body
        image = torch.zeros(1, 1, side, side, dtype=torch.float64)
        image[..., place, place] = torch.nan
        with torch.no_grad():
            rows, columns = network(image)[0, 0].isnan().nonzero().div(scale, rounding_mode="floor").T
        farthest = max(farthest, int((rows - place).abs().max()), int((columns - place).abs().max()))
    assert reach - 2 * multiple < farthest <= reach


@pytest.mark.parametrize("rows", [1, STRIP, 2 * STRIP + 11])
def test_strips_of_the_output_have_no_seams(rows):
    network = CTsGANGenerator(4, features=4, growth=2, blocks=1).double().eval()
    image = torch.rand(1, 1, rows, 7, dtype=torch.float64)
    with torch.no_grad():
        strips = network(image)
        # in training, where statistics are kept from moving, all of it is made at once
        network.train()
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        torch.testing.assert_close(strips, network(image), rtol=0, atol=1e-12)


def test_reach_grows_with_the_blocks():
    assert CTsGANGenerator(4, features=4, blocks=16).reach == 245
    assert LightGenerator(4, features=4, blocks=9).reach == 22
    assert LightGenerator(1, features=4, blocks=9).reach == 44
    assert SPANGenerator(4, features=4, blocks=6).reach == 21


def test_with_experts_the_reach_is_that_of_either():
    network = SPANGenerator(2, features=4, told=True, experts=True, light_in_doubt=True)
    assert (network.reach, network.size_multiple) == (network.soft.reach, 2) == (44, 2)


def test_untrained_light_generator_is_bicubic_interpolation(scale, image):
    upscaled = F.interpolate(image, scale_factor=scale, mode="bicubic", align_corners=False)
    with torch.no_grad():
        output = LightGenerator(scale, features=16, blocks=2)(image)
    torch.testing.assert_close(output, upscaled, rtol=0, atol=1e-6)


@pytest.mark.parametrize("build", [CTsGANGenerator, LightGenerator, SPANGenerator], ids=["rrdb", "light", "span"])
def test_mixed_precision_does_not_round_the_output_to_steps(build, image):
    network = build(2, features=8, blocks=2).eval()
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        output = network(image)
    assert output.dtype == torch.float32
    assert (output != output.bfloat16().float()).float().mean() > 0.9


def test_mixed_precision_does_not_round_the_input_to_steps():
    network = CTsGANGenerator(4, features=8, blocks=1).eval()
    image = torch.rand(1, 1, 12, 12)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert not torch.equal(network(image), network(image.bfloat16().float()))


@pytest.mark.parametrize("batch_norm", [True, False])
def test_dense_blocks_start_small(batch_norm):
    torch.manual_seed(0)
    network = CTsGANGenerator(4, features=16, growth=32, blocks=4, batch_norm=batch_norm)
    features = torch.randn(2, 16, 12, 12)
    with torch.no_grad():
        difference = network.body(features) - 1.2**4 * features  # each block adds a fifth of its input, and little else
    assert 0.0 < difference.std() < 0.05


def test_batch_norm_follows_every_convolution_of_the_dense_blocks_and_no_other():
    network = CTsGANGenerator(2, features=8, growth=4, blocks=2)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == 2 * 3 * 5
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.body.modules()) == 2 * 3 * 5


def test_every_parameter_of_each_family_is_trained(build, scale, image):
    network = build(scale).train()
    if isinstance(network, LightGenerator):
        nn.init.normal_(network.exit.weight)
    network(image).square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_a_folded_generator_still_says_scale_size_and_reach(trained):
    folded = fold(trained)
    for name in ("scale", "size_multiple", "reach"):
        assert getattr(folded, name) == getattr(trained, name)


@pytest.mark.parametrize("turns", [1, 8])
def test_each_slice_has_the_expert_for_its_kernel(scale, turns, trained_light):
    network = trained_light(scale, features=8, blocks=1, told=True, experts=True, turns=turns)
    single = LightGenerator(scale, features=8, blocks=1, told=True, turns=turns)
    images = torch.rand(5, 1, 24, 20, generator=torch.Generator().manual_seed(1))
    told = with_softness(images, torch.tensor([1.0, -0.8, 0.81, 0.8, 0.9]))
    with torch.no_grad():
        results = network(told)
        for image, result, soft in zip(told, results, [True, False, True, False, True], strict=True):
            prefix = "soft." if soft else ""
            weights = network.state_dict()
            single.load_state_dict({name: weights[prefix + name] for name in single.state_dict()})
            torch.testing.assert_close(single(image[None])[0], result)
            # alone as in company
            torch.testing.assert_close(network(image[None])[0], result)
        # as an exported network is run
        single.load_state_dict({name: weights[name] for name in single.state_dict()})
        torch.testing.assert_close(network(images), single(images))


def test_span_has_one_expert_for_sharp_kernels_and_one_for_all_others(scale):
    network = SPANGenerator(scale, features=8, blocks=2, told=True, experts=True)
    alone = SPANGenerator(scale, features=8, blocks=2, told=True)
    weights = network.state_dict()
    images = torch.rand(4, 1, 24, 20, generator=torch.Generator().manual_seed(1))
    told = with_softness(images, torch.tensor([0.0, 0.9, 0.3, 0.31]))
    with torch.no_grad():
        result = network(told)
        alone.load_state_dict({name: weights[name] for name in alone.state_dict()})
        torch.testing.assert_close(result[[0, 2]], alone(told[[0, 2]]))
        alone.load_state_dict({name: weights["soft." + name] for name in alone.state_dict()})
        torch.testing.assert_close(result[[1, 3]], alone(told[[1, 3]]))
        # as an exported network is run, which is told nothing
        torch.testing.assert_close(network(images), alone(images))


@pytest.mark.parametrize("turns", [1, 4])
def test_of_span_doubtful_kernels_may_have_a_light_generator_and_soft_ones_another_span(scale, turns):
    network = SPANGenerator(scale, 8, 2, told=True, experts=True, light_in_doubt=True, turns=turns)
    nn.init.normal_(network.soft.exit.weight, std=0.1)
    doubtful, soft = LightGenerator(scale, told=True, turns=turns), SPANGenerator(scale, 8, 2, told=True, turns=turns)
    sharp = SPANGenerator(scale, 8, 2, told=True, turns=turns)
    weights = network.state_dict()
    for alone, prefix in ((sharp, ""), (doubtful, "soft."), (soft, "soft.soft.")):
        alone.load_state_dict({name: weights[prefix + name] for name in alone.state_dict()})
    images = torch.rand(5, 1, 24, 20, generator=torch.Generator().manual_seed(1))
    told = with_softness(images, torch.tensor([0.0, 0.9, 0.3, 0.5, 0.8]))
    with torch.no_grad():
        result = network(told)
        torch.testing.assert_close(result[[0, 2]], sharp(told[[0, 2]]))
        torch.testing.assert_close(result[1:2], soft(told[1:2]))
        torch.testing.assert_close(result[3:], doubtful(told[3:]))
        torch.testing.assert_close(network(images), doubtful(images))


@pytest.mark.parametrize("build", [LightGenerator, SPANGenerator])
def test_experts_need_to_be_told(build):
    with pytest.raises(ValueError, match="must be told"):
        build(2, experts=True)


@pytest.mark.parametrize("turns", [2, 4, 8])
def test_turns_are_the_mean_over_turned_images(scale, image, turns, trained_light):
    network, plain = (
        LightGenerator(scale, features=8, blocks=1, turns=turns),
        trained_light(scale, features=8, blocks=1),
    )
    network.load_state_dict(plain.state_dict())
    flips = [(), (-1,), (-2,), (-2, -1)]
    with torch.no_grad():
        results = [plain(image.flip(axes)).flip(axes) for axes in flips]
        results += [plain(image.mT.flip(axes)).flip(axes).mT for axes in flips]
        # of the last four, another order of flips: the same set, whatever the first of it
        torch.testing.assert_close(network(image), torch.stack(results[:turns]).mean(dim=0), rtol=0, atol=1e-5)


def test_with_eight_turns_a_turned_slice_gives_the_turned_result(scale, image, trained_light):
    network = LightGenerator(scale, features=8, blocks=1, turns=8)
    network.load_state_dict(trained_light(scale, features=8, blocks=1).state_dict())
    with torch.no_grad():
        result = network(image)
        for turned, turned_result in ((image.mT, result.mT), (image.flip(-1), result.flip(-1))):
            torch.testing.assert_close(network(turned), turned_result, rtol=0, atol=1e-5)


def test_other_numbers_of_turns_are_refused():
    with pytest.raises(ValueError, match="turns must be 1, 2, 4 or 8, got 3"):
        LightGenerator(2, turns=3)
