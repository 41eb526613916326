"""Streaks that were projected once and are added to patches."""

import numpy as np
import pytest
import torch

from ctsgan.degradation import RandStoredStreaks, RandStreaks, ScannerDegradation, project_streaks
from ctsgan.filters import footprint_mean

FACTOR = 4


@pytest.fixture(scope="module")
def volumes(clinical_volume):
    slices = torch.from_numpy(clinical_volume.voxels[8:12].astype(np.int16))
    return [{"slices": slices, "spacing_mm": clinical_volume.row_and_column_mm, "name": "abdomen"}]


@pytest.fixture(scope="module")
def fields(volumes):
    return project_streaks(volumes, FACTOR, count=6)


def test_fields_are_what_a_low_dose_adds_to_the_reduced_slices(fields, volumes):
    spacing = tuple(FACTOR * mm for mm in volumes[0]["spacing_mm"])
    reduced = footprint_mean(volumes[0]["slices"].float()[:1], FACTOR)
    streaks = RandStreaks(photons=(1e6, 1e6), electronic_std=(0.0, 0.0)).set_random_state(0)
    added = streaks(reduced, spacing) - reduced
    middle = (slice(48, 80), slice(48, 80))
    measured = np.median([field[middle].float().std().item() for field in fields])
    assert measured == pytest.approx(added[0][middle].std().item(), rel=0.5)
    assert all(field.shape == reduced.shape[1:] for field in fields)


def test_fields_are_kept_and_depend_on_what_they_are_made_of(volumes, tmp_path, monkeypatch):
    first = project_streaks(volumes, FACTOR, count=2, cache_dir=tmp_path)
    monkeypatch.setattr(RandStreaks, "apply", lambda *_: pytest.fail("projected again"))
    again = project_streaks(volumes, FACTOR, count=2, cache_dir=tmp_path)
    assert all(torch.equal(one, other) for one, other in zip(first, again, strict=True))
    assert len(list(tmp_path.iterdir())) == 1
    monkeypatch.undo()
    other = project_streaks(volumes, FACTOR, count=2, cache_dir=tmp_path, seed=1)
    assert not torch.equal(first[0], other[0])


def test_a_patch_gets_a_window_of_a_field_and_the_same_draw_repeats(fields):
    streaks = RandStoredStreaks(fields).set_random_state(1)
    patch = torch.zeros(1, 40, 48)
    drawn = [streaks(patch, (2.0, 2.0)) for _ in range(8)]
    assert len({tuple(image.flatten().tolist()) for image in drawn}) == 8
    assert torch.equal(streaks(patch, (2.0, 2.0), randomize=False), drawn[-1])
    values = {value for field in fields for value in field.float().flatten().tolist()}
    assert set(drawn[0].flatten().tolist()) <= values
    assert drawn[0].std() > 1.0


def test_a_patch_larger_than_the_fields_is_refused(fields):
    with pytest.raises(ValueError, match="too small for"):
        RandStoredStreaks(fields)(torch.zeros(1, 200, 40), (2.0, 2.0))


def test_the_scanner_takes_them_in_the_place_of_projections(fields):
    patch = torch.zeros(1, 160, 160)
    plain, streaky = (
        ScannerDegradation(FACTOR, ring_prob=0.0, cupping_prob=0.0, **options).set_random_state(2)(patch, (0.8, 0.8))
        for options in ({}, {"streaks": RandStoredStreaks(fields)})
    )
    assert (streaky - plain).std() > 2.0
