"""Metrics checked against what is known."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from ctsgan.metrics import TISSUES, bias, body_mask, find_disc, psnr, rmse, ssim, subpixel_shift
from ctsgan.resample import resample_slices, resampling_matrix


def test_rmse_and_psnr_of_a_known_error():
    reference = np.zeros((40, 40))
    assert rmse(reference + 3, reference) == pytest.approx(3)
    assert psnr(reference + 3, reference) == pytest.approx(20 * np.log10(4095 / 3))
    assert psnr(reference + 3, reference, "soft") == pytest.approx(20 * np.log10(400 / 3))
    assert psnr(reference, reference) == float("inf")


def test_what_lies_outside_a_window_does_not_count():
    reference = np.full((20, 20), 500.0)
    assert rmse(reference + 1000, reference, "soft") == 0
    assert bias(reference - 2, reference) == pytest.approx(-2)


def test_a_mask_limits_the_score():
    reference = np.zeros((20, 20))
    image = reference.copy()
    image[:10] = 8
    mask = np.zeros((20, 20), bool)
    mask[10:] = True
    assert rmse(image, reference, mask=mask) == 0
    assert rmse(image, reference, mask=~mask) == pytest.approx(8)


def test_ssim_is_one_for_the_same_and_falls_with_noise(abdomen):
    image = abdomen[0].astype(float)
    noise = np.random.default_rng(0).normal(size=image.shape)
    assert ssim(image, image) == pytest.approx(1)
    assert ssim(image + 5 * noise, image) > ssim(image + 30 * noise, image)


def test_the_body_has_no_holes_and_no_table(clinical_volume):
    image = clinical_volume.voxels[10]
    mask = body_mask(image)
    _, regions = ndimage.label(mask)
    assert regions == 1
    assert ndimage.binary_fill_holes(mask).sum() == mask.sum()
    assert 0.2 < mask.mean() < 0.7


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.25, -0.4), (-0.08, 1.5)])
def test_a_known_shift_is_found_to_a_hundredth_of_a_pixel(clinical_volume, shift):
    image = clinical_volume.voxels[10, 100:400, 60:400].astype(float)
    moved = ndimage.fourier_shift(np.fft.fft2(image), shift)
    found = subpixel_shift(np.fft.ifft2(moved).real, image)
    np.testing.assert_allclose(found, shift, atol=0.02)


def test_discs_lie_in_the_tissue_they_are_named_for(clinical_volume):
    spacing = tuple(clinical_volume.spacing_mm[1::-1])
    for tissue, (low, high) in TISSUES.items():
        disc = find_disc(clinical_volume.voxels, spacing, (low, high))
        mask = disc.mask((512, 512), spacing)
        assert low <= clinical_volume.voxels[disc.index][mask].mean() <= high, tissue
        area = mask.sum() * np.prod(spacing)
        assert area == pytest.approx(np.pi * 10**2, rel=0.03)


def test_a_disc_is_the_same_region_at_every_scale(clinical_volume):
    spacing = tuple(clinical_volume.spacing_mm[1::-1])
    disc = find_disc(clinical_volume.voxels[:2], spacing, TISSUES["fat"])
    coarse, fine = disc.mask((512, 512), spacing), disc.mask((512, 512), spacing, 4)
    assert fine.sum() == 16 * coarse.sum()
    np.testing.assert_array_equal(fine[2::4, 1::4], coarse)


def test_no_disc_where_there_is_no_such_tissue():
    assert find_disc(np.zeros((1, 64, 64), np.int16), (1.0, 1.0), (100, 200)) is None


def test_resampling_keeps_constants_and_straight_lines():
    matrix = resampling_matrix(40, 80, 0.5)
    np.testing.assert_allclose(matrix.sum(axis=1), 1)
    line = matrix @ np.arange(40.0)
    np.testing.assert_allclose(line[8:-8], ((np.arange(80) + 0.5) / 2 - 0.5)[8:-8], atol=1e-12)


def test_resampling_agrees_with_antialiased_bicubic(abdomen):
    image = torch.from_numpy(abdomen[:1].astype(np.float32))[:, None]
    for size, step in (((80, 80), 2.0), ((320, 320), 0.5)):
        expected = torch.nn.functional.interpolate(image, size=size, mode="bicubic", antialias=True)
        inner = (..., slice(8, -8), slice(8, -8))
        np.testing.assert_allclose(resample_slices(image, size, (step, step))[inner], expected[inner], atol=0.05)
