"""Measured once: what is kept, and what makes it be measured again."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from ctsgan.errors import CTError
from ctsgan.evaluation.measure import BOX, Ready, Store, disagreement, enhanced, measure_pair, prepare
from ctsgan.evaluation.methods import Method, Unavailable
from ctsgan.evaluation.pairs import degraded_pairs


@pytest.fixture
def pairs(abdomen, clinical_volume):
    volume = replace(clinical_volume, voxels=abdomen)
    return list(degraded_pairs(volume, "a.nii", "portable", 2, range(3)))


def counting(identity="first", name="bicubic", **options):
    """A method that repeats pixels and counts how often it is asked."""
    calls = SimpleNamespace(enhanced=0)

    def enhance(low, spacing_mm):
        calls.enhanced += 1
        return low.repeat(2, axis=0).repeat(2, axis=1)

    return Ready(name, identity, enhance, **options), calls


def measured(path, pairs, method, groups=("fidelity",)):
    with Store(path) as store:
        return [measure_pair(pair, [method], groups, store) for pair in pairs]


def test_what_was_measured_is_not_measured_again(pairs, tmp_path):
    path = tmp_path / "out" / "measured.jsonl"
    method, calls = counting()
    first = measured(path, pairs[:2], method)
    assert calls.enhanced == 2
    method, calls = counting()
    assert measured(path, pairs, method)[:2] == first
    assert calls.enhanced == 1


@pytest.mark.parametrize("change", ["weights", "input", "preset"])
def test_it_is_measured_again_where_its_result_may_differ(pairs, tmp_path, change):
    path = tmp_path / "measured.jsonl"
    measured(path, pairs, counting()[0])
    method, calls = counting("other weights" if change == "weights" else "first")
    if change == "input":
        pairs = [replace(pair, low=pair.low + np.int16(1)) for pair in pairs]
    if change == "preset":
        pairs = [replace(pair, preset="area") for pair in pairs]
    measured(path, pairs, method)
    assert calls.enhanced == 3


def test_another_group_of_scores_is_measured_beside_the_first(pairs, tmp_path):
    path = tmp_path / "measured.jsonl"
    (before,) = measured(path, pairs[:1], counting()[0])
    method, calls = counting()
    (both,) = measured(path, pairs[:1], method, ("fidelity", "honesty"))
    assert calls.enhanced == 1
    assert both["bicubic"]["scores"] == before["bicubic"]["scores"] | {
        "contradiction": both["bicubic"]["scores"]["contradiction"]
    }


@pytest.mark.parametrize("torn", ['["fidelity", "bicu', '["fidelity", "bicubic", "x2"]\n'])
def test_a_line_that_was_not_finished_costs_that_line_alone(pairs, tmp_path, torn):
    path = tmp_path / "measured.jsonl"
    before = measured(path, pairs[:2], counting()[0])
    whole = path.read_text()
    path.write_text(whole + torn)
    method, calls = counting()
    after = measured(path, pairs, method)
    assert after[:2] == before
    assert calls.enhanced == 1
    # and what is added stands on a line of its own
    method, calls = counting()
    measured(path, pairs, method)
    assert calls.enhanced == 0


def test_the_kept_scores_are_json(pairs, tmp_path):
    path = tmp_path / "measured.jsonl"
    measured(path, pairs[:1], counting()[0])
    (line,) = path.read_text().splitlines()
    key, identity, value = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert key == ["fidelity", "bicubic", "portable", "x2", "a.nii", "0"]
    assert identity.startswith("first ")
    assert value["scores"]["PSNR soft"] > 10


def test_a_method_that_cannot_be_had_is_named_with_its_reason():
    def refuse(scale, preset):
        raise Unavailable("no weights")

    methods = {
        "absent": Method((2,), refuse, lambda scale, preset: ""),
        "here": Method((2,), lambda scale, preset: lambda low, spacing_mm: low, lambda scale, preset: "v1"),
    }
    found = prepare(methods, "area", 2, {})
    assert found["absent"] == "no weights"
    assert found["here"].identity == "v1"


def test_one_network_serves_all_presets():
    loaded = []
    method = Method((2,), lambda scale, preset: loaded.append(preset), lambda scale, preset: "v1")
    shared = {}
    for preset in ("area", "portable"):
        prepare({"m": method}, preset, 2, shared)
    assert loaded == ["area"]


def test_a_method_that_makes_another_size_is_refused(pairs):
    with pytest.raises(CTError, match="leave it out"):
        enhanced(Ready("same", "", lambda low, spacing_mm: low), pairs[0])


def test_the_square_of_disagreement_holds_what_was_painted():
    image = np.zeros((300, 280), np.int16)
    painted = image.copy()
    painted[200:230, 40:60] = 100
    value, row, column = disagreement(painted, image, np.ones(image.shape, bool))
    assert value == pytest.approx(100 * 30 * 20 / BOX**2, rel=1e-3)
    assert row <= 200 <= 230 <= row + BOX
    assert column <= 40 <= 60 <= column + BOX
    assert disagreement(painted, image, np.zeros(image.shape, bool))[0] == 0
