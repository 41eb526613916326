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
    scores = measure(slices, "light", scale, preset)
    names = list(SCORES)
    for name, wanted in gains.items():
        gain = (scores["light"] - scores["bicubic"])[:, names.index(name)].mean()
        assert gain > wanted, f"{name} at x{scale}: {gain:.2f}"


@pytest.mark.skipif(1 not in SCALES, reason="there are no x1 weights yet")
def test_the_light_model_cleans_at_x1(slices):
    scores = measure(slices, "light", 1, "portable")
    column = list(SCORES).index("soft RMSE")
    ratio = scores["light"][:, column].mean() / scores["input"][:, column].mean()
    assert ratio < 0.75, f"soft-tissue RMSE is {ratio:.2f} of the input's"
