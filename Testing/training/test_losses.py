"""What each loss measures, on real CT where that matters."""

from __future__ import annotations

import math

import pytest
import torch

from ctsgan.filters import footprint_mean, unsharp
from ctsgan.intensity import HU_STEPS, to_network_range
from ctsgan.losses import (
    CheckerboardLoss,
    GeneratorLoss,
    PerceptualLoss,
    RelativisticAverageLoss,
    VoxelLoss,
    WindowedL1Loss,
    WindowedPSNRLoss,
    footprints,
)


@pytest.fixture
def hu(abdomen) -> torch.Tensor:
    """Two real slices of 96 x 80 pixels."""
    return torch.from_numpy(abdomen[:2, None, 30:126, 20:100]).float()


@pytest.fixture
def target(hu) -> torch.Tensor:
    return to_network_range(hu)


def test_an_offset_of_the_whole_image_is_its_hu(target):
    loss = VoxelLoss((0.8, 0.8), (0.2, 0.2))
    assert loss(target + 7 / HU_STEPS, target).item() == pytest.approx(7, rel=1e-4)
    assert loss(target, target).item() == 0


def test_inside_a_voxel_the_output_is_free(hu, target):
    """Any real texture without a mean in the footprints costs nothing; the same texture shifted by a pixel does."""
    texture = hu - torch.nn.functional.interpolate(footprint_mean(hu, 4), scale_factor=4.0, mode="nearest")
    loss = VoxelLoss((0.8, 0.8), (0.2, 0.2))
    assert texture.abs().mean() > 10
    assert loss(target + texture / HU_STEPS, target).item() < 1e-3
    assert loss(target + texture.roll(2, -1) / HU_STEPS, target).item() > 1


def test_the_footprint_is_the_ratio_of_the_spacings_along_each_axis(hu, target):
    stripes = torch.zeros_like(hu)
    stripes[..., 0::2, :], stripes[..., 1::2, :] = 10.0, -10.0
    free = VoxelLoss((1.4, 0.7), (0.7, 0.7))
    held = VoxelLoss((0.7, 1.4), (0.7, 0.7))
    assert free(target + stripes / HU_STEPS, target).item() < 1e-3
    assert held(target + stripes / HU_STEPS, target).item() == pytest.approx(10, rel=1e-4)


def test_whole_footprints_are_what_a_detector_would_read(hu):
    rows, columns = footprints(96, 0.9375 / (0.9375 / 4)), footprints(80, 4.0)
    torch.testing.assert_close(rows @ hu @ columns.T, footprint_mean(hu, 4), rtol=0, atol=1e-3)


def test_pixels_that_two_voxels_share_are_divided():
    shares = footprints(5, 2.5)
    expected = torch.tensor([[0.4, 0.4, 0.2, 0.0, 0.0], [0.0, 0.0, 0.2, 0.4, 0.4]])
    torch.testing.assert_close(shares, expected)


def test_stored_values_enter_through_their_slope(hu):
    """A series that stores half HU: slope 0.5, an error of 6 stored steps is one of 3 HU."""
    stored = 2 * hu + 2048
    loss = VoxelLoss((2.0, 2.0), (1.0, 1.0), rescale_slope=0.5)
    assert loss(stored + 6, stored).item() == pytest.approx(3, rel=1e-4)


@pytest.mark.parametrize(("coarse", "fine"), [((1.0, 1.0), (2.0, 1.0)), ((1.0, 0.0), (1.0, 0.0)), ((1.0,), (0.5,))])
def test_spacings_that_make_no_footprint_are_refused(coarse, fine):
    with pytest.raises(ValueError, match="two positive lengths"):
        VoxelLoss(coarse, fine)


def test_an_image_smaller_than_a_voxel_is_refused():
    with pytest.raises(ValueError, match="3 pixels is smaller than a voxel of 4"):
        footprints(3, 4.0)


