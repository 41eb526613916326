"""Fidelity beside scikit-image and MONAI, and what a body mask leaves out."""

import numpy as np
import pytest
import torch
from monai.metrics.regression import KernelType, compute_ms_ssim
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from ctsgan.filters import gaussian_blur
from ctsgan.metrics import TISSUE_RANGES, WINDOWS, bias, body_mask, inner_body, ms_ssim, psnr, ssim, tissue_errors


@pytest.fixture(scope="module")
def pair(clinical_volume):
    """A slice of 512 x 512 and the same with 20 HU of noise."""
    reference = clinical_volume.voxels[10].astype(float)
    return reference + np.random.default_rng(0).normal(0, 20, reference.shape), reference


@pytest.mark.parametrize("window", list(WINDOWS))
def test_psnr_is_that_of_scikit_image(pair, window):
    low, high = WINDOWS[window]
    image, reference = (np.clip(x, low, high) for x in pair)
    expected = peak_signal_noise_ratio(reference, image, data_range=high - low)
    assert psnr(*pair, window) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("window", list(WINDOWS))
def test_ssim_is_that_of_scikit_image(pair, window):
    low, high = WINDOWS[window]
    # both sides start at zero, as pictures do: the constants of the formula are not blind to an offset
    image, reference = (np.clip(x, low, high) - low for x in pair)
    _, full = structural_similarity(
        reference, image, data_range=high - low, gaussian_weights=True, use_sample_covariance=False, full=True
    )
    assert ssim(*pair, window) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-4)


def test_ms_ssim_is_that_of_monai_and_a_full_mask_changes_nothing(pair):
    low, high = WINDOWS["soft"]
    tensors = [torch.from_numpy(np.clip(x, low, high) - low)[None, None] for x in pair]
    expected = compute_ms_ssim(
        *tensors, spatial_dims=2, data_range=high - low, kernel_type=KernelType.GAUSSIAN, kernel_size=11
    )
    assert ms_ssim(*pair) == pytest.approx(float(expected), abs=1e-6)
    assert ms_ssim(*pair, mask=np.ones((512, 512), bool)) == pytest.approx(ms_ssim(*pair), abs=1e-12)


def test_ms_ssim_counts_only_the_mask(pair):
    reference = pair[1]
    image = reference.copy()
    image[:, :100] += 300
    mask = np.zeros(image.shape, bool)
    # the coarsest scale sees 5 x 16 pixels beyond the mask
    mask[100:400, 200:400] = True
    assert ms_ssim(image, reference, mask=mask) == pytest.approx(1)
    assert ms_ssim(image, reference) < 0.99


def test_ms_ssim_says_what_size_it_needs():
    with pytest.raises(ValueError, match="176 pixels"):
        ms_ssim(np.zeros((100, 300)), np.zeros((100, 300)))


def test_an_error_is_found_in_the_tissue_it_was_made_in():
    reference = np.repeat([-1000.0, -800.0, -100.0, 50.0, 900.0], 40).reshape(5, 40)
    image = reference + np.array([1.0, 2.0, 3.0, 4.0, 5.0])[:, None]
    image[3, ::2] += 6
    image[3, 1::2] -= 6
    errors = tissue_errors(image, reference)
    assert list(errors) == list(TISSUE_RANGES)
    assert [error.bias for error in errors.values()] == pytest.approx([1, 2, 3, 4, 5])
    assert errors["soft tissue"].rmse == pytest.approx(np.hypot(4, 6))
    assert errors["fat"].pixels == 40


def test_a_tissue_that_is_not_there_has_no_error():
    errors = tissue_errors(np.full((9, 9), 45.0), np.full((9, 9), 40.0))
    assert errors["soft tissue"].bias == pytest.approx(5)
    assert errors["bone"] is None


def test_only_the_body_counts():
    reference = np.full((20, 20), 40.0)
    body = np.zeros((20, 20), bool)
    body[5:15, 5:15] = True
    assert tissue_errors(np.where(body, 41.0, 90.0), reference, body)["soft tissue"].bias == pytest.approx(1)


def test_a_hollow_phantom_is_kept_whole():
    rows, columns = np.mgrid[:200, :200] - 100.0
    radius = np.hypot(rows, columns)
    shell = np.where((radius < 80) & (radius > 76), 900.0, -1000.0)
    shell[95:115, 170:182] = 900.0  # thicker in one place
    np.testing.assert_array_equal(body_mask(shell), (radius < 80) | (shell > 0))


def test_a_patient_who_touches_the_table_is_still_told_from_it(clinical_volume):
    image = clinical_volume.voxels[10].copy()
    alone = body_mask(image)
    lowest = np.nonzero(alone.any(axis=1))[0].max()
    # a table top of 5 mm right under the patient, with a strut down to the scanner's own table
    table = np.zeros(image.shape, bool)
    table[lowest - 1 : lowest + 5, 100:400] = True
    table[lowest : lowest + 60, 240:245] = True
    table &= ~alone
    image[table] = 50
    found = body_mask(image)
    # what lies within a few pixels of the patient cannot be told from skin; the rest goes, and no air comes in
    assert found[table].mean() < 0.3
    assert (found & ~alone & ~table).sum() < 0.01 * alone.sum()
    assert (found & alone).sum() > 0.995 * alone.sum()


def test_the_inner_body_keeps_its_distance_from_the_outline_in_mm():
    rows, columns = np.mgrid[:120, :200]
    body = np.hypot((rows - 60) * 1.0, (columns - 100) * 0.5) < 40
    radius = np.sqrt(inner_body(body, (1.0, 0.5), 10.0).sum() * 0.5 / np.pi)
    # to a pixel
    assert radius == pytest.approx(30, abs=1)
    # cut off by the field of view, where the patient goes on
    assert inner_body(np.ones((20, 20), bool), (1.0, 1.0)).all()


def test_a_blur_of_the_skin_is_no_bias_within(pair, clinical_volume):
    reference, spacing = pair[1], tuple(clinical_volume.spacing_mm[1::-1])
    blurred = gaussian_blur(torch.from_numpy(reference), 1.5, spacing).numpy()
    body = body_mask(reference)
    assert bias(blurred, reference, body) < -2
    assert abs(bias(blurred, reference, inner_body(body, spacing))) < 0.3
