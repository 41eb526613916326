"""The fidelity step: errors of regions are mended, and blur that was undone stays undone."""

import numpy as np
import pytest
import torch

from ctsgan import reconstruction
from ctsgan.cli import build_parser
from ctsgan.enhancement import FIDELITY_MM
from ctsgan.filters import bicubic_mean, filter_separable, footprint_mean, gaussian_blur, gaussian_taps
from ctsgan.metrics import body_mask
from ctsgan.reconstruction import fidelity_margin, restore_means

SCALE = 2


@pytest.fixture(scope="module")
def truth(clinical_volume):
    """A sharp slice (1, 1, H, W) in HU, its body and its spacing in mm."""
    hu = clinical_volume.voxels[9].astype(np.float32).clip(-1024, 3071)
    spacing = tuple(float(mm) for mm in clinical_volume.spacing_mm[1::-1])
    return torch.from_numpy(hu)[None, None], torch.from_numpy(body_mask(hu)), spacing


def seen_by_a_scanner(sharp, spacing, blur_pixels, noise_hu=12.0):
    blurred = gaussian_blur(sharp, blur_pixels * SCALE * spacing[0], spacing) if blur_pixels else sharp
    low = footprint_mean(blurred, SCALE)
    return low + noise_hu * torch.randn(low.shape, generator=torch.Generator().manual_seed(0))


def moved(output, measured, spacing, sharp=False):
    """What the step adds to an output, HU."""
    coarse = tuple(SCALE * mm for mm in spacing)
    valid = torch.ones_like(measured)
    return (restore_means(output, measured, valid, SCALE, FIDELITY_MM, coarse, sharp) - output)[0, 0]


def test_the_command_line_has_the_same_default():
    assert build_parser().parse_args(["enhance", "in", "out"]).fidelity_mm == FIDELITY_MM


@pytest.mark.parametrize("blur", [0.0, 0.4, 0.6, 0.9])
def test_the_truth_is_hardly_moved_however_blurred_the_input(truth, blur):
    sharp, body, spacing = truth
    change = moved(sharp, seen_by_a_scanner(sharp, spacing, blur, noise_hu=0.0), spacing)[body]
    assert change.abs().quantile(0.95) < 9.0
    assert abs(change.mean()) < 0.7


def test_without_that_edges_would_be_blurred_again(truth, monkeypatch):
    sharp, body, spacing = truth
    measured = seen_by_a_scanner(sharp, spacing, 0.6, noise_hu=0.0)
    own = moved(sharp, measured, spacing)[body].square().mean().sqrt()
    monkeypatch.setattr(reconstruction, "undone_blur", lambda difference, *_: torch.zeros_like(difference))
    assert moved(sharp, measured, spacing)[body].square().mean().sqrt() > 3 * own


def test_the_truth_is_hardly_moved_when_software_reduced_the_input(truth):
    """A bicubic reduction overshoots at edges: on soft tissue beside air that is no error of a region."""
    sharp, body, spacing = truth
    measured = bicubic_mean(sharp, SCALE)
    blind, own = (moved(sharp, measured, spacing, allowed)[body].square().mean().sqrt() for allowed in (False, True))
    assert own < blind / 2


def test_an_offset_and_a_lost_lesion_come_back_when_software_reduced_the_input(truth):
    sharp, body, spacing = truth
    measured = bicubic_mean(sharp, SCALE)
    assert moved(sharp - 5.0, measured, spacing, sharp=True)[body].mean() == pytest.approx(5, abs=0.3)
    assert returned_share(truth, 10.0, 20.0, 0.0, sharp_kernel=True) > 0.5


def test_a_sharp_kernel_of_means_over_footprints_is_held_as_before(truth):
    sharp, body, spacing = truth
    measured = seen_by_a_scanner(sharp, spacing, 0.0)
    worse = sharp + gaussian_blur(sharp, 3.0 * spacing[0], spacing) * 0.02
    blind, own = (moved(worse, measured, spacing, allowed)[body] for allowed in (False, True))
    assert (own - blind).square().mean().sqrt() < 0.2 * blind.square().mean().sqrt()


@pytest.mark.parametrize("blur", [0.0, 0.6])
def test_an_offset_and_a_lost_lesion_come_back(truth, blur):
    sharp, body, spacing = truth
    assert moved(sharp - 5.0, seen_by_a_scanner(sharp, spacing, blur), spacing)[body].mean() == pytest.approx(
        5, abs=0.3
    )
    assert returned_share(truth, 10.0, 20.0, blur) > 0.5


