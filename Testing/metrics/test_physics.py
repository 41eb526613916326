"""Resolution, noise and detectability of images whose answers are known."""

import numpy as np
import pytest
import torch
from scipy import special

from ctsgan.degradation import correlated_noise
from ctsgan.filters import footprint_mean, gaussian_blur
from ctsgan.metrics import (
    MATERIAL_RODS,
    Insert,
    NoisePowerSpectrum,
    TransferFunction,
    detectability,
    digital_phantom,
    disc_spectrum,
    disc_ttf,
    edge_mtf,
    eye_filter,
    global_noise,
    hu_linearity,
    insert_means,
    noise_by_difference,
    noise_power_spectrum,
    rods_ttf,
    slice_consistency,
    square_regions,
)
from ctsgan.metrics.phantom import ring

SPACING = 0.5
PAIR = (SPACING, SPACING)


@pytest.fixture(scope="module")
def phantom():
    return digital_phantom(SPACING)


def blurred(image: np.ndarray, sigma_mm: float) -> np.ndarray:
    return gaussian_blur(torch.from_numpy(image), sigma_mm, PAIR).numpy()


def noisy(count: int, taps: tuple[float, ...], std_hu: float = 12.0, size: int = 256) -> np.ndarray:
    generator = torch.Generator().manual_seed(3)
    return correlated_noise((count, size, size), std_hu, taps, generator, torch.device("cpu")).double().numpy()


def known_frequency(sigma_mm: float, level: float) -> float:
    """Where a Gaussian blur, seen through square pixels in all directions, has fallen to a level."""
    frequency = np.linspace(0, 2, 8001)
    angle = np.linspace(0, np.pi / 2, 181)[:, None]
    pixel = np.sinc(frequency * np.cos(angle) * SPACING) * np.sinc(frequency * np.sin(angle) * SPACING)
    transfer = np.exp(-2 * (np.pi * frequency * sigma_mm) ** 2) * pixel.mean(axis=0)
    return frequency[np.argmax(transfer < level)]


def test_phantom_holds_the_amount_of_each_insert_whatever_the_pixel_size(phantom):
    for spacing in (SPACING, 1.0):
        with_rods = digital_phantom(spacing, [int(256 / spacing)] * 2)
        without = digital_phantom(spacing, [int(256 / spacing)] * 2, inserts=())
        difference = (with_rods.image - without.image) * spacing**2
        for rod in with_rods.inserts:
            row, column = (round(x) for x in rod.centre(difference.shape, spacing))
            reach = int((rod.diameter_mm / 2 + 1) / spacing) + 1
            amount = difference[row - reach : row + reach + 1, column - reach : column + reach + 1].sum()
            assert amount == pytest.approx((rod.hu - 40) * np.pi * rod.diameter_mm**2 / 4, rel=0.01)


def test_coarse_phantom_is_the_footprint_mean_of_the_fine_one(phantom):
    coarse = digital_phantom(2 * SPACING, (256, 256))
    mean = footprint_mean(torch.from_numpy(phantom.image), 2).numpy()
    np.testing.assert_allclose(coarse.image, mean, atol=0.002 * 1000)


def test_phantom_says_if_it_does_not_fit():
    with pytest.raises(ValueError, match="does not fit"):
        digital_phantom(0.25, (512, 512))


@pytest.mark.parametrize("sigma_mm", [0.4, 0.7, 1.2])
def test_ttf_of_a_known_gaussian_blur_to_2_percent(phantom, sigma_mm):
    image = blurred(phantom.image, sigma_mm)
    for rod in MATERIAL_RODS:
        row, column = rod.centre(image.shape, SPACING)
        transfer = disc_ttf(image, PAIR, row + 0.7, column - 0.6, rod.diameter_mm)
        assert transfer.f50 == pytest.approx(known_frequency(sigma_mm, 0.5), rel=0.02)
        assert transfer.f10 == pytest.approx(known_frequency(sigma_mm, 0.1), rel=0.02)
        assert transfer.contrast_hu == pytest.approx(rod.hu - 40, rel=0.01)


def test_ttf_of_several_faint_rods_together_is_that_of_the_blur():
    rods = ring(70.0, 25.0, [50.0] * 8)
    stack = blurred(digital_phantom(SPACING, inserts=rods).image, 0.7) + noisy(16, (1,), 6.0, size=512)
    transfer = rods_ttf(stack.mean(axis=0), SPACING, rods, 9.0)
    assert transfer.contrast_hu == pytest.approx(10, rel=0.02)
    assert transfer.f50 == pytest.approx(known_frequency(0.7, 0.5), rel=0.05)


