"""The CSV files hold what the results hold."""

import csv

import numpy as np
import pytest


def read(path):
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def test_scores_are_all_there(results, report):
    rows = read(report.with_name("scores.csv"))
    for method, scores in results["scores"]["area"].items():
        for score, patients in scores.items():
            mine = {row["patient"]: row["value"] for row in rows if (row["method"], row["score"]) == (method, score)}
            assert mine == {patient: "" if value is None else str(value) for patient, value in patients.items()}
    assert {row["preset"] for row in rows} == {"area"}


def test_summary_is_of_the_scores(results, report):
    scores = results["scores"]["area"]
    row = next(
        row
        for row in read(report.with_name("summary.csv"))
        if (row["method"], row["score"]) == ("sharpened", "PSNR soft")
    )
    mine, base = (np.array(list(scores[name]["PSNR soft"].values())) for name in ("sharpened", "bicubic"))
    assert float(row["mean"]) == pytest.approx(mine.mean())
    assert float(row["minus baseline mean"]) == pytest.approx((mine - base).mean())
    # of three values, none of a bootstrap's means lies beyond them
    assert mine.min() <= float(row["lower"]) < float(row["mean"]) < float(row["upper"]) <= mine.max()


def test_what_has_no_interval_has_empty_fields(report):
    rows = [row for row in read(report.with_name("summary.csv")) if row["score"] == "FID-VGG"]
    assert {row["mean"] for row in rows} == {"10.0", "11.0", "12.0", "13.0", "14.0"}
    assert {row["lower"] for row in rows} == {row["minus baseline upper"] for row in rows} == {""}


def test_numbers_of_physics_honesty_and_cost(results, report):
    rows = {(row["section"], row["method"], row["name"]): row["value"] for row in read(report.with_name("numbers.csv"))}
    assert rows["physics", "bicubic", "noise"] == str(results["physics"]["bicubic"]["numbers"]["noise"])
    assert rows["physics", "bicubic", "NPS peak"] == ""
    assert rows["honesty", "bicubic", "invented"] == str(results["honesty"]["bicubic"]["numbers"]["invented"])
    assert rows["cost", "bicubic", "seconds_a_slice"] == str(results["cost"]["bicubic"]["seconds_a_slice"])
    assert ("cost", "bicubic", "growth") not in rows
