"""What becomes of lesions under methods whose answers are known, on a clinical abdomen."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from ctsgan.errors import CTError
from ctsgan.evaluation.honesty import contradiction_map, measure_honesty
from ctsgan.evaluation.honesty.cases import hallucination_cases
from ctsgan.evaluation.methods.interpolation import METHODS
from ctsgan.filters import footprint_mean, gaussian_blur


def untouched(low, spacing_mm):
    return low


def erasing(low, spacing_mm):
    return ndimage.gaussian_filter(low.astype(float), [12.0 / mm for mm in spacing_mm])


def value(numbers, name):
    return [numbers[f"{name} {size} mm {contrast} HU"] for size in (5, 10) for contrast in (10, 20, 50, 100)]


@pytest.fixture(scope="module")
def references(clinical_volume):
    """Three slices of the abdomen, each as a file of its own."""
    spacing = tuple(clinical_volume.spacing_mm[1::-1])
    voxels = torch.from_numpy(np.ascontiguousarray(clinical_volume.voxels)).short()
    return [{"slices": voxels[k : k + 1], "spacing_mm": spacing, "name": f"slice {k}"} for k in (6, 9, 12)]


def test_a_method_that_changes_nothing_keeps_all_and_invents_nothing(references):
    numbers = measure_honesty(untouched, 1, "area", references)["numbers"]
    assert value(numbers, "kept") == [1] * 8
    assert value(numbers, "transmission") == pytest.approx([1] * 8, abs=0.02)
    assert numbers["invented"] == numbers["invented blobs"] == numbers["returned"] == 0
    assert numbers["lesions"] > 20
    assert numbers["deleted"] > 5


def test_a_method_that_erases_what_is_small_loses_all(references):
    measured = measure_honesty(erasing, 1, "area", references)
    numbers = measured["numbers"]
    assert value(numbers, "kept") == [0] * 8
    assert max(value(numbers, "transmission")) < 0.3
    assert measured["curves"]["kept"]["10 mm"] == {"x": [10, 20, 50, 100], "y": [0] * 4}


def test_area_under_the_roc_grows_with_contrast_and_size(references):
    measured = measure_honesty(METHODS["bicubic"].prepare(2, "portable"), 2, "portable", references)
    small, large = (measured["curves"]["roc_area"][size]["y"] for size in ("5 mm", "10 mm"))
    assert small == sorted(small)
    assert 0.5 < small[0] < 0.8 < small[3]
    assert all(more >= less for less, more in zip(small, large, strict=True))


def test_plain_interpolation_crosses_the_bar_where_it_was_set(references):
    numbers = measure_honesty(METHODS["bicubic"].prepare(2, "portable"), 2, "portable", references)["numbers"]
    # but for the rounding to whole HU
    assert numbers["invented"] == pytest.approx(0.01, rel=0.05)


def test_a_method_that_shows_what_was_taken_out_is_caught(references):
    cases = hallucination_cases(references, 2, "area", 3)
    known = {case.degrade(case.filled).tobytes(): case.sharp for case in cases}
    bicubic = METHODS["bicubic"].prepare(2, "area")

    def remembering(low, spacing_mm):
        return known.get(low.tobytes(), bicubic(low, spacing_mm))

    honest, cheat = (measure_honesty(method, 2, "area", references)["numbers"] for method in (bicubic, remembering))
    assert honest["returned"] == 0
    assert cheat["returned"] == 1


def test_it_draws_the_same_for_every_method_and_run(references):
    first, second = (hallucination_cases(references, 4, "portable", 2) for _ in range(2))
    assert [case.lesions for case in first] == [case.lesions for case in second]
    for case, again in zip(first, second, strict=True):
        np.testing.assert_array_equal(case.degrade(case.sharp), again.degrade(again.sharp))


def test_it_enhances_six_times_a_slice(references):
    calls = []

    def counted(low, spacing_mm):
        calls.append(spacing_mm)
        return low

    measure_honesty(counted, 1, "area", references, slices=2)
    assert len(calls) == 12
    assert set(calls) == {tuple(references[0]["spacing_mm"])}


def test_references_without_soft_tissue_are_refused_with_what_to_do():
    air = {"slices": torch.full((1, 64, 64), -1000, dtype=torch.int16), "spacing_mm": (1.0, 1.0), "name": "air"}
    with pytest.raises(CTError, match="add a CT of the abdomen"):
        measure_honesty(untouched, 1, "area", [air])


@pytest.mark.parametrize("preset", ["area", "portable", "bicubic", "scanner", "paired"])
def test_the_contradiction_shows_what_was_painted_and_where(abdomen, preset):
    low = footprint_mean(torch.from_numpy(abdomen[0].astype(float)), 2).numpy()
    honest = METHODS["bicubic"].prepare(2, preset)(low, (2.0, 2.0))
    painted = honest.copy()
    painted[60:72, 100:112] += 80
    before, rms_before = contradiction_map(low, honest, (2.0, 2.0), 2, preset)
    after, rms_after = contradiction_map(low, painted, (2.0, 2.0), 2, preset)
    assert after.shape == low.shape
    assert rms_after > rms_before
    assert rms_after == pytest.approx(np.sqrt(np.mean(after**2)))
    place = np.unravel_index(np.argmax(after - before), low.shape)
    assert 30 <= place[0] < 36
    assert 50 <= place[1] < 56
    assert (after - before).max() == pytest.approx(80, abs=25)


@pytest.mark.parametrize(("preset", "sigma_mm"), [("area", 0.0), ("portable", 1.2)])
def test_nothing_contradicts_an_output_that_would_have_been_measured_so(abdomen, preset, sigma_mm):
    sharp = abdomen[0]
    blurred = gaussian_blur(torch.from_numpy(sharp.astype(float)), sigma_mm, (1.0, 1.0))
    low = np.rint(footprint_mean(blurred, 2).numpy())
    shown, rms = contradiction_map(low, sharp, (2.0, 2.0), 2, preset)
    # but for the rounding of halves
    assert rms < 0.1
    assert shown.max() <= 1