def test_ttf_under_noise_from_the_mean_of_slices_to_5_percent(phantom):
    stack = blurred(phantom.image, 0.7) + noisy(20, (1, 2, 1), size=512)
    rod = MATERIAL_RODS[3]
    transfer = disc_ttf(stack, PAIR, *rod.centre(phantom.image.shape, SPACING), rod.diameter_mm)
    assert transfer.f50 == pytest.approx(known_frequency(0.7, 0.5), rel=0.05)


@pytest.mark.parametrize("sigma_mm", [0.4, 0.7, 1.2])
def test_mtf_of_an_irregular_outline_to_2_percent(sigma_mm):
    rows, columns = np.mgrid[:2048, :2048] / 4.0 - 256
    angle = np.arctan2(rows, columns)
    # a skull's way of being round
    inside = np.hypot(rows * SPACING, columns * SPACING) < 80 + 8 * np.cos(2 * angle) + 3 * np.sin(3 * angle)
    sharp = footprint_mean(torch.from_numpy(np.where(inside, 900.0, -1000.0)), 4).numpy()
    transfer = edge_mtf(blurred(sharp, sigma_mm), PAIR, -50.0, half_width_mm=6.0)
    assert transfer.f50 == pytest.approx(known_frequency(sigma_mm, 0.5), rel=0.02)
    assert transfer.f10 == pytest.approx(known_frequency(sigma_mm, 0.1), rel=0.02)


def test_mtf_says_if_there_is_no_clean_edge():
    texture = np.random.default_rng(0).normal(0, 500, (128, 128))
    with pytest.raises(ValueError, match="clean edge"):
        edge_mtf(texture, PAIR, 0.0)


@pytest.mark.parametrize("taps", [(1,), (1, 2, 1), (-1, 3, -1)])
def test_nps_of_known_noise_to_5_percent(taps):
    regions = square_regions(noisy(40, taps), np.ones((256, 256), bool), 64)
    assert len(regions) == 40 * 16
    measured = noise_power_spectrum(regions, PAIR)
    frequency = np.fft.fftfreq(64, SPACING)
    response = np.abs(sum(tap * np.exp(-2j * np.pi * frequency * k * SPACING) for k, tap in enumerate(taps))) ** 2
    response /= sum(tap**2 for tap in taps)
    known = np.fft.fftshift(12.0**2 * SPACING**2 * np.outer(response, response))
    distance = np.hypot(*np.meshgrid(*[np.fft.fftshift(frequency)] * 2))
    # below 0.1 cycles/mm the detrending takes power away; where there is little, some leaks in from where there is
    bands = [(distance >= low) & (distance < low + 0.2) for low in np.arange(0.1, 1.2, 0.2)]
    strong = [band for band in bands if known[band].mean() > 0.1 * known.max()]
    assert len(strong) >= 2
    for band in strong:
        assert measured.spectrum[band].mean() == pytest.approx(known[band].mean(), rel=0.05)
    assert measured.noise_hu == pytest.approx(12, rel=0.05)


def test_nps_peak_and_mean_follow_the_texture():
    smooth, white, sharp = (
        noise_power_spectrum(square_regions(noisy(10, taps), np.ones((256, 256), bool), 64), PAIR)
        for taps in ((1, 2, 1), (1,), (-1, 3, -1))
    )
    assert smooth.peak_frequency < 0.2 < 0.7 < sharp.peak_frequency
    assert smooth.mean_frequency < white.mean_frequency < sharp.mean_frequency
    # a flat spectrum's centroid is the middle of the frequencies that were measured, from 1/32 to 1 cycle/mm
    assert white.mean_frequency == pytest.approx((1 / 32 + 1) / 2, rel=0.03)


def test_noise_by_difference_does_not_see_the_object(phantom):
    stack = phantom.image + noisy(2, (1, 2, 1), size=512)
    assert noise_by_difference(*stack) == pytest.approx(12, rel=0.02)


def test_global_noise_of_a_body_with_vessels_is_the_noise(phantom):
    taps = (1,)
    image = phantom.image + noisy(1, taps, size=512)
    assert global_noise(image, PAIR) == pytest.approx(12, rel=0.05)


def test_global_noise_of_a_patient_rises_with_added_noise(clinical_volume):
    spacing = tuple(clinical_volume.spacing_mm[1::-1])
    slices = clinical_volume.voxels[10:12].astype(float)
    own = global_noise(slices, spacing)
    more = global_noise(slices + noisy(2, (1,), 20.0, 512), spacing, segmented=slices)
    assert 5 < own < 30
    assert more == pytest.approx(np.hypot(own, 20), rel=0.1)


def test_hu_linearity_of_a_known_line_and_of_the_phantom(phantom):
    line = hu_linearity([1.02 * hu - 3 for hu in (-1000, 0, 900)], (-1000, 0, 900))
    assert (line.slope, line.intercept_hu, line.r2) == pytest.approx((1.02, -3, 1))
    means = insert_means(blurred(phantom.image, 0.7), SPACING, MATERIAL_RODS)
    measured = hu_linearity(means, [rod.hu for rod in MATERIAL_RODS])
    assert (measured.slope, measured.intercept_hu, measured.r2) == pytest.approx((1, 0, 1), abs=0.01)


