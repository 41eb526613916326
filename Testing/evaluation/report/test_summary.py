"""Means, paired differences, and who is best; the numbers are made so that the answer is known."""

import math

import pytest

from ctsgan.evaluation.report.summary import summarise
from evaluation.report.cheap import describe


def results(scores, methods=None, perception=None):
    known = methods or {name: describe(name, ours=name == "ours", told=name == "told") for name in scores}
    return {
        "settings": {"presets": ["area"], "scale": 4},
        "methods": known,
        "scores": {"area": scores},
        "perception": {"area": perception or {}},
    }


def rows_of(scores, score="PSNR soft", **others):
    rows = summarise(results({name: {score: values} for name, values in scores.items()}, **others))
    return {row.method: row for row in rows if row.score == score}


FOUR = {
    "ours": {"a": 22.0, "b": 32.0},
    "bicubic": {"a": 20.0, "b": 30.0},
    "peer": {"a": 21.0, "b": 31.0},
    "told": {"a": 40.0, "b": 50.0},
}


def test_best_is_never_a_method_that_is_told_the_truth():
    assert [name for name, row in rows_of(FOUR).items() if row.best] == ["ours"]


@pytest.mark.parametrize(
    ("score", "best", "peer"), [("PSNR soft", "ours", "peer"), ("RMSE soft", "bicubic", "bicubic")]
)
def test_best_depends_on_the_direction_of_the_score(score, best, peer):
    rows = rows_of(FOUR, score)
    assert rows[best].best
    assert {row.best_peer for row in rows.values()} == {peer}


def test_a_bias_is_best_nearest_to_zero_and_differs_by_its_distance_from_it():
    rows = rows_of({"ours": {"a": -1.0}, "bicubic": {"a": -4.0}, "peer": {"a": 3.0}}, "bias")
    assert rows["ours"].best
    assert rows["ours"].to_baseline.mean == pytest.approx(-3.0)
    assert rows["ours"].to_best_peer.mean == pytest.approx(-2.0)
    assert rows["ours"].best_peer == "peer"


def test_differences_are_taken_patient_by_patient():
    """Patients differ by 10 dB, methods by 2 dB on each: the mean is unsure, the difference is not."""
    ours = rows_of(FOUR)["ours"]
    assert ours.value == pytest.approx((27.0, 22.0, 32.0))
    assert ours.to_baseline == pytest.approx((2.0, 2.0, 2.0))
    assert ours.to_best_peer == pytest.approx((1.0, 1.0, 1.0))


def test_a_method_is_not_compared_with_itself():
    rows = rows_of(FOUR)
    assert rows["bicubic"].to_baseline is None
    assert rows["peer"].to_best_peer is None


def test_only_patients_that_both_methods_have_are_compared():
    rows = rows_of({"ours": {"a": 1.0, "b": 9.0}, "bicubic": {"b": 5.0, "c": 100.0}})
    assert rows["ours"].to_baseline.mean == pytest.approx(4.0)
    assert rows_of({"ours": {"a": 1.0}, "bicubic": {"b": 5.0}})["ours"].to_baseline is None


def test_values_that_are_not_there_are_left_out():
    rows = rows_of({"ours": {"a": 1.0, "b": None, "c": math.nan}, "bicubic": {"a": None}})
    assert rows["ours"].patients == 1
    assert "bicubic" not in rows


def test_a_score_without_patients_has_no_interval():
    distances = {"ours": {"FID-VGG": 3.0}, "bicubic": {"FID-VGG": 5.0}}
    ours = summarise(results({"ours": {}, "bicubic": {}}, perception=distances))[0]
    assert (ours.value.mean, ours.to_baseline.mean, ours.patients, ours.best) == (3.0, -2.0, 0, True)
    assert math.isnan(ours.value.lower)
    assert math.isnan(ours.to_baseline.upper)


def test_without_a_known_direction_nothing_is_best():
    assert not any(row.best for row in rows_of(FOUR, "a score of tomorrow").values())
