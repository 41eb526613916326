"""`ctsgan pacs listen` between a real archive and itself: many series at once, and the faults a hospital knows."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pynetdicom import AE

from ctsgan.cli import main
from ctsgan.dicom import read_series
from ctsgan.errors import CTError
from ctsgan_pacs.dimse import DimseArchive, Node, offered_contexts
from dicom.ct_series import store_series
from dicom.validators import errors
from pacs.processes import Orthanc, Service, running, wait_for
from pacs.series import small_series, small_slices

SERIES = 20

LONG_S = 120.0


@pytest.fixture
def service(orthanc: Orthanc, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Service]:
    """Receives as CTSGAN and sends to the archive; its parameter is options beside the usual ones."""
    destination, options = ["--aet", "ARCHIVE", "--port", orthanc.dicom_port], getattr(request, "param", ())
    with running(Service(tmp_path / "service", destination, *options, port=orthanc.listener_port)) as service:
        yield service


def until_taken(send: Callable[[], object]) -> None:
    """As an archive's own queue does: once more, until it is taken."""
    while True:
        try:
            send()
            return
        except (OSError, CTError):
            time.sleep(0.3)


def entries(service: Service) -> list[tuple]:
    """The series in the queue's database."""
    with sqlite3.connect(service.folder / "queue" / "queue.sqlite") as database:
        return database.execute("SELECT uid, state FROM series").fetchall()


def require_all_once(orthanc: Orthanc, service: Service, sources: list[Path], folder: Path) -> None:
    """Every source has one enhanced series in the archive, of as many images and with the command line's pixels."""
    made = orthanc.enhanced()
    assert Counter(len(one["Instances"]) for one in made) == {3: len(sources)}
    by_patient = {orthanc.ask(f"/series/{one['ID']}/patient")["MainDicomTags"]["PatientID"]: one for one in made}
    assert sorted(by_patient) == sorted(dcmread(path / "000").PatientID for path in sources)
    assert Counter(state for _, state in entries(service)) == {"sent": len(sources)}
    assert list((service.folder / "queue" / "series").iterdir()) == []
    for source in sources[::7]:
        result = orthanc.fetch(by_patient[dcmread(source / "000").PatientID], folder / f"result-{source.name}")
        expected = folder / f"expected-{source.name}"
        assert main(["enhance", str(source), str(expected), "--scale", "1", "--progress", "none"]) == 0
        np.testing.assert_array_equal(read_series(result).voxels, read_series(expected).voxels)
        files = sorted(result.iterdir())
        assert [line for file in files for line in errors("dciodvfy", [file])] == []
        assert errors("dcentvfy", [*source.iterdir(), *files]) == []
    assert "secret" not in service.said().lower()


@pytest.fixture
def sources(orthanc: Orthanc, tmp_path: Path) -> list[Path]:
    """Series of as many patients, in the archive."""
    folders = [small_series(tmp_path / f"source{number:02d}", number) for number in range(SERIES)]
    for folder in folders:
        orthanc.upload(folder)
    return folders


# killed between a series' last acknowledgement and its sender's goodbye, the service waits for the sender so long
@pytest.mark.parametrize("service", [("--abandon", 30)], indirect=True)
def test_twenty_series_at_once_with_kills_in_the_middle(
    orthanc: Orthanc, service: Service, sources: list[Path], tmp_path: Path
) -> None:
    ids = [one["ID"] for one in orthanc.series()]
    senders = [
        threading.Thread(target=until_taken, args=(lambda one=one: orthanc.ask("/modalities/ctsgan/store", one),))
        for one in ids
    ]
    started = time.monotonic()
    for sender in senders:
        sender.start()
    for moment in (5, 12):  # some are received then; some are enhanced, or sent
        wait_for(lambda moment=moment: _progressed(service, moment), LONG_S)
        service.kill()
        service.start()
    for sender in senders:
        sender.join(LONG_S)
        assert not sender.is_alive()
    wait_for(lambda: service.done(sent=SERIES), LONG_S)
    seconds = time.monotonic() - started
    require_all_once(orthanc, service, sources, tmp_path)
    print(f"\n{SERIES} series of 3 x 48 x 48, two kills: {seconds:.1f} s")


def _progressed(service: Service, moment: int) -> bool:
    counts = service.health()["series"]
    return counts["sent"] + counts["enhanced"] >= moment - 4 and sum(counts.values()) >= moment


