"""The same series through `ctsgan pacs`, by every protocol, with Orthanc: voxels, place, validators, time.

    PYTHONPATH=Testing python Testing/benchmarks/every_archive.py SERIES_FOLDER [--scale 2]

Lines for the table of ``every_host.py``. Times are from the command to its end, with retrieving and storing; that of
the service from the first image it is sent to the last that it has sent.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from pydicom import dcmread
from pydicom.uid import CTImageStorage, generate_uid

from benchmarks.every_host import row, timed
from ctsgan.io.files import read_volume
from dicom.ct_series import REFERENCES
from dicom.validators import errors
from pacs.processes import PASSWORD, USER, Orthanc, Service, free_ports, python_environment, running, wait_for


def with_uids(source: Path, folder: Path) -> Path:
    """The series as an archive takes it: anonymised ones may have lost their UIDs."""
    study, series = generate_uid(), generate_uid()
    folder.mkdir()
    for path in sorted(source.iterdir()):
        image = dcmread(path)
        image.StudyInstanceUID, image.SeriesInstanceUID, image.PatientID = study, series, "1"
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = CTImageStorage
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        for keyword in REFERENCES:
            image.pop(keyword, None)
        image.save_as(folder / path.name)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("series", type=Path)
    parser.add_argument("--scale", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = with_uids(arguments.series, folder / "source")
        study = dcmread(next(source.iterdir())).StudyInstanceUID
        ctsgan = [sys.executable, "-m", "ctsgan"]
        options = ["--scale", arguments.scale]
        seconds = timed([*ctsgan, "enhance", source, folder / "expected", *options], env=python_environment())
        expected = read_volume(folder / "expected")
        print(row("`ctsgan enhance`, DICOM to DICOM", expected, expected, seconds, ""))
        (folder / "credentials").write_text(f"{USER}:{PASSWORD}")
        (port,) = free_ports(1)
        archive = Orthanc(folder / "orthanc", port)
        dimse = ["--aet", "ARCHIVE", "--port", archive.dicom_port]
        web = ["--url", archive.web, "--credentials", folder / "credentials"]
        ways = {"C-GET, C-STORE": dimse, "C-MOVE, C-STORE": [*dimse, "--move-port", port], "DICOMweb": web}

        def show(host: str, seconds: float) -> None:
            (made,) = archive.enhanced()
            result = archive.fetch(made, folder / f"result{len(list(folder.iterdir()))}")
            archive.delete(made)
            files = sorted(result.iterdir())
            invalid = sum(len(errors("dciodvfy", [file])) for file in files)
            found = f"dciodvfy {invalid}, dcentvfy {len(errors('dcentvfy', [*source.iterdir(), *files]))}"
            print(row(host, read_volume(result), expected, seconds, found), flush=True)

        with running(archive):
            archive.upload(source)
            (there,) = archive.series()
            for way, where in ways.items():
                command = [*ctsgan, "pacs", "enhance", "--study", study, *where, *options]
                show(f"`ctsgan pacs enhance`, {way}", timed(command, env=python_environment()))
            with running(Service(folder / "service", dimse, *options, port=port)) as service:
                begun = time.monotonic()
                archive.ask("/modalities/ctsgan/store", there["ID"])
                print(f"received after {time.monotonic() - begun:.2f} s")
                wait_for(lambda: service.health()["series"]["sent"], 600.0)
                show("`ctsgan pacs listen`, C-STORE", time.monotonic() - begun)


if __name__ == "__main__":
    main()
