"""The MONAI Deploy application: a folder with a CT series in, a derived series with the command line's voxels out."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from ctsgan.cli import main
from ctsgan.dicom import read_series
from dicom.ct_series import cut_slices, store_series
from dicom.validators import errors

APPLICATION = Path(__file__).resolve().parents[3] / "Applications/MONAIDeploy/app"

Run = Callable[..., subprocess.CompletedProcess]


@pytest.fixture(scope="module")
def run(host_python, host_environment) -> Run:
    """Start the application as its users do: ``python -m ctsgan_deploy -i SOURCE -o OUT``."""
    python = host_python("monai_deploy")

    def start(source: Path, out: Path, **environment: str) -> subprocess.CompletedProcess:
        out.mkdir(exist_ok=True)
        return subprocess.run(
            [python, "-m", "ctsgan_deploy", "-i", source, "-o", out],
            cwd=APPLICATION,
            env={**host_environment, **environment},
            capture_output=True,
            text=True,
            timeout=300,
        )

    return start


@pytest.fixture(scope="module")
def tilted_series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three slices that a gantry tilted by 15 degrees measured."""
    slices = copy.deepcopy(list(cut_slices()[:3]))
    for dataset in slices:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y + 0.2679 * z, z]
    return store_series(slices, tmp_path_factory.mktemp("tilted"))


@pytest.mark.parametrize("kind", ["series", "tilted_series"])
def test_a_series_becomes_the_series_that_the_command_line_makes(run, kind, request, tmp_path):
    source = request.getfixturevalue(kind)
    done = run(source, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert main(["enhance", str(source), str(tmp_path / "expected"), "--progress", "none"]) == 0
    result, expected = (read_series(tmp_path / name) for name in ("out/enhanced", "expected"))
    np.testing.assert_array_equal(result.voxels, expected.voxels)
    np.testing.assert_array_equal(result.affine, expected.affine)
    written, wanted = (dcmread(sorted((tmp_path / n).iterdir())[0]) for n in ("out/enhanced", "expected"))
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "SeriesDescription", "DerivationDescription"):
        assert written[keyword] == wanted[keyword]
    files = sorted((tmp_path / "out/enhanced").iterdir())
    assert [line for file in files for line in errors("dciodvfy", [file])] == []
    assert errors("dcentvfy", [*source.iterdir(), *files]) == []
    assert "enhance: slice 3 of 3" in done.stdout + done.stderr
    for secret in ("SECRET-ID", "Secret^Name"):
        assert secret not in done.stdout + done.stderr


def test_settings_are_those_of_the_command_line(run, series, tmp_path):
    settings = tmp_path / "mine.yaml"
    settings.write_text("enhance:\n  scale: 1\n  fidelity_mm: 20\n  device: cpu\n")
    done = run(series, tmp_path / "out", HOLOSCAN_CONFIG_PATH=str(settings))
    assert done.returncode == 0, done.stderr
    options = ["--scale", "1", "--fidelity", "20", "--progress", "none"]
    assert main(["enhance", str(series), str(tmp_path / "expected"), *options]) == 0
    result, expected = (read_series(tmp_path / name) for name in ("out/enhanced", "expected"))
    np.testing.assert_array_equal(result.voxels, expected.voxels)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("enhance:\n  sharpness: 3\n", "has no setting sharpness"),
        ("enhance: [\n", "cannot be read"),
        ("enhance:\n  scale: 3\n", "is not offered for x3"),
        ("enhance:\n  series: 77\n", "there is no series 77"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence_and_nothing_is_written(run, series, tmp_path, settings, sentence):
    (tmp_path / "mine.yaml").write_text(settings)
    done = run(series, tmp_path / "out", HOLOSCAN_CONFIG_PATH=str(tmp_path / "mine.yaml"))
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line.startswith("ctsgan: ")]
    assert len(said) == 1
    assert sentence in said[0]
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_a_damaged_slice_leaves_no_half_of_a_series(run, series, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in series.iterdir():
        content = path.read_bytes()
        (broken / path.name).write_bytes(content[:-1000] if path.name == "001" else content)
    done = run(broken, tmp_path / "out")
    assert done.returncode == 1
    assert "ctsgan: the pixel data of 001 is truncated or damaged" in done.stderr
    assert list((tmp_path / "out").iterdir()) == []
