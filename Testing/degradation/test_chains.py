"""The k-th order chain and the scanner's: in place, on the coarse grid, by seed."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ctsgan.data import PatchBatches
from ctsgan.degradation import (
    PRESETS,
    PROTOCOLS,
    HighOrderDegradation,
    RandQuantumNoise,
    RandStreaks,
    RandThickSlices,
    ScannerDegradation,
    preset,
)
from ctsgan.degradation.volumes import degrade_volume
from ctsgan.filters import footprint_mean, gaussian_blur
from ctsgan.metrics import find_disc, subpixel_shift

SPACING = (0.9765625, 0.9765625)


@pytest.fixture(scope="module")
def patch(whole):
    return whole[:, 200:328, 150:278]


def quiet_scanner(factor, **options):
    return ScannerDegradation(factor, ring_prob=0.0, cupping_prob=0.0, **options)


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_protocols_are_exactly_what_they_were(whole, factor):
    low = {name: preset(name, factor).set_random_state(3)(whole, SPACING) for name in PROTOCOLS}
    assert torch.equal(low["area"], footprint_mean(whole, factor).round().clamp(-1024, 3071))
    size = (512 // factor, 512 // factor)
    bicubic = torch.nn.functional.interpolate(whole[None], size, mode="bicubic", antialias=True)[0]
    assert torch.equal(low["bicubic"], (bicubic if factor > 1 else whole).round().clamp(-1024, 3071))
    # the same numbers from the same generator, in the order in which they were always drawn
    random = np.random.RandomState(3)
    random.rand()
    sigma = random.uniform(0.6, 0.6)
    random.random_sample()
    random.rand()
    std = random.uniform(12.0, 12.0)
    random.randint(1)
    generator = torch.Generator().manual_seed(int(random.randint(2**31)))
    reduced = footprint_mean(gaussian_blur(whole, sigma * factor * SPACING[0], SPACING), factor)
    white = torch.randn((1, size[0] + 2, size[1] + 2), generator=generator)
    taps = torch.tensor([1.0, 2.0, 1.0]) / 6.0**0.5
    noise = torch.nn.functional.conv2d(white[None], taps[None, None, :, None])
    noise = std * torch.nn.functional.conv2d(noise, taps[None, None, None, :])[0]
    assert (low["portable"] - (reduced + noise).round().clamp(-1024, 3071)).abs().max() <= 1
    assert (low["portable"] != (reduced + noise).round().clamp(-1024, 3071)).float().mean() < 1e-3


def test_the_protocols_come_first():
    assert PRESETS == ("area", "portable", "bicubic", "scanner", "paper")
    assert PRESETS[:3] == PROTOCOLS


@pytest.mark.parametrize("factor", [1, 2, 4])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_every_order_gives_whole_hu_on_the_coarse_grid(patch, order, factor):
    chain = HighOrderDegradation(factor, order).set_random_state(0)
    for _ in range(12):
        low = chain(patch, SPACING)
        assert low.shape == (1, 128 // factor, 128 // factor)
        assert low.isfinite().all()
        assert torch.equal(low, low.round())
        assert low.min() >= -1024
        assert low.max() <= 3071


@pytest.mark.parametrize("make", [lambda: HighOrderDegradation(2), lambda: quiet_scanner(2)], ids=["paper", "scanner"])
def test_chains_hold_the_place(whole, make):
    chain = make().set_random_state(5)
    reference = footprint_mean(whole, 2)[0].numpy()
    shifts = np.array([subpixel_shift(chain(whole, SPACING)[0].numpy(), reference) for _ in range(40)])
    assert np.abs(shifts.mean(axis=0)).max() < 0.05
    assert np.abs(np.median(shifts, axis=0)).max() < 0.02


@pytest.mark.parametrize("make", [HighOrderDegradation, ScannerDegradation])
def test_draws_repeat_from_a_seed_and_can_be_applied_again(patch, make):
    chain = make(2).set_random_state(7)
    first, second = chain(patch, SPACING), chain(patch, SPACING)
    assert not torch.equal(first, second)
    assert torch.equal(chain(patch, SPACING, randomize=False), second)
    assert torch.equal(chain.set_random_state(7)(patch, SPACING), first)
    assert not torch.equal(chain.set_random_state(8)(patch, SPACING), first)


def test_each_further_order_degrades_more(patch):
    losses = []
    for order in (1, 2, 4):
        chain = HighOrderDegradation(2, order).set_random_state(0)
        differences = [(chain(patch, SPACING) - footprint_mean(patch, 2)).abs().mean() for _ in range(40)]
        losses.append(float(torch.stack(differences).mean()))
    assert losses == sorted(losses)


def test_an_order_is_drawn_anew_after_so_many_batches():
    chain = HighOrderDegradation(2, order=(1, 4), redraw_every=10).set_random_state(0)
    orders = []
    for number in range(400):
        chain.begin_batch(0, number)
        orders.append(chain.order)
    tens = np.array(orders).reshape(40, 10)
    assert np.all(tens == tens[:, :1])
    assert set(tens[:, 0]) == {1, 2, 3, 4}


def test_a_fixed_order_stays():
    chain = HighOrderDegradation(2, order=3, redraw_every=1).set_random_state(0)
    for number in range(5):
        chain.begin_batch(0, number)
        assert chain.order == 3


@pytest.mark.parametrize("order", [0, (0, 2), (3, 2)])
def test_an_order_less_than_one_is_refused(order):
    with pytest.raises(ValueError, match="order"):
        HighOrderDegradation(2, order=order)


@pytest.mark.parametrize("name", ["scanner", "paper"])
def test_training_takes_any_chain(clinical_volume, name):
    chain = (
        ScannerDegradation(2, pixel_mm=0.7) if name == "scanner" else HighOrderDegradation(2, (1, 3), redraw_every=1)
    )
    volumes = [{"slices": torch.from_numpy(clinical_volume.voxels[8:10]), "spacing_mm": SPACING, "name": "ct"}]
    batches = iter(PatchBatches(volumes, chain, patch_size=16, batch_size=3, seed=1))
    for _ in range(3):
        batch = next(batches)
        assert batch["image"].shape == (3, 1, 16, 16)
        assert batch["label"].shape == (3, 1, 32, 32)
        assert batch["image"].isfinite().all()


def test_large_regions_keep_their_mean_in_a_scanner_without_artefacts(clinical_volume, whole):
    disc = find_disc(clinical_volume.voxels[9:10], SPACING, (25.0, 140.0), 40.0)
    mask = torch.from_numpy(disc.mask((512, 512), SPACING))
    share = footprint_mean(mask.float()[None], 2)
    chain = quiet_scanner(2).set_random_state(0)
    for _ in range(5):
        low = chain(whole, SPACING)
        assert (low * share).sum() / share.sum() == pytest.approx(whole[0][mask].mean().item(), abs=2.5)


def test_a_pixel_size_makes_a_scanner_the_same_for_all_spacings(patch):
    told = ScannerDegradation(2, pixel_mm=0.7)
    first = told.set_random_state(0)(patch, (0.35, 0.35))
    assert torch.equal(told.set_random_state(0)(patch, (2.0, 2.0)), first)
    as_it_is = ScannerDegradation(2)
    assert torch.equal(as_it_is.set_random_state(0)(patch, (0.35, 0.35)), first)
    assert not torch.equal(as_it_is.set_random_state(0)(patch, (2.0, 2.0)), first)


def test_of_a_volume_the_scanner_is_one_and_the_noise_another_for_each_slice(clinical_volume):
    same = replace(clinical_volume, voxels=np.zeros((3, 128, 128), np.int16))
    chain = quiet_scanner(2, thick=RandThickSlices(prob=0.0))
    low = degrade_volume(same, chain, seed=4).voxels.astype(float)
    stds = low.std(axis=(1, 2))
    assert stds.max() / stds.min() < 1.05
    assert abs(np.corrcoef(low[0].ravel(), low[1].ravel())[0, 1]) < 0.05


def test_of_a_volume_slices_are_thickened_before_all_else(clinical_volume):
    thick = RandThickSlices((6.0, 6.0))
    chain = quiet_scanner(1, noise=RandQuantumNoise(prob=0.0), thick=thick).set_random_state(0)
    chain.randomize()
    for index in (0, 9, 19):
        expected = clinical_volume.voxels[max(index - 1, 0) : index + 2].astype(float).clip(-1024, 3071).mean(axis=0)
        np.testing.assert_allclose(chain.slice_at(clinical_volume.voxels, index, 2.0)[0], expected, atol=0.01)


def test_streaks_are_off_for_patches_and_on_for_volumes():
    assert ScannerDegradation(2).streaks.prob == 0.0
    assert preset("scanner", 2).streaks.prob == 1.0
    assert ScannerDegradation(2, streaks=RandStreaks(prob=0.5)).streaks.prob == 0.5
