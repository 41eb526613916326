"""A larger generator that begins as a smaller one."""

import pytest
import torch

from ctsgan.networks import LightGenerator, grow
from ctsgan.softness import with_softness


@pytest.mark.parametrize(
    "size", [{"features": 12, "blocks": 2}, {"features": 8, "blocks": 4}, {"features": 8, "blocks": 2}]
)
def test_the_larger_computes_what_the_smaller_does(scale, size, image, trained_light):
    small = trained_light(scale, features=8, blocks=2)
    large = LightGenerator(scale, **size)
    large.load_state_dict(grow(small.state_dict(), large))
    with torch.no_grad():
        torch.testing.assert_close(large(image), small(image), rtol=0, atol=1e-5)


def test_one_that_is_told_a_softness_begins_as_one_that_does_not_listen(scale, image, trained_light):
    small = trained_light(scale, features=8, blocks=2)
    told = LightGenerator(scale, features=8, blocks=2, told=True)
    told.load_state_dict(grow(small.state_dict(), told))
    with torch.no_grad():
        torch.testing.assert_close(told(image), small(image), rtol=0, atol=1e-5)
        torch.testing.assert_close(told(torch.cat([image, torch.rand_like(image)], dim=1)), small(image))


def test_experts_begin_as_the_one_that_there_was(scale, image, trained_light):
    one = trained_light(scale, features=8, blocks=2, told=True)
    two = LightGenerator(scale, features=8, blocks=2, told=True, experts=True)
    two.load_state_dict(grow(one.state_dict(), two))
    told = with_softness(image, torch.tensor([0.0, 1.0]))
    with torch.no_grad():
        torch.testing.assert_close(two(told), one(told))
        # later they go their own ways
        two.soft.exit.bias += 0.1
        assert not torch.allclose(two(told)[1], one(told)[1])
        again = LightGenerator(scale, features=12, blocks=3, told=True, experts=True)
        again.load_state_dict(grow(two.state_dict(), again))
        torch.testing.assert_close(again(told), two(told), rtol=0, atol=1e-5)


def test_every_weight_but_those_behind_a_closed_door_learns_at_once(image, trained_light):
    large = LightGenerator(4, features=12, blocks=3)
    large.load_state_dict(grow(trained_light(4, features=8, blocks=2).state_dict(), large))
    optimizer = torch.optim.SGD(large.parameters(), 1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        large(image).square().mean().backward()
        optimizer.step()
    assert all(weight.grad.abs().sum() > 0 for weight in large.parameters())
    assert large.exit.weight.grad[:, 8:].abs().sum() > 0


@pytest.mark.parametrize(
    ("small", "large"),
    [((2, 8, 2), (4, 8, 2)), ((4, 12, 2), (4, 8, 2)), ((4, 8, 3), (4, 8, 2))],
    ids=["another scale", "fewer features", "fewer blocks"],
)
def test_what_cannot_hold_the_smaller_is_refused(small, large):
    (scale, features, blocks), (new_scale, new_features, new_blocks) = small, large
    with pytest.raises(ValueError, match=r"same scale|has no place"):
        grow(LightGenerator(scale, features, blocks).state_dict(), LightGenerator(new_scale, new_features, new_blocks))
