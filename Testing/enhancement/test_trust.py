"""What users must be able to rely on, with the shipped weights on a patient that did not train them."""

import numpy as np
import pytest

from benchmarks.hounsfield import corner_error_mm, moved_means, placement
from ctsgan.evaluation.methods import baseline, choose
from ctsgan.evaluation.pairs import degraded_pairs
from ctsgan.evaluation.scores import WHOLE_SLICE, score
from ctsgan.models import scales

SCALES = scales("light")

GAINS = {
    4: ("area", {WHOLE_SLICE: 4.0, "PSNR soft": 2.5}),
    2: ("area", {WHOLE_SLICE: 2.0, "PSNR soft": 1.0}),
}
"""What the light model must gain over bicubic interpolation."""


def mean_scores(volume, scale, preset):
    """Each score's mean over two slices, of ours and of what nothing is known of."""
    pairs = list(degraded_pairs(volume, "abdomen", preset, scale, [4, 12]))
    means = {}
    for name, method in choose(["ctsgan light"], scale).items():
        enhance = method.prepare(scale, preset)
        rows = [score(enhance(pair.low, pair.spacing_mm), pair, "fidelity") for pair in pairs]
        means[name] = {key: np.mean([row[key] for row in rows]) for key in (WHOLE_SLICE, "PSNR soft", "RMSE soft")}
    return means["ctsgan light"], means[baseline(scale)]


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
def test_the_light_model_beats_interpolation(clinical_volume, scale):
    preset, gains = GAINS[scale]
    ours, interpolated = mean_scores(clinical_volume, scale, preset)
    for name, wanted in gains.items():
        assert ours[name] - interpolated[name] > wanted, f"{name} at x{scale}"


def test_the_light_model_cleans_at_x1(clinical_volume):
    ours, untouched = mean_scores(clinical_volume, 1, "portable")
    ratio = ours["RMSE soft"] / untouched["RMSE soft"]
    # 25 % is the promise for the mean over patients; this one has much noise of his own
    assert ratio < 0.8, f"soft-tissue RMSE is {ratio:.2f} of the input's"