def returned_share(truth, diameter_mm, contrast_hu, blur=0.6, sharp_kernel=False):
    """How much of a lesion comes back that the output has lost, in the noise of a scanner."""
    sharp, body, spacing = truth
    rows, columns = (torch.arange(size) * mm for size, mm in zip(sharp.shape[2:], spacing, strict=True))
    middle = body.nonzero().double().mean(dim=0) * torch.tensor(spacing)
    lesion = (torch.hypot(rows[:, None] - middle[0], columns[None] - middle[1]) < diameter_mm / 2).float()
    with_lesion, without = (
        moved(sharp, seen_by_a_scanner(sharp + contrast * lesion, spacing, blur), spacing, sharp_kernel)
        for contrast in (contrast_hu, 0.0)
    )
    return float(((with_lesion - without) * lesion).sum() / (contrast_hu * lesion.sum()))


def test_a_small_lesion_that_stands_out_of_the_removed_noise_comes_back(truth, monkeypatch):
    own = returned_share(truth, 5.0, 80.0)
    monkeypatch.setattr(reconstruction, "lost_details", lambda removed, *_: torch.zeros_like(removed))
    regions_alone = returned_share(truth, 5.0, 80.0)
    assert own > regions_alone + 0.08
    assert own > 0.5


@pytest.mark.parametrize("spacing", [(0.7, 0.7), (1.4, 1.4), (2.8, 2.8)])
def test_of_removed_noise_little_is_a_detail(spacing):
    """Whatever its strength: noise is what its own root mean square says."""
    noise = torch.randn((1, 1, 256, 256), generator=torch.Generator().manual_seed(1))
    shares = []
    for strength in (16.0, 40.0):
        removed = strength * noise
        back = reconstruction.lost_details(removed, torch.ones_like(removed), spacing)
        shares.append((back.std() / removed.std()).item())
        assert (back != 0).float().mean() < 0.2
    assert shares[0] < 0.5
    assert shares[0] == pytest.approx(shares[1], rel=0.1)


@pytest.mark.parametrize("scale", [2, 4])
def test_a_detail_of_two_input_pixels_keeps_its_height_when_the_correction_is_enlarged(scale):
    spacing = (2.8, 2.8)
    rows, columns = (torch.arange(64.0)[:, None], torch.arange(64.0)[None])
    width = 2.0 / reconstruction.FWHM
    measured = 100.0 * torch.exp(-0.5 * ((rows - 32) ** 2 + (columns - 32) ** 2) / width**2)[None, None]
    on_the_grid, enlarged = (
        restore_means(torch.zeros(1, 1, s * 64, s * 64), measured, torch.ones_like(measured), s, FIDELITY_MM, spacing)
        for s in (1, scale)
    )
    assert on_the_grid.max() > 60
    assert footprint_mean(enlarged, scale)[..., 32, 32] == pytest.approx(on_the_grid[..., 32, 32], rel=0.15)


def test_fine_noise_stays_removed(truth):
    sharp, body, spacing = truth
    noise = moved(sharp, seen_by_a_scanner(sharp, spacing, 0.0), spacing)[body]
    assert noise.std() < 12.0 / 2


@pytest.mark.parametrize("allowed", [False, True])
def test_nothing_beyond_the_margin_takes_part(truth, allowed):
    sharp, _, spacing = truth
    measured = seen_by_a_scanner(sharp, spacing, 0.6)
    margin = fidelity_margin(FIDELITY_MM, tuple(SCALE * mm for mm in spacing))
    changed = measured.clone()
    changed[..., :20, :] += 100.0
    difference = (moved(sharp, changed, spacing, allowed) - moved(sharp, measured, spacing, allowed)).abs().amax(dim=1)
    assert difference[: 2 * 20].min() > 0
    assert difference[SCALE * (20 + margin + 1) :].max() == 0


def test_the_blur_is_found_where_it_is(truth):
    """What is put down to blur is the blur: the difference that is left has no edges."""
    sharp, body, spacing = truth
    coarse = tuple(SCALE * mm for mm in spacing)
    mean = footprint_mean(sharp, SCALE)
    taps = gaussian_taps(0.6)
    difference = filter_separable(mean, taps, taps) - mean
    found = reconstruction.undone_blur(difference, mean, torch.ones_like(mean), coarse)
    inside = footprint_mean(body.float()[None, None], SCALE) > 0.5
    assert (difference - found)[inside].std() < 0.35 * difference[inside].std()