def test_where_nothing_looks_more_real_the_loss_is_log_2():
    loss = RelativisticAverageLoss()
    logits = torch.full((2, 1, 8, 8), 3.7)
    assert loss(logits, logits).item() == pytest.approx(math.log(2))


def test_discriminator_and_generator_pull_apart():
    loss = RelativisticAverageLoss()
    real, fake = torch.full((1, 1, 4, 4), 2.0), torch.full((1, 1, 4, 4), -1.0)
    assert loss(real, fake).item() == pytest.approx(math.log(1 + math.exp(-3)))  # the discriminator's
    assert loss(fake, real).item() == pytest.approx(math.log(1 + math.exp(3)))  # the generator's


def test_only_differences_of_logits_count():
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 2, 1, 8, 8, generator=generator)
    loss = RelativisticAverageLoss()
    torch.testing.assert_close(loss(real + 50, fake + 50), loss(real, fake), rtol=0, atol=1e-4)
    assert loss(real + 1e4, fake).isfinite()


@pytest.mark.parametrize("size", [(32, 24), (30, 27)])
def test_a_checkerboard_is_what_recurs_with_the_period(size, target):
    target = target[..., : size[0], : size[1]]
    pattern = torch.zeros(4, 4)
    pattern[0, 0], pattern[2, 3] = 8.0, -8.0
    tiled = pattern.tile(9, 9)[: size[0], : size[1]]
    loss = CheckerboardLoss(4)
    assert loss(target + tiled / HU_STEPS, target).item() == pytest.approx(1.0, rel=1e-3)
    # an offset is none, nor is what recurs with another period, or only once
    assert loss(target + 20 / HU_STEPS, target).item() == pytest.approx(0.0, abs=1e-3)
    step = torch.zeros_like(target)
    step[..., :8, :] = 100 / HU_STEPS
    assert loss(target + step, target).item() == pytest.approx(0.0, abs=1e-3)


@pytest.fixture
def generator_loss() -> GeneratorLoss:
    """With a stand-in for VGG: the image itself."""
    perceptual = PerceptualLoss(lambda image: [image], weights=(1.0,))
    voxel = VoxelLoss((4.0, 4.0), (1.0, 1.0))
    return GeneratorLoss(WindowedL1Loss(), perceptual, voxel, RelativisticAverageLoss(), CheckerboardLoss())


def test_the_total_is_the_weighted_sum_of_its_parts(generator_loss, target):
    logits = torch.zeros_like(target)
    prediction = (target + 20 / HU_STEPS).requires_grad_()
    total, parts = generator_loss(prediction, target, logits + 1, logits)
    assert set(parts) == {"pixel", "perceptual", "voxel", "adversarial", "checkerboard"}
    weighted = (0.1, 2e-2, 0.1, 2.0, 1.0)
    assert total.item() == pytest.approx(sum(w * v.item() for w, v in zip(weighted, parts.values(), strict=True)))
    assert parts["voxel"].item() == pytest.approx(20, rel=1e-3)
    assert parts["adversarial"].item() == pytest.approx(math.log(1 + math.e))
    total.backward()
    assert prediction.grad.isfinite().all()
    assert not any(part.requires_grad for part in parts.values())


@pytest.fixture
def whole(clinical_volume) -> torch.Tensor:
    """A whole slice, with skin, bone and the gas of the bowel, (1, 1, 512, 512) in HU."""
    return torch.from_numpy(clinical_volume.voxels[10].astype("float32"))[None, None]


def test_unsharp_masking_bends_hu_beside_edges(whole):
    change = unsharp(whole) - whole
    assert change.max() > 100
    assert change.min() < -100
    assert change.abs().median() < 1
    even = torch.full((64, 64), 40.0)
    torch.testing.assert_close(unsharp(even), even)


def test_targets_are_sharpened_only_when_asked_and_never_for_the_voxel_loss(generator_loss, whole):
    target = to_network_range(whole)
    logits = torch.zeros_like(target)
    _, parts = generator_loss(target, target, logits, logits)
    assert parts["pixel"].item() == 0
    generator_loss.unsharp_amount = 0.5
    _, parts = generator_loss(target, target, logits, logits)
    assert parts["pixel"].item() > 1
    assert parts["voxel"].item() == 0


