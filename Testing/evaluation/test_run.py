"""``ctsgan evaluate`` as its users type it."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.bundle import create_workflow

from ctsgan.cli import SCORES, main
from ctsgan.evaluation.methods.download import FOLDER_VARIABLE
from ctsgan.evaluation.methods.interpolation import bicubic
from ctsgan.evaluation.scores import DIRECTIONS, GROUPS
from ctsgan.filters import footprint_mean
from ctsgan.metrics import body_mask, psnr

ROOT = Path(__file__).resolve().parents[2]
CHEAP = ["--scale", "2", "--preset", "area", "--methods", "nearest", "ctsgan light", "--scores", "fidelity"]


def evaluate(*arguments):
    return main(["evaluate", *map(str, arguments)])


def results_of(out):
    def refuse(name):
        pytest.fail(f"{name} is not JSON")

    return json.loads((out / "results.json").read_text(), parse_constant=refuse)


@pytest.fixture
def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT / "monai_bundle"), "OMP_NUM_THREADS": "1"}


def test_the_choices_are_the_groups():
    assert SCORES == GROUPS


def test_one_command_leaves_a_report(references, tmp_path, capsys):
    out = tmp_path / "new" / "out"
    assert evaluate(references, out, *CHEAP) == 0
    captured = capsys.readouterr()
    assert captured.out.strip() == str(out / "report.html")
    assert captured.err == ""
    assert (out / "report.html").stat().st_size > 10_000
    results = results_of(out)
    assert results["settings"]["command"].startswith("ctsgan evaluate references out --scale 2 --preset area")
    assert str(tmp_path) not in json.dumps(results)
    assert list(results["methods"]) == ["nearest", "bicubic", "ctsgan light"]
    assert results["methods"]["ctsgan light"]["ours"]
    assert [file["slices"] for file in results["files"]] == [2, 2, 2]
    for method in results["methods"]:
        scores = results["scores"]["area"][method]
        assert set(scores) <= set(DIRECTIONS)
        assert set(scores["PSNR soft"]) == {"A", "B"}
    with open(out / "scores.csv", newline="") as lines:
        assert any("ctsgan light" in row.values() for row in csv.DictReader(lines))


def test_a_score_is_the_mean_over_a_patients_slices(references, crops, tmp_path):
    assert evaluate(references, tmp_path / "out", *CHEAP) == 0
    found = results_of(tmp_path / "out")["scores"]["area"]["bicubic"]
    expected = []
    for name in ("left.nii.gz", "low.nii.gz"):
        for image in crops[name].voxels:
            low = footprint_mean(torch.from_numpy(image.astype(np.float32)), 2).round().numpy()
            expected.append(psnr(np.rint(bicubic(low, 2)), image, "soft", body_mask(image)))
    assert found["PSNR soft"]["A"] == pytest.approx(np.mean(expected), abs=1e-4)


def test_examples_show_each_method_at_one_place(references, tmp_path):
    from PIL import Image

    out = tmp_path / "out"
    assert evaluate(references, out, *CHEAP) == 0
    results = results_of(out)
    assert {example["file"] for example in results["examples"][:2]} & {"right.nii.gz"}
    for example in results["examples"]:
        first_row, last_row, first_column, last_column = example["box"]
        for method in results["methods"]:
            shown = example["methods"][method]
            image = Image.open(out / shown["image"])
            assert image.mode == "L"
            assert image.size == (2 * (last_column - first_column), 2 * (last_row - first_row))
            assert Image.open(out / shown["difference"]).mode == "RGB"


def test_a_bad_file_is_named_and_left_out(references, tmp_path, capsys):
    (references / "broken.nii.gz").write_bytes(b"not a volume")
    assert evaluate(references, tmp_path / "out", *CHEAP) == 0
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert "broken.nii.gz is left out" in lines[0]
    (entry,) = (file for file in results_of(tmp_path / "out")["files"] if file["skipped"])
    assert (entry["name"], entry["slices"]) == ("broken.nii.gz", 0)


def test_a_run_that_was_killed_goes_on_and_ends_the_same(references, tmp_path, environment):
    command = [sys.executable, "-m", "ctsgan", "evaluate", str(references), str(tmp_path / "out"), *CHEAP]
    process = subprocess.Popen(
        [*command, "--progress", "slicer"],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("<filter-progress>"):
            break
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    process.stdout.close()
    kept = (tmp_path / "out" / "measured.jsonl").read_text().count("\n")
    assert 3 <= kept < 18
    assert not (tmp_path / "out" / "results.json").exists()
    subprocess.run(command, env=environment, check=True, capture_output=True)
    other = [*command[:5], str(tmp_path / "whole"), *CHEAP]
    subprocess.run(other, env=environment, check=True, capture_output=True)
    again, whole = results_of(tmp_path / "out"), results_of(tmp_path / "whole")
    for part in ("methods", "scores", "files", "examples"):
        assert again[part] == whole[part]


def test_measured_pairs_are_compared(references, tmp_path):
    lows = tmp_path / "lows"
    for path in references.glob("*.nii.gz"):
        assert main(["degrade", str(path), str(lows / path.name), "--preset", "area", "--scale", "2"]) == 0
    arguments = ["--methods", "ctsgan light", "--scores", "fidelity"]
    assert evaluate(references, tmp_path / "out", "--paired", lows, *arguments) == 0
    results = results_of(tmp_path / "out")
    assert results["settings"]["scale"] == 2
    assert results["settings"]["paired"] == "lows"
    scores = results["scores"]["paired"]
    assert np.mean(list(scores["ctsgan light"]["PSNR soft"].values())) > np.mean(
        list(scores["bicubic"]["PSNR soft"].values())
    )
    # made by the preset area, they are what that preset makes
    assert evaluate(references, tmp_path / "same", *CHEAP) == 0
    assert results_of(tmp_path / "same")["scores"]["area"]["bicubic"] == scores["bicubic"]


def test_all_that_can_be_measured_at_once(clinical_volume, clinical_series, tmp_path):
    """On whole slices, so that nothing is too small for its score."""
    out = tmp_path / "out"
    arguments = ["--scale", "2", "--preset", "portable", "--methods", "bilinear", "--limit", "2"]
    assert evaluate(clinical_series, out, *arguments) == 0
    results = results_of(out)
    for method in ("bilinear", "bicubic"):
        assert set(results["scores"]["portable"][method]) == set(DIRECTIONS) - {"FID-VGG"}
        assert results["perception"]["portable"][method]["FID-VGG"] > 0
        assert results["physics"][method]["numbers"]["noise"] > 0
        assert results["honesty"][method]["numbers"]
        assert results["cost"][method]["ratio"] > 0
    assert "step RMSE" in results["physics"]["bilinear"]["numbers"]


def refused(capsys, *arguments):
    assert evaluate(*arguments) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("ctsgan: ")
    return lines[0]


def test_errors_are_one_sentence_and_leave_nothing(references, tmp_path, capsys):
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    assert "no CT volume" in refused(capsys, empty, out)
    assert "there is no folder" in refused(capsys, tmp_path / "none", out)
    assert "--get-peers" in refused(capsys)
    assert "folder for the report" in refused(capsys, references)
    assert "nothing to mend" in refused(capsys, references, out, "--scale", "1", "--preset", "area")
    assert "choose one of the two" in refused(capsys, references, out, "--paired", references, "--preset", "area")
    assert "no method 'magic'" in refused(capsys, references, out, "--methods", "magic")
    assert "no model 'heavy'" in refused(capsys, references, out, "--model", "heavy")
    for path in references.glob("*.nii.gz"):
        path.write_bytes(b"")
    assert "can be measured" in refused(capsys, references, out)
    assert not out.exists()


def test_an_output_that_is_a_file_is_refused(references, tmp_path, capsys):
    out = tmp_path / "out"
    out.write_bytes(b"precious")
    assert "choose another output folder" in refused(capsys, references, out, *CHEAP)
    assert out.read_bytes() == b"precious"


def test_peers_that_cannot_be_fetched_are_one_sentence_each(tmp_path, monkeypatch, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "file" / "peers"))
    assert evaluate("--get-peers") == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert "files could not be downloaded" in lines[-1]
    assert all(line.startswith("ctsgan: ") for line in lines)


def test_missing_peers_are_named_and_the_rest_is_measured(references, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "nothing"))
    arguments = ["--scale", "2", "--preset", "area", "--methods", "SPAN-48", "--scores", "fidelity", "--limit", "1"]
    assert evaluate(references, tmp_path / "out", *arguments) == 0
    assert "SPAN-48 is left out" in capsys.readouterr().err
    results = results_of(tmp_path / "out")
    assert "--get-peers" in results["methods"]["SPAN-48"]["missing"]
    assert list(results["scores"]["area"]) == ["bicubic"]


def test_the_bundle_gives_the_same(references, tmp_path):
    assert evaluate(references, tmp_path / "cli", *CHEAP) == 0
    configs = [str(ROOT / "monai_bundle/configs" / f"{name}.json") for name in ("inference", "evaluate")]
    workflow = create_workflow(
        workflow_type="infer",
        config_file=configs,
        logging_file=False,
        bundle_root=str(ROOT / "monai_bundle"),
        dataset_dir=str(references),
        output_dir=str(tmp_path / "bundle"),
        scale=2,
        presets=["area"],
        methods=["nearest", "ctsgan light"],
        scores=["fidelity"],
        progress="none",
    )
    workflow.run()
    bundle, cli = results_of(tmp_path / "bundle"), results_of(tmp_path / "cli")
    assert {**bundle["settings"], "command": ""} == {**cli["settings"], "command": ""}
    for part in ("methods", "scores", "files", "examples"):
        assert bundle[part] == cli[part]
