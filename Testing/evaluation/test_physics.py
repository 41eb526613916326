"""Physics of methods whose answers are known, through phantom, noise and degradation as any method is measured."""

import numpy as np
import pytest
import torch

from ctsgan.degradation.acquisition import mtf_parameters
from ctsgan.evaluation.methods.interpolation import METHODS
from ctsgan.evaluation.physics import measure_consistency, measure_edges, measure_physics
from ctsgan.evaluation.physics.phantom import (
    LABELS,
    LOW_LABEL,
    PHANTOM_F10,
    PHANTOM_F50,
    PHANTOM_NOISE_HU,
    PHANTOM_NOISE_PEAK,
    SPACING_MM,
)
from ctsgan.filters import footprint_mean, gaussian_blur

EVERY_LABEL = [*LABELS, LOW_LABEL]


def untouched(low, spacing_mm):
    return low


def blurred(image, sigma_mm, spacing_mm):
    return gaussian_blur(torch.from_numpy(np.asarray(image, dtype=np.float64)), sigma_mm, spacing_mm).numpy()


def known_frequency(level: float, sigma_mm: float = 0.0) -> float:
    """Where scanner, square pixels and a Gaussian together have fallen to a level, mean over all directions."""
    frequency = np.linspace(1e-3, 1.4, 8001)
    angle = np.linspace(0, np.pi / 2, 181)[:, None]
    pixel = np.sinc(frequency * np.cos(angle) * SPACING_MM) * np.sinc(frequency * np.sin(angle) * SPACING_MM)
    a, b = mtf_parameters(PHANTOM_F50, PHANTOM_F10)
    transfer = np.exp(-((frequency / a) ** b) - 2 * (np.pi * frequency * sigma_mm) ** 2) * pixel.mean(axis=0)
    return frequency[np.argmax(transfer < level)]


@pytest.fixture(scope="module")
def reference():
    return measure_physics(None, 1, "portable", realisations=4)


@pytest.mark.parametrize("label", EVERY_LABEL)
def test_the_phantom_before_the_degradation_is_as_sharp_as_its_scanner_to_2_percent(reference, label):
    assert reference["numbers"][f"f50 {label}"] == pytest.approx(known_frequency(0.5), rel=0.02)
    if label != LOW_LABEL:
        assert reference["numbers"][f"f10 {label}"] == pytest.approx(known_frequency(0.1), rel=0.02)


def test_the_phantom_before_the_degradation_has_the_noise_of_its_scanner(reference):
    numbers = reference["numbers"]
    assert numbers["noise"] == pytest.approx(PHANTOM_NOISE_HU, rel=0.05)
    # a ramp with a Gaussian apodisation has its mean at 1.25 times its peak
    assert numbers["NPS peak"] == pytest.approx(PHANTOM_NOISE_PEAK, abs=0.04)
    assert numbers["NPS mean"] == pytest.approx(1.25 * PHANTOM_NOISE_PEAK, rel=0.05)
    assert (numbers["HU slope"], numbers["HU r2"]) == pytest.approx((1, 1), abs=1e-3)
    assert numbers["HU intercept"] == pytest.approx(0, abs=0.5)


@pytest.mark.parametrize("label", EVERY_LABEL)
def test_the_blur_of_a_degradation_is_found_at_every_contrast_to_2_percent(label):
    numbers = measure_physics(untouched, 1, "portable", realisations=4)["numbers"]
    known = known_frequency(0.5, 0.6 * SPACING_MM)
    assert numbers[f"f50 {label}"] == pytest.approx(known, rel=0.02)
    assert numbers[f"relative f50 {label}"] == pytest.approx(known / known_frequency(0.5), rel=0.03)


