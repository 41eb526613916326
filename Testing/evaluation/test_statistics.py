"""Patients count, not slices."""

import numpy as np
import pytest

from ctsgan.evaluation.statistics import bootstrap, patient_means, patients


def test_the_interval_of_patients_who_are_all_alike_is_a_point():
    assert bootstrap([2.5] * 7) == (2.5, 2.5, 2.5)
    with pytest.raises(ValueError, match="no patient"):
        bootstrap([])


def test_the_interval_contains_the_mean_and_narrows_with_patients():
    values = np.random.default_rng(3).normal(size=400)
    mean, lower, upper = bootstrap(values)
    assert mean == pytest.approx(values.mean())
    assert lower < mean < upper
    # the standard error of the mean says how wide it is
    assert upper - lower == pytest.approx(2 * 1.96 / 20, rel=0.2)
    few = bootstrap(values[:20])
    assert few[2] - few[1] > upper - lower


def test_a_patient_counts_once_however_many_slices_there_are():
    scores = {"a1": [1.0] * 50, "a2": [3.0] * 50, "b": [10.0, float("nan")], "c": [float("nan")]}
    means = patient_means(scores, {"a1": "a", "a2": "a", "b": "b", "c": "c"})
    assert means == {"a": 2.0, "b": 10.0}


def test_patients_come_from_the_manifest_above(tmp_path):
    folder = tmp_path / "val"
    folder.mkdir()
    assert patients(folder, ["x.nii.gz"]) == {"x.nii.gz": "x.nii.gz"}
    (tmp_path / "MANIFEST.csv").write_text("file,patient\nval/x.nii.gz,A\nval/y.nii.gz,A\n")
    assert patients(folder, ["x.nii.gz", "y.nii.gz", "z.nii.gz"]) == {
        "x.nii.gz": "A",
        "y.nii.gz": "A",
        "z.nii.gz": "z.nii.gz",
    }


def test_files_of_one_name_in_two_folders_are_two_patients(tmp_path):
    files = ["a/ct.nii.gz", "b/ct.nii.gz"]
    assert patients(tmp_path, files) == {file: file for file in files}
    (tmp_path / "MANIFEST.csv").write_text("file,patient\nval/a/ct.nii.gz,A\nval/b/ct.nii.gz,B\n")
    assert patients(tmp_path, files) == {"a/ct.nii.gz": "A", "b/ct.nii.gz": "B"}
    assert patients(tmp_path, ["c/ct.nii.gz"]) == {"c/ct.nii.gz": "c/ct.nii.gz"}


def test_a_manifest_of_something_else_is_passed_over(tmp_path):
    (tmp_path / "MANIFEST.csv").write_text("part,price\nscrew,1\n")
    assert patients(tmp_path, ["ct.nii.gz"]) == {"ct.nii.gz": "ct.nii.gz"}
