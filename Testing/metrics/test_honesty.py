"""Lesions kept, lost and invented; and cheats, each of which must come out worst in the row made for it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from ctsgan.degradation import correlated_noise
from ctsgan.filters import footprint_mean, gaussian_blur
from ctsgan.metrics import (
    MATERIAL_RODS,
    Lesion,
    area_under_roc,
    bias,
    contradiction,
    d_prime,
    delete_structures,
    detection,
    digital_phantom,
    disc_ttf,
    draw_lesions,
    find_structures,
    hallucination_test,
    insert_lesions,
    read_contrasts,
    subpixel_shift,
    uniform_places,
)
from ctsgan.resample import resample_slices

SPACING = (0.9765625, 0.9765625)
DIAMETER = 8.0


def blur(slices: np.ndarray, sigma_mm: float) -> np.ndarray:
    return gaussian_blur(torch.from_numpy(np.asarray(slices, dtype=np.float64)), sigma_mm, SPACING).numpy()


def coarser(slices: np.ndarray) -> np.ndarray:
    """Half as many pixels, without noise."""
    return footprint_mean(torch.from_numpy(np.asarray(slices, dtype=np.float64)), 2).numpy()


def degrade(slices: np.ndarray) -> np.ndarray:
    """Half as many pixels and 6 HU of noise, the same at every call."""
    low = coarser(slices)
    generator = torch.Generator().manual_seed(5)
    return low + correlated_noise(low.shape, 6.0, (1, 2, 1), generator, torch.device("cpu")).double().numpy()


def interpolate(low: np.ndarray) -> np.ndarray:
    """The honest method: bicubic interpolation."""
    size = (2 * low.shape[1], 2 * low.shape[2])
    return resample_slices(torch.from_numpy(low)[:, None], size, (0.5, 0.5))[:, 0].numpy()


@pytest.fixture(scope="module")
def liver(clinical_volume):
    """Three slices, 224 x 352 pixels inside the patient, float64 HU."""
    return clinical_volume.voxels[8:11, 160:384, 80:432].astype(float)


@pytest.fixture(scope="module")
def place(liver):
    """A uniform place in the first slice."""
    return draw_lesions(liver, SPACING, 2 * DIAMETER, 1, seed=1)[0]


@pytest.fixture(scope="module")
def methods(place):
    nodule = [replace(place, diameter_mm=DIAMETER, contrast_hu=60.0)]
    return {
        "honest": interpolate,
        "adds 5 HU": lambda low: interpolate(low) + 5.0,
        "shifts by half a pixel": lambda low: np.stack(
            [ndimage.shift(image, (0.5, 0.5), order=3, mode="nearest") for image in interpolate(low)]
        ),
        "blurs": lambda low: blur(interpolate(low), 2.0),
        "paints a nodule": lambda low: insert_lesions(interpolate(low), nodule, SPACING),
        "erases what is small": lambda low: blur(interpolate(low), 12.0),
    }


@pytest.fixture(scope="module")
def report(liver, methods):
    return hallucination_test(liver, SPACING, degrade, methods, DIAMETER, (20.0, 100.0), structure_hu=60.0)


def test_detector_reads_the_contrast_that_was_inserted():
    flat = np.add.outer(np.linspace(0, 50, 80), np.linspace(0, 30, 80))[None] + 40
    lesions = [Lesion(0, 40, 40, 6.0, 25.0), Lesion(0, 20, 60, 6.0, -80.0)]
    changed = insert_lesions(flat, lesions, (0.7, 0.7))
    np.testing.assert_allclose(read_contrasts(changed, lesions, (0.7, 0.7)), [25, -80], rtol=1e-6)


def test_inserted_lesion_has_its_size(place, liver):
    lesion = replace(place, diameter_mm=10.0, contrast_hu=30.0)
    added = insert_lesions(liver, [lesion], SPACING) - liver
    assert added[place.index].sum() / 30 * SPACING[0] ** 2 == pytest.approx(np.pi * 5**2 + np.pi * 0.5**2, rel=0.02)
    assert np.abs(np.delete(added, place.index, axis=0)).max() == 0


def test_lesions_lie_apart_in_the_tissue_they_were_meant_for(liver):
    lesions = draw_lesions(liver, SPACING, DIAMETER, a_slice=4, seed=2)
    assert lesions == draw_lesions(liver, SPACING, DIAMETER, a_slice=4, seed=2)
    assert lesions != draw_lesions(liver, SPACING, DIAMETER, a_slice=4, seed=3)
    for lesion in lesions:
        around = liver[lesion.index, lesion.row - 8 : lesion.row + 9, lesion.column - 8 : lesion.column + 9]
        assert 20 <= around.mean() <= 140
        for other in lesions:
            if other is not lesion and other.index == lesion.index:
                distance = np.hypot(lesion.row - other.row, lesion.column - other.column) * SPACING[0]
                assert distance >= 3 * DIAMETER


def test_no_lesion_where_there_is_no_such_tissue():
    with pytest.raises(ValueError, match="no slice has uniform lung"):
        draw_lesions(np.full((1, 64, 64), 50.0), SPACING, background="lung")


def test_uniform_places_keep_away_from_border_and_other_tissue():
    image = np.full((64, 64), 60.0)
    image[:, 40:] = 400
    places = uniform_places(image, (1.0, 1.0), (20, 140), 5.0)
    assert places[32, 20]
    assert not places[:5].any()
    assert not places[:, 34:].any()


def test_deleted_structure_is_filled_with_its_surroundings():
    slope = np.add.outer(np.linspace(0, 20, 60), np.linspace(0, 40, 60))[None]
    structure = Lesion(0, 30, 30, 6.0, 150.0)
    deleted = delete_structures(insert_lesions(slope, [structure], (1.0, 1.0)), [structure], (1.0, 1.0))
    np.testing.assert_allclose(deleted, slope, atol=1.0)


def test_structures_to_delete_are_found_where_they_are():
    generator = np.random.default_rng(0)
    slices = 50 + generator.normal(0, 5, (1, 80, 80))
    there = [Lesion(0, 25, 25, 5.0, 120.0), Lesion(0, 55, 50, 5.0, 80.0)]
    found = find_structures(insert_lesions(slices, there, (1.0, 1.0)), (1.0, 1.0), 5.0, 50.0)
    assert [(x.row, x.column) for x in found] == [(25, 25), (55, 50)]
    assert [x.contrast_hu for x in found] == pytest.approx([120, 80], abs=8)


def test_area_under_roc_and_d_prime_of_known_distributions():
    generator = np.random.default_rng(0)
    present, absent = generator.normal(1.5, 1, 400), generator.normal(0, 1, 400)
    area, area_error = area_under_roc(present, absent)
    index, index_error = d_prime(present, absent)
    # for two normal distributions the area is the normal integral up to d' / root 2
    known = 0.5 * (1 + torch.special.erf(torch.tensor(1.5 / 2))).item()
    assert abs(area - known) < 3 * area_error < 0.06
    assert abs(index - 1.5) < 3 * index_error < 0.3
    assert area_under_roc(present, present)[0] == pytest.approx(0.5)


def test_area_under_roc_is_that_of_the_rank_test_ties_included():
    generator = np.random.default_rng(2)
    present, absent = np.round(generator.normal(1, 2, 60)), np.round(generator.normal(0, 2, 45))
    known = stats.mannwhitneyu(present, absent).statistic / (60 * 45)
    assert area_under_roc(present, absent)[0] == pytest.approx(known)


def test_dark_lesions_are_detected_as_bright_ones_are():
    absent = np.random.default_rng(3).normal(0, 20, 50)
    bright, dark = detection(30.0, absent + 24, absent), detection(-30.0, -absent - 24, -absent)
    assert (bright.kept, bright.lost) == (dark.kept, dark.lost) == (50, 0)
    assert bright.transmission == dark.transmission == pytest.approx(0.8)
    assert (bright.auc, bright.d_prime) == (dark.auc, dark.d_prime)
    assert bright.auc == area_under_roc(absent + 24, absent)[0] < 0.95


def test_standard_errors_are_the_spread_of_repeated_experiments():
    generator = np.random.default_rng(1)
    draws = [(generator.normal(1.2, 1, 40), generator.normal(0, 1, 40)) for _ in range(300)]
    for measure in (area_under_roc, d_prime):
        values, errors = np.array([measure(*draw) for draw in draws]).T
        assert errors.mean() == pytest.approx(values.std(), rel=0.15)


def test_what_is_there_is_kept_and_what_is_erased_is_lost(report):
    for honest, eraser in zip(report["honest"].detections, report["erases what is small"].detections, strict=True):
        assert honest.kept >= 10
        assert honest.lost == 0
        assert honest.transmission == pytest.approx(1, abs=0.15)
        assert eraser.kept == 0
        assert eraser.lost == honest.kept
    strong = report["honest"].detections[1]
    assert strong.auc > 0.99
    assert strong.d_prime > report["honest"].detections[0].d_prime > 0


def test_only_the_painter_invents(report):
    invented = {name: row.invented for name, row in report.items()}
    assert invented.pop("paints a nodule") == 1
    assert set(invented.values()) == {0}
    assert report["honest"].searched_cm2 > 10


def test_a_method_that_shows_what_was_taken_out_is_caught(liver):
    methods = {"honest": interpolate, "remembers": lambda low: liver}
    report = hallucination_test(liver, SPACING, degrade, methods, 5.0, (50.0,), structure_hu=60.0)
    assert report["honest"].deleted == report["remembers"].deleted > 0
    assert report["honest"].returned == 0
    assert report["remembers"].returned == report["remembers"].deleted
    assert report["remembers"].detections[0].kept == 0


def test_contradiction_shows_where_and_how_much(liver, place, methods):
    low = coarser(liver)
    honest, painted = (contradiction(low, methods[name](low), coarser) for name in ("honest", "paints a nodule"))
    assert honest.shape == low.shape
    # interpolation contradicts the data by its own blur: at edges, and in noise a little
    assert np.median(honest) < 3
    excess = painted - honest
    assert np.unravel_index(np.argmax(excess), excess.shape) == pytest.approx(
        (place.index, place.row / 2, place.column / 2), abs=DIAMETER / 2
    )
    assert excess.max() == pytest.approx(60, abs=10)


def test_contradiction_asks_for_the_shape_of_the_input(liver):
    with pytest.raises(ValueError, match="shape"):
        contradiction(liver, liver, coarser)


def test_each_cheat_is_worst_in_its_own_row(liver, methods, report):
    phantom = digital_phantom(0.5).image[None]
    rod = MATERIAL_RODS[4]
    row, column = rod.centre(phantom.shape[1:], 0.5)
    low = degrade(liver)
    rows = {"bias": {}, "shift": {}, "resolution": {}, "invented": {}}
    for name, method in methods.items():
        if name == "erases what is small":
            continue
        output = method(low)
        rows["bias"][name] = abs(bias(output, liver))
        rows["shift"][name] = np.hypot(*subpixel_shift(output[1], liver[1]))
        rows["resolution"][name] = -disc_ttf(method(coarser(phantom))[0], (0.5, 0.5), row, column, 25.0).f50
        rows["invented"][name] = report[name].invented
    worst = {name: max(values, key=values.get) for name, values in rows.items()}
    assert worst == {
        "bias": "adds 5 HU",
        "shift": "shifts by half a pixel",
        "resolution": "blurs",
        "invented": "paints a nodule",
    }
    # and by far: nothing else is half as bad
    for name, cheat in worst.items():
        if name != "resolution":
            others = [value for method, value in rows[name].items() if method != cheat]
            assert max(others) < rows[name][cheat] / 2, name
