"""What users must be able to rely on, with the shipped weights on a patient that did not train them."""

import numpy as np
import pytest
import torch

from benchmarks.hounsfield import corner_error_mm, moved_means, placement
from benchmarks.quality import SCORES, measure
from ctsgan.models import scales

SCALES = scales("light")

GAINS = {
    4: ("area", {"wide dB": 4.0, "soft dB": 2.5}),
    2: ("area", {"wide dB": 2.0, "soft dB": 1.0}),
}
"""What the light model must gain over bicubic interpolation."""


@pytest.fixture(scope="module")
def slices(clinical_volume):
    voxels = clinical_volume.voxels[[4, 12]].clip(-1024, 3071).astype(np.int16)
    return [{"slices": torch.from_numpy(voxels), "spacing_mm": tuple(clinical_volume.spacing_mm[1::-1])}]


def mean_scores(slices, scale, preset):
    """Each score's mean over slices, by method."""
    measured = measure(slices, "light", scale, preset)
    return {
        method: dict(zip(SCORES, np.concatenate(scores).mean(axis=0), strict=True))
        for method, scores in measured.items()
    }


@pytest.mark.parametrize("scale", SCALES)
def test_regional_means_move_by_less_than_one_hu(clinical_volume, scale):
    moved = moved_means(clinical_volume, "light", scale)
    assert {"air", "fat", "muscle", "liver", "bone"} <= set(moved)
    assert max(map(abs, moved.values())) < 1, moved


@pytest.mark.parametrize("scale", SCALES)
def test_nothing_is_shifted(clinical_volume, scale):
    assert np.abs(placement(clinical_volume, "light", scale)).max() < 0.05
    assert corner_error_mm(clinical_volume, scale) < 1e-3


@pytest.mark.parametrize("scale", GAINS)
def test_the_light_model_beats_interpolation(slices, scale):
    preset, gains = GAINS[scale]
    scores = mean_scores(slices, scale, preset)
    for name, wanted in gains.items():
        gain = scores["light"][name] - scores["bicubic"][name]
        assert gain > wanted, f"{name} at x{scale}: {gain:.2f}"


def test_the_light_model_cleans_at_x1(slices):
    scores = mean_scores(slices, 1, "portable")
    ratio = scores["light"]["soft RMSE"] / scores["input"]["soft RMSE"]
    # 25 % is the promise for the mean over patients; this one has much noise of his own
    assert ratio < 0.8, f"soft-tissue RMSE is {ratio:.2f} of the input's"