def test_spectrum_of_a_disc_is_that_of_its_image():
    disc = digital_phantom(SPACING, inserts=[Insert(0, 0, 5, 50)]).image - digital_phantom(SPACING, inserts=()).image
    known = np.abs(np.fft.fft2(disc))[0, :40] * SPACING**2
    frequency = np.fft.fftfreq(512, SPACING)[:40]
    pixel = np.sinc(frequency * SPACING)
    np.testing.assert_allclose(np.abs(disc_spectrum(frequency, 5, 10)) * pixel, known, atol=0.01 * known[0])


def test_without_eye_in_white_noise_d_prime_is_the_matched_filter():
    frequency = np.linspace(0, 4, 801)
    perfect = TransferFunction(frequency, np.ones_like(frequency), 10.0, float("nan"), float("nan"))
    white = NoisePowerSpectrum(np.ones((1, 1)), frequency, np.full(801, 36.0), 0.0, 0.0, 0.0)
    # contrast times the root of the area over the root of the NPS; 1 % of the disc's energy lies beyond 4 cycles/mm
    known = 10 * np.sqrt(np.pi * 2.5**2) / 6
    assert detectability(perfect, white, 5, 10, with_eye=False) == pytest.approx(known, rel=0.02)


def test_detectability_is_that_of_a_sum_over_the_plane_with_another_bessel_function():
    radial = np.linspace(0, 1, 401)
    transfer = TransferFunction(radial, np.exp(-((radial / 0.4) ** 2)), 10.0, 0.0, 0.0)
    power = 900 * radial * np.exp(-8 * radial)
    noise = NoisePowerSpectrum(np.ones((1, 1)), radial, power, 0, 0, 0)
    axis = np.linspace(-1, 1, 1001)
    frequency = np.hypot(*np.meshgrid(axis, axis))
    frequency[500, 500] = 1e-9
    task = 10 * 2.5 * special.j1(2 * np.pi * 2.5 * frequency) / frequency
    rho = frequency * np.pi * 475 / (180 * 305 / 360)
    eye = rho**3 * np.exp(-2 * 3.22 * rho**0.68)
    seen = (task * np.exp(-((frequency / 0.4) ** 2))) ** 2 * eye**2 * (frequency <= 1)
    cell = (axis[1] - axis[0]) ** 2
    known = seen.sum() * cell / np.sqrt((seen * eye**2 * np.interp(frequency, radial, power)).sum() * cell)
    assert detectability(transfer, noise) == pytest.approx(known, rel=0.005)


def test_detectability_grows_with_contrast_and_falls_with_noise_and_blur():
    frequency = np.linspace(0, 1, 401)
    sharp, soft = (
        TransferFunction(frequency, np.exp(-2 * (np.pi * frequency * sigma) ** 2), 10.0, 0.0, 0.0) for sigma in (0.4, 2)
    )
    quiet, loud = (
        NoisePowerSpectrum(np.ones((1, 1)), frequency, np.full(401, power), 0, 0, 0) for power in (30.0, 120.0)
    )
    best = detectability(sharp, quiet)
    assert detectability(sharp, quiet, contrast_hu=50) == pytest.approx(5 * best)
    assert detectability(sharp, loud) == pytest.approx(best / 2)
    assert detectability(soft, quiet) < best


def test_the_eye_sees_best_where_the_filter_is_one():
    frequency = np.linspace(0, 2, 4001)
    response = eye_filter(frequency, 475, 1)
    best = frequency[np.argmax(response)] * np.pi * 475 / 180
    assert response.max() == pytest.approx(1, abs=1e-4)
    assert best == pytest.approx((1.5 / (3.22 * 0.68)) ** (1 / 0.68), rel=0.01)


def test_slices_that_do_not_know_of_each_other_flicker():
    reference = np.zeros((20, 64, 64))
    independent = noisy(20, (1,), 5.0, 64)
    apart, same, offset = (
        slice_consistency(reference + error, reference)
        for error in (independent, np.repeat(independent[:1], 20, axis=0), np.full((20, 64, 64), 5.0))
    )
    assert apart.independence == pytest.approx(1, rel=0.02)
    assert apart.step_rmse_hu == pytest.approx(5 * np.sqrt(2), rel=0.02)
    assert same.step_rmse_hu == offset.step_rmse_hu == offset.jitter_hu == 0
    jumping = np.array([2.0, -2.0] * 10)[:, None, None] * np.ones((64, 64))
    assert slice_consistency(jumping, reference).jitter_hu == pytest.approx(4)
