"""What the service takes at its two doors, DIMSE and STOW-RS, and what it refuses; over TLS as well."""

from __future__ import annotations

import dataclasses
import json
import logging
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path

import pytest
import trustme
from pydicom import dcmread
from pynetdicom import AE, build_context

from ctsgan.cli import main
from ctsgan.errors import CTError
from ctsgan_pacs.dicomweb import WebArchive, WebNode
from ctsgan_pacs.dimse import DimseArchive, Node, offered_contexts
from ctsgan_pacs.security import Tls, read_authorization
from ctsgan_pacs.service import ServiceSettings
from dicom.ct_series import store_series
from pacs.conftest import LIMITS
from pacs.processes import wait_for
from pacs.series import small_series, small_slices

BOUNDARY = "this-is-between"


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def send(settings: ServiceSettings, files: list[Path], title: str = "CTSGAN", caller: str = "SENDER") -> None:
    DimseArchive(Node(title, "127.0.0.1", settings.port, caller)).store(files, lambda file: None)


def web(settings: ServiceSettings, **more: object) -> WebArchive:
    return WebArchive(WebNode(f"http://127.0.0.1:{settings.web_port}/dicom-web", **more))


def post(settings: ServiceSettings, body: bytes, kind: str = "application/dicom", **headers: str) -> tuple[int, bytes]:
    """Status and body of a STOW-RS request as curl would send it."""
    request = urllib.request.Request(f"http://127.0.0.1:{settings.web_port}/dicom-web/studies", body)
    request.add_header("Content-Type", f'multipart/related; type="{kind}"; boundary={BOUNDARY}')
    for name, value in headers.items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def body_of(*parts: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return b"".join(head + part + b"\r\n" for part in parts) + f"--{BOUNDARY}--\r\n".encode()


def asked(settings: ServiceSettings, path: str) -> dict:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.web_port}{path}", timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


@pytest.mark.parametrize("way", ["C-STORE", "STOW-RS"])
def test_a_series_is_enhanced_as_by_the_command_line_and_sent_on_once(
    serving, sink, tmp_path: Path, way: str, caplog, capfd
) -> None:
    caplog.set_level(logging.INFO)
    settings = serving()
    folder = small_series(tmp_path / "source", 3)
    if way == "C-STORE":
        send(settings, files_of(folder))
    else:
        web(settings).store(files_of(folder), lambda file: None)
    wait_for(lambda: asked(settings, "/health")["series"]["sent"] == 1)
    assert main(["enhance", str(folder), str(tmp_path / "expected"), "--scale", "1", "--progress", "none"]) == 0
    expected = {image.InstanceNumber: image for image in map(dcmread, files_of(tmp_path / "expected"))}
    assert Counter(sink.sent.values()) == {1: 3}
    for image in sink.images:
        wanted = expected[image.InstanceNumber]
        assert image.PixelData == wanted.PixelData
        for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "ImagePositionPatient", "PixelSpacing"):
            assert image[keyword] == wanted[keyword]
    said = caplog.text + "".join(capfd.readouterr())
    assert "series 1 is sent" in said
    assert "secret" not in said.lower()


