"""`ctsgan pacs` against a real archive: a study is found, fetched, enhanced and stored back, by every protocol."""

from __future__ import annotations

import copy
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import JPEG2000Lossless

from ctsgan.cli import main
from ctsgan.dicom import read_series
from dicom.ct_series import cut_slices, store_series
from dicom.validators import errors
from pacs.processes import Orthanc, python_environment, wait_for

WAYS = ("C-GET", "C-MOVE", "DICOMweb")

QUIET = ["--scale", "2", "--progress", "none"]


def address(way: str, orthanc: Orthanc, credentials: Path) -> list[str]:
    if way == "DICOMweb":
        return ["--url", orthanc.web, "--credentials", str(credentials)]
    move = ["--move-port", str(orthanc.listener_port)] if way == "C-MOVE" else []
    return ["--aet", "ARCHIVE", "--port", str(orthanc.dicom_port), *move]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("which", ["study", "accession"])
def test_the_series_in_the_archive_is_that_of_the_command_line(
    orthanc: Orthanc, credentials: Path, tmp_path: Path, way: str, which: str, capfd
) -> None:
    slices = copy.deepcopy(cut_slices()[:3])
    for dataset in slices:
        dataset.AccessionNumber = "A77"
    source = store_series(slices, tmp_path / "source", *([JPEG2000Lossless] if which == "accession" else []))
    orthanc.upload(source)
    study = ["--study", slices[0].StudyInstanceUID] if which == "study" else ["--accession", "A77"]
    command = [*study, *address(way, orthanc, credentials)]
    assert main(["pacs", "find", *command]) == 0
    assert main(["pacs", "enhance", *command, *QUIET]) == 0
    assert main(["enhance", str(source), str(tmp_path / "expected"), *QUIET]) == 0
    (found,) = orthanc.enhanced()
    result = orthanc.fetch(found, tmp_path / "result")
    volume, expected = read_series(result), read_series(tmp_path / "expected")
    np.testing.assert_array_equal(volume.voxels, expected.voxels)
    np.testing.assert_array_equal(volume.affine, expected.affine)
    files = sorted(result.iterdir())
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID", "AccessionNumber"):
        assert {dcmread(file)[keyword].value for file in files} == {slices[0][keyword].value}
    assert [line for file in files for line in errors("dciodvfy", [file])] == []
    assert errors("dcentvfy", [*source.iterdir(), *files]) == []
    said = "".join(capfd.readouterr())
    assert "3 images stored" in said
    assert "secret" not in said.lower()


def test_enhanced_series_are_not_enhanced_again(orthanc: Orthanc, credentials: Path, tmp_path: Path, capfd) -> None:
    orthanc.upload(store_series(cut_slices()[:3], tmp_path / "source"))
    command = ["pacs", "enhance", "--study", cut_slices()[0].StudyInstanceUID, *address("C-GET", orthanc, credentials)]
    assert main([*command, *QUIET]) == 0
    assert main([*command, *QUIET]) == 0
    assert "left alone, it was made by CTsGANEnhance" in capfd.readouterr().out
    assert len(orthanc.enhanced()) == 2  # of two calls, one each


@pytest.mark.parametrize(("end", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_who_ends_it_leaves_nothing_of_the_patient_behind(
    orthanc: Orthanc, credentials: Path, tmp_path: Path, end: signal.Signals, status: int
) -> None:
    orthanc.upload(store_series(cut_slices(), tmp_path / "source"))
    work = tmp_path / "temporary"
    work.mkdir()
    command = [sys.executable, "-m", "ctsgan", "pacs", "enhance", "--study", cut_slices()[0].StudyInstanceUID]
    command += [*address("C-GET", orthanc, credentials), "--scale", "4", "--threads", "1"]
    # a shell that starts the tests in the background lets them, and what they start, ignore Ctrl-C
    restore = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    environment = python_environment() | {"TMPDIR": str(work)}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, preexec_fn=restore)
    wait_for(lambda: list(work.glob("ctsgan-*/source/*")))
    process.send_signal(end)
    said = process.communicate(timeout=30)[1]
    assert process.returncode == status
    assert b"cancelled" in said
    assert list(work.glob("ctsgan-*")) == []


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        # the refusal itself is lost where Orthanc closes the connection right behind it
        (["--aet", "ELSEWHERE", "--port", "{dicom}"], "check title, host, port and TLS"),
        (["--aet", "ARCHIVE", "--port", "{free}"], "does not answer"),
        (["--url", "{web}"], "HTTP status 401; check the credentials"),
        (["--url", "http://127.0.0.1:{free}/dicom-web"], "does not answer"),
        (["--aet", "ARCHIVE", "--port", "{dicom}", "--series", "77"], "no series 77 among the 1 CT series"),
        (["--aet", "ARCHIVE", "--url", "{web}"], "or by --url"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    orthanc: Orthanc, tmp_path: Path, wrong: list[str], sentence: str, capfd
) -> None:
    orthanc.upload(store_series(cut_slices()[:3], tmp_path / "source"))
    known = {"dicom": orthanc.dicom_port, "free": orthanc.listener_port, "web": orthanc.web}
    options = [word.format(**known) for word in wrong]
    command = ["pacs", "enhance", "--study", cut_slices()[0].StudyInstanceUID, *options, *QUIET]
    assert main(command) == 1
    said = capfd.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert sentence in said[0]
    assert orthanc.enhanced() == []
