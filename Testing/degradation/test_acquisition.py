"""The physics of a scanner, measured as a physicist measures it."""

import math
import sys

import numpy as np
import pytest
import torch

from ctsgan.degradation.acquisition import (
    MTF_PADDING,
    cupping,
    detector_footprint,
    low_count_streaks,
    mtf_blur,
    mtf_parameters,
    quantum_noise,
    ring_artefacts,
    slice_weights,
    thick_slices,
)
from ctsgan.degradation.operators import resize
from ctsgan.errors import CTError
from ctsgan.filters import footprint_mean
from ctsgan.metrics import find_disc, subpixel_shift

SPACING = (0.8, 0.6)


def measured_mtf(blur, frequency, axis):
    """Response to a thin wire along one axis at a frequency in cycles/mm."""
    image = torch.zeros(1, 129, 129, dtype=torch.float64)
    image[0, 64, 64] = 1000.0
    spread = blur(image)[0].sum(dim=1 - axis).numpy()
    positions = (np.arange(129) - 64) * SPACING[axis]
    return np.abs((spread * np.exp(-2j * np.pi * frequency * positions)).sum()) / spread.sum()


def noise_spectrum(noise, spacing):
    """Radial noise power spectrum of (N, H, W): frequencies in cycles/mm and power, in 40 rings."""
    power = np.mean(np.abs(np.fft.fft2(noise)) ** 2, axis=0)
    frequency = np.hypot(
        *np.meshgrid(*(np.fft.fftfreq(n, mm) for n, mm in zip(power.shape, spacing, strict=True)), indexing="ij")
    )
    edges = np.linspace(0.0, 0.5 / max(spacing), 41)
    ring = np.digitize(frequency.ravel(), edges)
    return (edges[1:] + edges[:-1]) / 2, np.array([power.ravel()[ring == k].mean() for k in range(1, 41)])


def make_noise(dose=1.0, peak=0.2, seed=0, count=16, std=12.0):
    generator = torch.Generator().manual_seed(seed)
    return quantum_noise((count, 256, 192), SPACING, std, dose, peak, generator, torch.device("cpu"))


@pytest.mark.parametrize(("f50", "f10"), [(None, 0.35), (0.2, 0.35), (0.25, 0.5)])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_mtf_is_what_was_asked_for_in_cycles_per_mm_along_both_axes(f50, f10, axis):
    def blur(image):
        return mtf_blur(image, SPACING, f10, f50)

    assert measured_mtf(blur, f10, axis) == pytest.approx(0.1, abs=0.005)
    expected = f50 or f10 * math.sqrt(math.log(2) / math.log(10))
    assert measured_mtf(blur, expected, axis) == pytest.approx(0.5, abs=0.01)


def test_an_mtf_cannot_fall_to_ten_percent_first():
    with pytest.raises(ValueError, match="50 % before"):
        mtf_parameters(0.5, 0.4)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_detector_element_has_a_sinc_for_an_mtf(axis):
    def blur(image):
        return detector_footprint(image, SPACING, 2.0)

    for frequency in (0.1, 0.25, 0.4):
        assert measured_mtf(blur, frequency, axis) == pytest.approx(abs(np.sinc(2.0 * frequency)), abs=0.01)


def test_a_footprint_of_an_odd_number_of_pixels_is_their_mean(whole):
    seen = detector_footprint(whole, (1.0, 1.0), 5.0)[0, 200:300, 200:300]
    means = torch.nn.functional.avg_pool2d(whole, 5, 1, 2)[0, 200:300, 200:300]
    assert (seen - means).abs().mean() < 3.0
    assert (whole[0, 200:300, 200:300] - means).abs().mean() > 15.0