def test_the_archive_is_stopped_and_started(
    orthanc: Orthanc, service: Service, sources: list[Path], tmp_path: Path
) -> None:
    for one in [one["ID"] for one in orthanc.series()]:
        orthanc.ask("/modalities/ctsgan/store", one)
    wait_for(lambda: service.health()["series"]["sent"] >= 3, LONG_S)
    orthanc.stop()
    wait_for(lambda: service.done(waiting=0), LONG_S)
    assert service.health()["series"]["enhanced"] > 0
    orthanc.start()
    wait_for(lambda: service.done(sent=SERIES), LONG_S)
    require_all_once(orthanc, service, sources, tmp_path)
    assert "is sent later" in service.said()


def test_broken_images_and_aborted_associations_stop_nobody_else(
    orthanc: Orthanc, service: Service, tmp_path: Path
) -> None:
    def sender() -> DimseArchive:
        return DimseArchive(Node("CTSGAN", "127.0.0.1", service.port, "SCANNER"))

    good = [small_series(tmp_path / f"good{number}", number) for number in range(3)]
    for number in range(5):
        aborted = AE("SCANNER").associate("127.0.0.1", service.port, offered_contexts(), "CTSGAN")
        image = small_slices(10 + number)[0]
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        assert aborted.send_c_store(image).Status == 0
        broken = small_slices(20 + number)[0]
        broken.PixelData = broken.PixelData[: 48 * number]
        broken.file_meta.MediaStorageSOPInstanceUID = broken.SOPInstanceUID
        assert aborted.send_c_store(broken).Status == 0xC000
        aborted.abort()
    gap = small_slices(30, count=5)
    del gap[2]
    sender().store(sorted(store_series(gap, tmp_path / "gap").iterdir()), lambda file: None)
    for folder in good:
        sender().store(sorted(folder.iterdir()), lambda file: None)
    wait_for(lambda: service.done(sent=3, refused=1), LONG_S)
    assert service.health()["series"]["waiting"] == 5  # the aborted ones wait to be sent again
    assert len(orthanc.enhanced()) == 3
    said = service.said()
    assert "slices are missing" in said
    assert said.count("left without goodbye") == 5
    assert "secret" not in said.lower()


def test_a_stopped_service_ends_well_and_a_second_one_is_kept_out(
    orthanc: Orthanc, service: Service, tmp_path: Path
) -> None:
    other = Service(tmp_path / "service", ["--aet", "ARCHIVE", "--port", orthanc.dicom_port])
    other.log = tmp_path / "other.log"
    with pytest.raises(AssertionError):
        other.start()
    assert "another service works in" in other.said()
    assert service.stop() == 0
    assert "Traceback" not in service.said()


def test_series_go_by_dicomweb_in_both_directions(orthanc: Orthanc, credentials: Path, tmp_path: Path) -> None:
    destination = ["--url", orthanc.web, "--credentials", credentials, "--own-credentials", credentials]
    with running(Service(tmp_path / "service", destination)) as service:
        user, password = credentials.read_text().strip().split(":")
        servers = {"ctsgan": [f"{service.web}/dicom-web/", user, password]}
        again = Orthanc(tmp_path / "second", DicomWeb={"Enable": True, "Root": "/dicom-web/", "Servers": servers})
        with running(again):
            source = small_series(tmp_path / "source", 4)
            again.upload(source)
            resources = [one["ID"] for one in again.series()]
            again.ask("/dicom-web/servers/ctsgan/stow", {"Resources": resources, "Synchronous": True})
            wait_for(lambda: service.done(sent=1))
        require_all_once(orthanc, service, [source], tmp_path)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MiB in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("this user may not mount a small disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize("reserve", ["0", "0.001"], ids=["to the last byte", "with a reserve"])
def test_a_full_disk_holds_senders_back_and_loses_nothing(
    orthanc: Orthanc, small_disk: Path, tmp_path: Path, reserve: str
) -> None:
    sources = [small_series(tmp_path / f"source{number:02d}", number) for number in range(12)]
    destination = ["--aet", "ARCHIVE", "--port", orthanc.dicom_port]

    def send(folder: Path) -> None:
        archive = DimseArchive(Node("CTSGAN", "127.0.0.1", service.port, "SCANNER"))
        archive.store(sorted(folder.iterdir()), lambda file: None)

    service = Service(small_disk / "service", destination, "--reserve", reserve)
    service.log = tmp_path / "service.log"  # which has room
    with running(service):
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(shutil.disk_usage(small_disk).free - int(float(reserve) * 2**30) - 300_000))
        senders = [threading.Thread(target=until_taken, args=(lambda one=one: send(one),)) for one in sources]
        for sender in senders:
            sender.start()
        wait_for(lambda: "is refused: the disk" in service.said(), LONG_S)
        ballast.unlink()
        for sender in senders:
            sender.join(LONG_S)
        wait_for(lambda: service.done(sent=len(sources)), LONG_S)
        require_all_once(orthanc, service, sources, tmp_path)
