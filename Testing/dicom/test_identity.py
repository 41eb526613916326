"""Who the patient is stands in the series and nowhere else."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread

from ctsgan import workflow
from ctsgan.cli import main
from dicom.ct_series import store_series

SECRETS = ("secret-id", "secret^name", "secret")


def _damage(folder: Path, keyword: str, value: object) -> None:
    dataset = dcmread(folder / "002")
    setattr(dataset, keyword, value)
    dataset.save_as(folder / "002")


DAMAGES = {
    "none": lambda folder: None,
    "cut short": lambda folder: (folder / "002").write_bytes((folder / "002").read_bytes()[:-900]),
    "another patient": lambda folder: _damage(folder, "PatientName", "Other^Secret"),
    "another study": lambda folder: _damage(folder, "StudyInstanceUID", "1.2.3"),
    "a slice twice": lambda folder: _damage(
        folder, "ImagePositionPatient", dcmread(folder / "003").ImagePositionPatient
    ),
    "no CT": lambda folder: _damage(folder, "Modality", "MR"),
    "a name out of form": lambda folder: _damage(folder, "PatientBirthDate", "of Secret^Name"),
}


@pytest.mark.filterwarnings("ignore:Invalid value for VR")
@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("option", [[], ["--anonymize"]], ids=["named", "anonymous"])
def test_it_is_in_no_message_log_or_name_of_a_file(
    slices: list[Dataset], tmp_path: Path, capfd, caplog, monkeypatch, damage: str, option: list[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    source = store_series(slices, tmp_path / "source")
    DAMAGES[damage](source)
    caplog.clear()
    names = []
    compute = workflow.enhance_volume

    def watched(*arguments):
        names.extend(path.name for path in tmp_path.rglob("*"))
        return compute(*arguments)

    monkeypatch.setattr(workflow, "enhance_volume", watched)
    arguments = ["enhance", str(source), str(tmp_path / "out"), "--scale", "1", "--roi", "0:40,0:40,:"]
    status = main([*arguments, "--progress", "slicer", *option])
    assert status == (0 if damage in ("none", "a name out of form") else 1)
    assert bool(names) == (status == 0)
    said = capfd.readouterr()
    everything = [said.out, said.err, caplog.text, *names, *(path.name for path in tmp_path.rglob("*"))]
    assert [line for line in everything if any(secret in line.lower() for secret in SECRETS)] == []