class TestDimse:
    def test_who_calls_another_title_is_rejected(self, serving, tmp_path: Path) -> None:
        with pytest.raises(CTError, match="rejected us"):
            send(serving(), files_of(small_series(tmp_path / "source", 1)), title="SOMEONE")

    def test_who_is_not_on_the_list_of_callers_is_rejected(self, serving, tmp_path: Path) -> None:
        settings = serving(callers=("SCANNER",))
        files = files_of(small_series(tmp_path / "source", 1))
        with pytest.raises(CTError, match="rejected us"):
            send(settings, files)
        send(settings, files, caller="SCANNER")

    def test_no_room_is_said_and_the_image_is_not_taken(self, serving, tmp_path: Path) -> None:
        settings = serving(limits=dataclasses.replace(LIMITS, reserve_bytes=2**62))
        with pytest.raises(CTError, match="0xA700"):
            send(settings, files_of(small_series(tmp_path / "source", 1)))
        state = asked(settings, "/health")
        assert state["status"] == "full"
        assert state["series"]["waiting"] == 0

    def test_a_damaged_image_is_refused_and_the_others_are_taken(self, serving, sink, tmp_path: Path) -> None:
        settings = serving()
        files = files_of(small_series(tmp_path / "source", 1))
        broken = dcmread(files[0])
        broken.PixelData = broken.PixelData[:-200]
        broken.SOPInstanceUID = broken.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
        broken.save_as(tmp_path / "broken")
        with pytest.raises(CTError, match="0xC000"):
            send(settings, [tmp_path / "broken", *files])
        send(settings, files)
        wait_for(lambda: asked(settings, "/health")["series"]["sent"] == 1)
        assert len(sink.images) == 3

    def test_an_image_larger_than_allowed_ends_the_association(self, serving, tmp_path: Path) -> None:
        settings = serving(limits=dataclasses.replace(LIMITS, instance_bytes=100_000))
        files = files_of(small_series(tmp_path / "source", 1))
        huge = dcmread(files[0])
        huge.Rows, huge.Columns, huge.PixelData = 1024, 1024, bytes(2 * 1024 * 1024)
        huge.save_as(tmp_path / "huge")
        with pytest.raises(CTError, match="ended the association"):
            send(settings, [tmp_path / "huge"])
        send(settings, files)

    def test_other_images_find_no_open_door(self, serving) -> None:
        settings = serving()
        association = AE("SENDER").associate(
            "127.0.0.1", settings.port, [build_context("1.2.840.10008.5.1.4.1.1.4")], "CTSGAN"
        )
        assert not association.accepted_contexts
        association.release()

    def test_an_aborted_series_waits_until_its_sender_has_come_again(self, serving, sink, tmp_path: Path) -> None:
        settings = serving()
        slices = small_slices(2, count=4)
        association = AE("SENDER").associate("127.0.0.1", settings.port, offered_contexts(), "CTSGAN")
        for image in slices[:2]:
            image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
            assert association.send_c_store(image).Status == 0
        association.abort()
        wait_for(lambda: asked(settings, "/health")["series"]["waiting"] == 1)
        with pytest.raises(AssertionError):
            wait_for(lambda: sink.images, 2.0)
        send(settings, files_of(store_series(slices, tmp_path / "again")))
        wait_for(lambda: asked(settings, "/health")["series"]["sent"] == 1)
        assert len(sink.images) == 4


class TestStow:
    def test_the_answer_names_what_was_stored_and_counts_what_was_not(self, serving, tmp_path: Path) -> None:
        settings = serving()
        first, second, third = (path.read_bytes() for path in files_of(small_series(tmp_path / "source", 1)))
        status, answer = post(settings, body_of(first, b"no image", third))
        assert status == 202
        answer = json.loads(answer)
        assert len(answer["00081199"]["Value"]) == 2
        assert len(answer["00081198"]["Value"]) == 1
        assert post(settings, body_of(b"no image"))[0] == 409
        assert post(settings, body_of(second))[0] == 200

    def test_credentials_are_asked_for(self, serving, tmp_path: Path) -> None:
        (tmp_path / "door").write_text("reader:opens\n")
        (tmp_path / "token").write_text("Bearer abc\n")
        settings = serving(authorization=read_authorization(tmp_path / "door"))
        files = files_of(small_series(tmp_path / "source", 1))
        for wrong in (None, read_authorization(tmp_path / "token")):
            with pytest.raises(CTError, match="401; check the credentials"):
                web(settings, authorization=wrong).store(files, lambda file: None)
        web(settings, authorization=read_authorization(tmp_path / "door")).store(files, lambda file: None)
        assert asked(settings, "/health")["series"]["waiting"] == 1

    def test_no_room_is_told_with_a_time_to_come_again(self, serving, tmp_path: Path) -> None:
        settings = serving(limits=dataclasses.replace(LIMITS, reserve_bytes=2**62))
        status, _ = post(settings, body_of(files_of(small_series(tmp_path / "source", 1))[0].read_bytes()))
        assert status == 503

    @pytest.mark.parametrize(
        ("body", "kind", "status"),
        [
            (body_of(b"1" * 200_000), "application/dicom", 413),
            (body_of(b"1" * 2000)[:-40], "application/dicom", 400),
            (b"no multipart at all", "application/dicom", 400),
            (b"", "application/dicom", 400),
            (body_of(b"x"), "application/dicom+json", 415),
        ],
    )
    def test_a_body_that_is_none_is_refused_and_leaves_nothing(
        self, serving, body: bytes, kind: str, status: int
    ) -> None:
        settings = serving(limits=dataclasses.replace(LIMITS, instance_bytes=100_000))
        assert post(settings, body, kind)[0] == status
        assert list((settings.folder / "incoming").iterdir()) == []

    def test_health_and_metrics_count_series_and_name_nobody(self, serving, sink, tmp_path: Path) -> None:
        settings = serving()
        send(settings, files_of(small_series(tmp_path / "source", 8)))
        wait_for(lambda: asked(settings, "/health")["series"]["sent"] == 1)
        with urllib.request.urlopen(f"http://127.0.0.1:{settings.web_port}/metrics") as answer:
            text = answer.read().decode()
        assert 'ctsgan_pacs_series{state="sent"} 1\n' in text
        assert "ctsgan_pacs_instances 3\n" in text
        assert "secret" not in text.lower()
        assert not any(image.SeriesInstanceUID in text for image in sink.images)


