"""The restoration strength, from the first stage's weights to the second's."""

from __future__ import annotations

import pytest
import torch

from ctsgan.networks import CTsGANGenerator, fold, interpolate


@pytest.fixture
def stages() -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    torch.manual_seed(0)
    first, second = (fold(CTsGANGenerator(4, features=8, growth=4, blocks=1)).state_dict() for _ in range(2))
    return first, second


def test_ends_are_the_two_networks_exactly(stages):
    for strength, end in zip((0.0, 1.0), stages, strict=True):
        torch.testing.assert_close(interpolate(*stages, strength), dict(end), rtol=0, atol=0)


@pytest.mark.parametrize("strength", [0.25, 0.5, 0.9])
def test_between_lies_the_weighted_mean(stages, strength):
    first, second = stages
    between = interpolate(first, second, strength)
    assert list(between) == list(first)
    for name, value in between.items():
        torch.testing.assert_close(value, (1 - strength) * first[name] + strength * second[name])


def test_result_is_a_state_dictionary_of_its_own(stages):
    network = CTsGANGenerator(4, features=8, growth=4, blocks=1, batch_norm=False)
    between = interpolate(*stages, 0.0)
    network.load_state_dict(between)
    for value in between.values():
        value.zero_()
    assert any(value.any() for value in stages[0].values())


def test_half_precision_files_are_interpolated_in_float32(stages):
    first, second = ({name: value.half() for name, value in stage.items()} for stage in stages)
    for name, value in interpolate(first, second, 0.5).items():
        assert value.dtype == torch.float32
        torch.testing.assert_close(value, (first[name].float() + second[name].float()) / 2)


def test_counters_come_from_the_nearer_network():
    first, second = {"batches": torch.tensor(3)}, {"batches": torch.tensor(8)}
    assert [int(interpolate(first, second, strength)["batches"]) for strength in (0.0, 0.4, 0.5, 1.0)] == [3, 3, 8, 8]


@pytest.mark.parametrize("strength", [-0.01, 1.01, float("nan"), float("inf")])
def test_strength_outside_its_range_is_refused(stages, strength):
    with pytest.raises(ValueError, match="strength must be from 0 to 1"):
        interpolate(*stages, strength)


def test_networks_of_unlike_depth_are_refused(stages):
    other = CTsGANGenerator(4, features=8, growth=4, blocks=2, batch_norm=False).state_dict()
    with pytest.raises(ValueError, match=r"differ in 30 keys: body\.1\.rdb1\.conv1\.bias"):
        interpolate(stages[0], other, 0.5)


def test_networks_of_unlike_width_are_refused(stages):
    other = CTsGANGenerator(4, features=12, growth=4, blocks=1, batch_norm=False).state_dict()
    with pytest.raises(ValueError, match=r"conv_first\.weight has shape \(8, 1, 3, 3\) in the first, \(12, 1, 3, 3\)"):
        interpolate(stages[0], other, 0.5)