def test_a_linear_method_has_one_resolution_whatever_the_contrast():
    numbers = measure_physics(METHODS["bicubic"].prepare(4, "portable"), 4, "portable", realisations=3)["numbers"]
    found = [numbers[f"f50 {label}"] for label in EVERY_LABEL]
    assert max(found) / min(found) < 1.03
    # what interpolation cannot bring back
    assert max(found) < 0.4 * known_frequency(0.5)


def test_a_method_that_keeps_only_strong_edges_is_found_out_at_low_contrast():
    def strong_edges(low, spacing_mm):
        smooth = blurred(low, 3.0, spacing_mm)
        return np.where(np.abs(low - smooth) > 80, low, smooth)

    honest, cheat = (
        measure_physics(method, 1, "portable", realisations=4)["numbers"] for method in (untouched, strong_edges)
    )
    assert cheat["f50 bone +915 HU"] > 0.75 * honest["f50 bone +915 HU"]
    assert cheat["f50 +50 HU"] < 0.5 * honest["f50 +50 HU"]
    assert cheat[f"f50 {LOW_LABEL}"] < 0.5 * honest[f"f50 {LOW_LABEL}"]
    assert cheat["noise"] < 0.5 * honest["noise"]


def test_a_scale_of_hu_that_is_wrong_is_the_slope():
    numbers = measure_physics(lambda low, spacing: 0.98 * low - 3, 1, "area", realisations=2)["numbers"]
    assert (numbers["HU slope"], numbers["HU intercept"]) == pytest.approx((0.98, -3), abs=0.3)
    assert numbers["HU slope"] == pytest.approx(0.98, abs=1e-3)


def test_a_disc_is_seen_better_where_noise_is_taken_away_and_worse_where_it_is_blurred_with_it():
    clean, noisy, blur = (
        measure_physics(method, 1, preset, realisations=3)["numbers"]
        for method, preset in (
            (untouched, "area"),
            (untouched, "portable"),
            (lambda low, spacing: blurred(low, 4.0, spacing), "portable"),
        )
    )
    for task in ("d' 10 HU", "d' 50 HU"):
        assert clean[task] > noisy[task] > 0
        assert blur[task] < noisy[task]


def test_edges_are_measured_only_of_skull_phantoms_and_as_sharp_as_they_are():
    rows, columns = np.mgrid[:1600, :1600] / 4.0 - 200
    angle = np.arctan2(rows, columns)
    inside = np.hypot(rows * 0.5, columns * 0.5) < 75 + 6 * np.cos(2 * angle) + 2 * np.sin(3 * angle)
    sharp = footprint_mean(torch.from_numpy(np.where(inside, 700.0, -1000.0)), 4).numpy()
    slices = torch.from_numpy(np.rint(blurred(sharp, 0.7, (0.5, 0.5)))[None])
    volume = {"slices": slices, "spacing_mm": (0.5, 0.5), "name": "phantom_skull_made.nii.gz"}
    found = measure_edges(None, 2, "area", [volume, {**volume, "name": "patient.nii.gz"}])
    # of the Gaussian alone; the pixel adds a little
    known = np.sqrt(np.log(2) / 2) / (np.pi * 0.7)
    assert found["numbers"] == {
        "edge f50 phantom_skull_made": pytest.approx(known, rel=0.05),
        "edge f10 phantom_skull_made": pytest.approx(known * np.sqrt(np.log(10) / np.log(2)), rel=0.05),
    }
    softer = measure_edges(METHODS["bicubic"].prepare(2, "area"), 2, "area", [volume])["numbers"]
    assert softer["edge f50 phantom_skull_made"] < 0.9 * known
    assert measure_edges(None, 2, "area", []) == {"numbers": {}, "curves": {}}


def test_a_slice_that_jumps_is_told():
    reference = np.zeros((6, 32, 32))
    jumping = reference + 4.0 * (np.arange(6) % 2)[:, None, None]
    assert measure_consistency(jumping, reference)["jitter"] == pytest.approx(4)
    assert measure_consistency(reference + 9, reference)["step RMSE"] == 0