class TestTls:
    @pytest.fixture
    def authority(self, tmp_path: Path) -> trustme.CA:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        for name in ("server", "client"):
            certificate = authority.issue_cert("127.0.0.1", "localhost")
            certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / f"{name}.pem")
        return authority

    def tls(self, folder: Path, name: str | None) -> Tls:
        own = folder / f"{name}.pem" if name else None
        return Tls(own, own, folder / "authority.pem")

    def test_both_doors_want_a_certificate_and_show_theirs(self, serving, authority, sink, tmp_path: Path) -> None:
        settings = serving(tls=self.tls(tmp_path, "server"))
        series = [files_of(small_series(tmp_path / f"source{number}", number)) for number in (1, 2)]
        for name, succeeds in ((None, False), ("client", True)):
            tls = self.tls(tmp_path, name)
            archives = [
                DimseArchive(Node("CTSGAN", "127.0.0.1", settings.port, tls=tls)),
                WebArchive(WebNode(f"https://127.0.0.1:{settings.web_port}/dicom-web", tls=tls)),
            ]
            for archive, files in zip(archives, series, strict=True):
                if succeeds:
                    archive.store(files, lambda file: None)
                    continue
                with pytest.raises(CTError):
                    archive.store(files, lambda file: None)
        wait_for(lambda: len(sink.images) == 6)
        plain = DimseArchive(Node("CTSGAN", "127.0.0.1", settings.port))
        with pytest.raises(CTError):
            plain.store(series[0], lambda file: None)

    def test_a_server_that_another_authority_vouches_for_gets_nothing(self, serving, authority, tmp_path: Path) -> None:
        settings = serving(tls=self.tls(tmp_path, "server"))
        trustme.CA().cert_pem.write_to_path(tmp_path / "authority.pem")
        files = files_of(small_series(tmp_path / "source", 1))
        for archive in (
            DimseArchive(Node("CTSGAN", "127.0.0.1", settings.port, tls=self.tls(tmp_path, "client"))),
            WebArchive(WebNode(f"https://127.0.0.1:{settings.web_port}/dicom-web", tls=self.tls(tmp_path, "client"))),
        ):
            with pytest.raises(CTError):
                archive.store(files, lambda file: None)

    def test_files_that_are_no_certificates_are_said_so(self, tmp_path: Path) -> None:
        (tmp_path / "none.pem").write_text("nothing")
        with pytest.raises(CTError, match="PEM"):
            Tls(tmp_path / "none.pem", tmp_path / "none.pem").server()
        with pytest.raises(CTError, match="--tls-certificate"):
            Tls().server()
