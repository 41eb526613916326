"""What is drawn stays within its range, repeats from its seed, and is applied as drawn."""

import numpy as np
import pytest
import torch

from ctsgan.degradation import (
    RandCupping,
    RandDetectorFootprint,
    RandJpeg,
    RandKernelBlur,
    RandMtfBlur,
    RandPoissonNoise,
    RandQuantumNoise,
    RandResize,
    RandRings,
    RandSinc,
    RandStreaks,
    RandThickSlices,
)
from ctsgan.degradation.acquisition import cupping, mtf_blur
from ctsgan.degradation.jpeg import jpeg, jpeg_file
from ctsgan.metrics import WINDOWS

SPACING = (0.9, 0.9)

TRANSFORMS = {
    "kernel blur": (RandKernelBlur, ()),
    "sinc": (RandSinc, ()),
    "resize": (RandResize, ((160, 160),)),
    "poisson noise": (RandPoissonNoise, ()),
    "jpeg": (RandJpeg, ()),
    "footprint": (RandDetectorFootprint, (SPACING,)),
    "mtf": (RandMtfBlur, (SPACING,)),
    "quantum noise": (RandQuantumNoise, (SPACING,)),
    "streaks": (lambda **options: RandStreaks(views=20, **options), (SPACING,)),
    "rings": (RandRings, (SPACING,)),
    "cupping": (RandCupping, (SPACING,)),
    "thick slices": (RandThickSlices, (2.0,)),
}


@pytest.fixture(scope="module")
def stack(abdomen):
    return torch.from_numpy(abdomen.astype(np.float32))


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_seed_repeats_a_draw_can_be_applied_again_and_another_differs(stack, name):
    make, arguments = TRANSFORMS[name]
    transform = make(**({} if name == "resize" else {"prob": 1.0})).set_random_state(5)
    first = transform(stack, *arguments)
    assert first.isfinite().all()
    torch.testing.assert_close(transform(stack, *arguments, randomize=False), first, rtol=0, atol=0)
    torch.testing.assert_close(transform.set_random_state(5)(stack, *arguments), first, rtol=0, atol=0)
    other = transform.set_random_state(6)(stack, *arguments)
    assert other.shape != first.shape or not torch.equal(other, first)


@pytest.mark.parametrize("name", [name for name in TRANSFORMS if name != "resize"])
def test_what_is_never_applied_changes_nothing(stack, name):
    make, arguments = TRANSFORMS[name]
    assert make(prob=0.0).set_random_state(5)(stack, *arguments) is stack


def test_kernels_are_sincs_as_often_as_said_and_of_all_sizes():
    blur = RandKernelBlur(sinc_prob=0.25).set_random_state(0)
    sizes, ringing = set(), 0
    for _ in range(400):
        blur.randomize()
        sizes.add(len(blur.kernel))
        ringing += bool(blur.kernel.min() < 0)
        assert blur.kernel.sum() == pytest.approx(1.0, abs=1e-5)
    assert sizes == set(range(7, 22, 2))
    assert 70 < ringing < 130


def test_resizing_goes_up_down_or_keeps_as_often_as_said(stack):
    resize = RandResize().set_random_state(0)
    factors = [resize(stack, stack.shape[-2:]).shape[-1] / 160 for _ in range(400)]
    assert 0.15 <= min(factors) < 0.25
    assert 1.4 < max(factors) <= 1.5
    assert 50 < sum(factor > 1.0 for factor in factors) < 115
    assert 240 < sum(factor < 1.0 for factor in factors) < 320


def test_no_image_is_shrunk_to_nothing(stack):
    resize = RandResize(chances=(0.0, 1.0, 0.0)).set_random_state(0)
    assert min(resize(stack[:, :24, :24], (24, 24)).shape[-1] for _ in range(50)) == 16
    assert resize(stack[:, :8, :8], (8, 8)).shape[-1] == 8


def test_jpeg_can_be_the_librarys_own_file(stack):
    fixed = {"quality": (60, 60), "windows": ["soft"]}
    assert torch.equal(RandJpeg(**fixed, real=True)(stack), jpeg_file(stack, 60, WINDOWS["soft"]))
    assert torch.equal(RandJpeg(**fixed)(stack), jpeg(stack, 60, WINDOWS["soft"]))


def test_fixed_ranges_are_the_operation_itself(stack):
    assert torch.equal(RandMtfBlur((0.4, 0.4), (0.5, 0.5))(stack, SPACING), mtf_blur(stack, SPACING, 0.4, 0.2))
    assert torch.equal(RandCupping((9.0, 9.0), (90.0, 90.0))(stack, SPACING), cupping(stack, SPACING, 9.0, 90.0))


def test_noise_follows_the_drawn_dose():
    flat = torch.zeros(1, 256, 256)
    for dose in (0.25, 1.0):
        noise = RandQuantumNoise((dose, dose), full_dose_std_hu=10.0).set_random_state(0)(flat, SPACING)
        assert noise.std() == pytest.approx(10.0 / np.sqrt(dose), rel=0.03)


def test_a_new_pattern_is_another_noise_of_the_same_dose():
    flat, noise = torch.zeros(1, 256, 256), RandQuantumNoise().set_random_state(0)
    first = noise(flat, SPACING)
    noise.randomize_pattern()
    second = noise(flat, SPACING, randomize=False)
    assert second.std() == pytest.approx(first.std().item(), rel=0.02)
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.03


def test_slices_that_are_thick_enough_stay(stack):
    assert RandThickSlices((2.0, 4.0))(stack, 5.0) is stack