def test_small_errors_count_by_their_square_where_asked(target):
    """Huber's loss, in both terms: 8 HU is 8^2 / 40 = 1.6 below 20 HU, and 50 HU is 50 - 10 beyond."""
    absolute, quadratic = WindowedL1Loss(window_weight=0.0), WindowedL1Loss(window_weight=0.0, quadratic_hu=20.0)
    for error, expected in ((8.0, 1.6), (50.0, 40.0)):
        assert absolute(target + error / HU_STEPS, target).item() == pytest.approx(error, rel=1e-3)
        assert quadratic(target + error / HU_STEPS, target).item() == pytest.approx(expected, rel=1e-3)
    liver = to_network_range(torch.full((1, 1, 8, 8), 60.0))
    windowed = WindowedL1Loss(window_weight=2.0, quadratic_hu=20.0)
    assert windowed(liver + 8.0 / HU_STEPS, liver).item() == pytest.approx(3 * 1.6, rel=1e-3)


def test_the_mean_of_what_could_be_there_is_the_best_answer_to_a_quadratic_error():
    """A lesion of 15 HU in one patch of three: the absolute error wants none of it, the quadratic one a third."""
    could_be = to_network_range(torch.tensor([60.0, 60.0, 75.0]).reshape(3, 1, 1, 1))
    answers = torch.arange(55.0, 80.0, 1.0)

    def best(loss):
        return min(answers, key=lambda hu: loss(to_network_range(hu.expand(3, 1, 1, 1)), could_be).item()).item()

    assert best(WindowedL1Loss()) == 60.0
    assert best(WindowedL1Loss(quadratic_hu=20.0)) == 65.0


@pytest.mark.parametrize("balance", [0.0, 0.5, 0.75, 1.0])
def test_a_clean_image_is_followed_more_than_a_noisy_one_as_the_balance_asks(balance):
    target = to_network_range(torch.full((2, 1, 8, 8), 60.0))
    errors_hu = torch.tensor([5.0, 45.0])
    prediction = (target + errors_hu.reshape(2, 1, 1, 1) / HU_STEPS).requires_grad_()
    WindowedL1Loss(window_weight=0.0, balance=balance)(prediction, target).backward()
    clean, noisy = prediction.grad.sum(dim=(1, 2, 3))
    assert clean > 0
    assert (clean / noisy).item() == pytest.approx((45.1 / 5.1) ** balance, rel=1e-3)


def test_an_image_without_error_is_nothing_to_follow():
    air = to_network_range(torch.full((1, 1, 8, 8), -1000.0)).requires_grad_()
    loss = WindowedL1Loss(quadratic_hu=20.0, balance=1.0)(air, air.detach())
    loss.backward()
    assert loss.isfinite()
    assert not air.grad.any()


def test_the_loss_of_psnr_is_that_but_for_its_unit(target):
    """An error that halves takes 6 dB from it, in each image alike, wide and in the window."""
    error = 40 / HU_STEPS * torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    error[1] *= 10
    loss = WindowedPSNRLoss(window_weight=0.0, least_hu=0.0)
    fallen = loss(target + error, target) - loss(target + error / 2, target)
    assert 10 / math.log(10) * fallen.item() == pytest.approx(6.02, abs=0.01)
    windowed = WindowedPSNRLoss(window_hu=(-160.0, 240.0), window_weight=1.0)
    water = torch.full_like(target, 0.25)
    # 100 HU more is 100 HU in the window too, 900 HU no more than its upper end
    within, beyond = (windowed(water + hu / HU_STEPS, water).item() for hu in (100, 900))
    assert within == pytest.approx(2 * math.log(100**2 + 4), rel=1e-5)
    assert beyond == pytest.approx(math.log(900**2 + 4) + math.log(240**2 + 4), rel=1e-5)
    assert torch.isfinite(windowed(water, water))