@pytest.mark.parametrize(
    "filtered",
    [lambda image: mtf_blur(image, SPACING, 0.4, 0.2), lambda image: detector_footprint(image, SPACING, 1.8)],
    ids=["mtf", "footprint"],
)
def test_filters_keep_constants_means_and_places_and_do_not_wrap_around(whole, filtered):
    assert filtered(torch.full((2, 40, 50), 37.0)).sub(37.0).abs().max() < 1e-3
    result = filtered(whole)
    assert result.mean() == pytest.approx(whole.mean().item(), abs=0.2)
    assert np.abs(subpixel_shift(result[0].numpy(), whole[0].numpy())).max() <= 0.01
    half = torch.zeros(1, 64, 64)
    half[..., :32] = 1000.0
    assert filtered(half)[..., -8:].abs().max() < 5.0
    assert filtered(half[..., : MTF_PADDING // 4]).isfinite().all()


def test_halving_the_dose_raises_the_noise_by_the_root_of_two():
    full, half = make_noise(1.0, seed=1), make_noise(0.5, seed=2)
    assert full.std() == pytest.approx(12.0, rel=0.02)
    assert half.std() / full.std() == pytest.approx(math.sqrt(2.0), rel=0.02)
    assert full.mean(dim=(1, 2)).abs().max() < 1e-3


@pytest.mark.parametrize("peak", [0.12, 0.2, 0.3])
def test_the_noise_spectrum_peaks_where_asked_and_vanishes_at_zero(peak):
    frequency, power = noise_spectrum(make_noise(peak=peak, count=32).numpy(), SPACING)
    # the crest is broad: its place is that of the best-fitting parabola around it
    near = np.abs(frequency - peak) < 0.5 * peak
    parabola = np.polyfit(frequency[near], power[near], 2)
    assert -parabola[1] / (2 * parabola[0]) == pytest.approx(peak, rel=0.15)
    assert power[0] < 0.15 * power.max()


def test_the_mean_noise_frequency_is_a_quarter_above_the_peak():
    frequency, power = noise_spectrum(make_noise(peak=0.15, count=32).numpy(), SPACING)
    assert (frequency * power).sum() / power.sum() == pytest.approx(1.25 * 0.15, rel=0.05)


def test_a_seed_gives_one_noise():
    assert torch.equal(make_noise(seed=3), make_noise(seed=3))
    assert not torch.equal(make_noise(seed=3), make_noise(seed=4))


@pytest.fixture(scope="module")
def coarse(whole):
    """The slice at 128 x 128 pixels of 3.9 mm, for projections."""
    return resize(whole, (128, 128)), (3.90625, 3.90625)


def streaks(coarse, photons, seed=0, views=120, electronic=0.0):
    image, spacing = coarse
    return low_count_streaks(image, spacing, photons, electronic, seed, views) - image


def test_fewer_photons_make_more_noise_and_more_views_make_less(coarse):
    bright, dim, seen_longer = streaks(coarse, 4e6), streaks(coarse, 1e6), streaks(coarse, 1e6, views=480)
    body = (slice(None), slice(50, 80), slice(45, 85))
    assert dim[body].std() / bright[body].std() == pytest.approx(2.0, rel=0.2)
    assert dim[body].std() / seen_longer[body].std() == pytest.approx(2.0, rel=0.2)


def test_noise_is_greatest_inside_the_patient_and_none_is_added_without_a_shortage(coarse):
    added = streaks(coarse, 1e6)[0]
    assert added[55:75, 50:80].std() > 3.0 * added[8:20, 50:80].std()
    assert streaks(coarse, 1e13).abs().max() < 0.5


def test_streaks_run_along_the_direction_of_most_bone(coarse):
    # an arm of bone from left to right: rays along it count least, so that noise is correlated along it
    image = torch.full((1, 128, 128), -1000.0)
    image[:, 54:74, 20:108] = 40.0
    image[:, 60:68, 24:36] = image[:, 60:68, 92:104] = 1500.0
    added = low_count_streaks(image, (3.0, 3.0), 2e5, 0.0, 1, 180)[0] - image[0]
    between = added[60:68, 45:83].numpy()
    along = np.corrcoef(between[:, :-3].ravel(), between[:, 3:].ravel())[0, 1]
    across = np.corrcoef(between[:-3].ravel(), between[3:].ravel())[0, 1]
    assert along > across + 0.3


def test_large_regions_keep_their_mean_with_streaks(coarse):
    assert abs(streaks(coarse, 1e6)[0, 50:80, 45:85].mean()) < 1.5


def test_an_electronic_floor_adds_noise_where_counts_are_low(coarse):
    quiet, noisy = streaks(coarse, 1e5), streaks(coarse, 1e5, electronic=60.0)
    assert noisy[0, 55:75, 50:80].std() > 1.2 * quiet[0, 55:75, 50:80].std()


def test_counts_repeat_from_their_seed_and_slices_need_not_be_square(coarse):
    image, spacing = coarse[0][:, 20:100], coarse[1]
    first = low_count_streaks(image, spacing, 1e6, 5.0, 7, 30)
    assert first.shape == image.shape
    assert torch.equal(first, low_count_streaks(image, spacing, 1e6, 5.0, 7, 30))
    assert not torch.equal(first, low_count_streaks(image, spacing, 1e6, 5.0, 8, 30))


def test_without_scikit_image_the_user_is_told_what_to_install(coarse, monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage.transform", None)
    with pytest.raises(CTError, match="pip install scikit-image"):
        streaks(coarse, 1e6)


def test_rings_are_concentric_with_the_crest_and_width_asked_for():
    flat = torch.full((1, 301, 301), 50.0)
    spacing, centre = (0.5, 0.5), (5.0, -3.0)
    rings = ring_artefacts(flat, spacing, [20.0, 50.0], [10.0, -8.0], 2.0, centre)[0] - 50.0
    rows, columns = ((torch.arange(301) - 150) * 0.5 - offset for offset in centre)
    radius = torch.hypot(rows[:, None], columns[None])
    for distance, amplitude in ((20.0, 10.0), (50.0, -8.0)):
        crest = rings[(radius - distance).abs() < 0.05]
        assert len(crest) > 30
        # the same all round
        torch.testing.assert_close(crest, torch.full_like(crest, amplitude), atol=0.05, rtol=0)
        for side in (-1.0, 1.0):
            half = rings[(radius - distance - side).abs() < 0.05]
            assert half.mean() == pytest.approx(amplitude / 2, rel=0.03)
    assert rings[(radius > 25) & (radius < 45)].abs().max() < 1e-3


def test_cupping_lowers_water_in_the_middle_and_leaves_air_and_the_rim():
    water, air = torch.zeros(1, 201, 201), torch.full((1, 201, 201), -1000.0)
    cup = cupping(water, (1.0, 1.0), 20.0, 80.0)[0]
    assert cup[100, 100] == -20.0
    assert cup[100, 140] == pytest.approx(-15.0)
    assert cup[100, 185] == 0.0
    assert cup[140, 100] == cup[100, 140]
    assert torch.equal(cupping(air, (1.0, 1.0), 20.0, 80.0), air)


@pytest.mark.parametrize(("thickness", "expected"), [(2.0, [0, 1, 0]), (4.0, [0.25, 0.5, 0.25]), (6.0, [1 / 3] * 3)])
def test_slices_take_part_by_how_much_of_the_profile_they_fill(thickness, expected):
    weights = slice_weights(torch.tensor([-2.0, 0.0, 2.0]), 2.0, thickness)
    torch.testing.assert_close(weights, torch.tensor(expected, dtype=weights.dtype))


def test_a_thick_slice_is_the_mean_of_the_slices_in_it(clinical_volume):
    stack = torch.from_numpy(clinical_volume.voxels[5:12, 200:260, 200:260].astype(np.float32))
    thick = thick_slices(stack, 2.0, 6.0)
    assert thick.shape == stack.shape
    torch.testing.assert_close(thick[3], stack[2:5].mean(dim=0), atol=1e-3, rtol=0)
    # at the end there are only two
    torch.testing.assert_close(thick[0], stack[:2].mean(dim=0), atol=1e-3, rtol=0)
    torch.testing.assert_close(thick_slices(stack, 2.0, 2.0), stack, atol=1e-3, rtol=0)


def test_large_regions_keep_their_mean_through_footprint_mtf_and_reduction(clinical_volume, whole):
    spacing = tuple(float(mm) for mm in clinical_volume.spacing_mm[1::-1])
    disc = find_disc(clinical_volume.voxels[9:10], spacing, (25.0, 140.0), 30.0)
    mask = torch.from_numpy(disc.mask(whole.shape[-2:], spacing))
    blurred = mtf_blur(detector_footprint(whole, spacing, 1.2), spacing, 0.4, 0.2)
    assert blurred[0][mask].mean() == pytest.approx(whole[0][mask].mean().item(), abs=1.0)
    share = footprint_mean(mask.float()[None], 2)
    assert (footprint_mean(blurred, 2) * share).sum() / share.sum() == pytest.approx(
        whole[0][mask].mean().item(), abs=2.0
    )
