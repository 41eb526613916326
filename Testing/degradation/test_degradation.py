"""Degradations do to a slice what their protocol says."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from ctsgan.degradation import PRESETS, Degradation, RandBlur, RandNoise, RandReduce, preset
from ctsgan.filters import footprint_mean, gaussian_blur

SPACING = (0.7, 0.7)


@pytest.fixture(scope="module")
def slice_hu(abdomen):
    return torch.from_numpy(abdomen[:1].astype(np.float32))


def test_area_is_the_mean_over_each_footprint(slice_hu):
    low = preset("area", 4)(slice_hu, SPACING)
    expected = slice_hu.numpy().reshape(1, 40, 4, 40, 4).mean(axis=(2, 4))
    np.testing.assert_array_equal(low, np.rint(expected))


def test_bicubic_is_pillows(slice_hu):
    low = preset("bicubic", 2)(slice_hu, SPACING)
    picture = Image.fromarray(slice_hu[0].numpy(), mode="F").resize((80, 80), Image.Resampling.BICUBIC)
    np.testing.assert_allclose(low[0], np.rint(np.asarray(picture)).clip(-1024), atol=1)


def test_portable_is_blur_footprint_and_smoothed_noise():
    flat = torch.full((1, 512, 512), 40.0)
    low = preset("portable", 2).set_random_state(0)(flat, SPACING)[0].numpy()
    assert low.mean() == pytest.approx(40, abs=0.5)
    assert low.std() == pytest.approx(12, rel=0.03)
    neighbours = np.corrcoef(low[:, :-1].ravel(), low[:, 1:].ravel())[0, 1]
    # white noise through (1, 2, 1) has a correlation of 4/6 with its neighbour
    assert neighbours == pytest.approx(2 / 3, abs=0.02)


def test_portable_blurs_by_six_tenths_of_a_coarse_pixel(slice_hu):
    chain = preset("portable", 4)
    blurred = chain.blur(slice_hu, SPACING, 4)
    expected = ndimage.gaussian_filter(slice_hu[0].numpy(), 2.4, mode="nearest")
    np.testing.assert_allclose(blurred[0], expected, atol=0.02)


def test_blur_is_in_millimetres_whatever_the_pixels():
    image = torch.zeros(1, 61, 61)
    image[0, 30, 30] = 1000
    blurred = gaussian_blur(image, 2.0, (0.5, 1.0))[0].numpy()
    rows, columns = blurred.sum(axis=1), blurred.sum(axis=0)
    offsets = np.arange(61) - 30
    for profile, spacing in ((rows, 0.5), (columns, 1.0)):
        sigma = np.sqrt((profile * (offsets * spacing) ** 2).sum() / profile.sum())
        assert sigma == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("factor", [1, 2, 4])
def test_results_are_whole_hu_on_the_coarse_grid(slice_hu, name, factor):
    low = preset(name, factor).set_random_state(3)(slice_hu, SPACING)
    assert low.shape == (1, 160 // factor, 160 // factor)
    assert torch.equal(low, low.round())
    assert low.min() >= -1024


def test_the_same_seed_draws_the_same_and_another_does_not(slice_hu):
    chain = Degradation(2, RandBlur(), RandReduce(0.5), RandNoise(prob=1.0))
    first = chain.set_random_state(7)(slice_hu, SPACING)
    assert torch.equal(chain.set_random_state(7)(slice_hu, SPACING), first)
    assert not torch.equal(chain.set_random_state(8)(slice_hu, SPACING), first)


def test_a_draw_can_be_applied_again(slice_hu):
    chain = Degradation(2, RandBlur(), RandReduce(0.5), RandNoise(prob=1.0)).set_random_state(1)
    first = chain(slice_hu, SPACING)
    assert torch.equal(chain(slice_hu, SPACING, randomize=False), first)


def test_probabilities_are_kept():
    blur, noise = RandBlur(prob=0.25).set_random_state(0), RandNoise(prob=0.0).set_random_state(0)
    image = torch.randn(1, 16, 16)
    changed = sum(not torch.equal(blur(image, SPACING, 2), image) for _ in range(400))
    assert 70 < changed < 130
    assert torch.equal(noise(image), image)


def test_an_unknown_preset_is_named():
    with pytest.raises(ValueError, match="area, portable, bicubic"):
        preset("photograph", 2)


def test_footprint_mean_keeps_the_mean(slice_hu):
    assert footprint_mean(slice_hu, 4).mean() == pytest.approx(slice_hu.mean().item(), abs=1e-3)
    assert footprint_mean(slice_hu, 1) is slice_hu
