"""The plain HTTP interface of a running server."""

from __future__ import annotations

import io
import json
import socket
import time
import urllib.error
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ctsgan.cli import main
from ctsgan.io.files import read_volume, write_volume
from ctsgan.volume import Volume
from hosts.web.server import Server, ask, post, started, told


def job_state(server: Server, identity: str) -> dict:
    return told(ask(server, f"/jobs/{identity}"))


def until(server: Server, identity: str, condition, seconds: float = 120) -> dict:
    """The first state of a job that meets a condition."""
    end = time.monotonic() + seconds
    while not condition(state := job_state(server, identity)):
        assert time.monotonic() < end, state
        time.sleep(0.1)
    return state


def expected(source: Path, folder: Path, *options: str) -> Volume:
    """What the command line makes of it."""
    target = folder / ("expected" if source.is_dir() else f"expected{''.join(source.suffixes)}")
    assert main(["enhance", str(source), str(target), "--progress", "none", *options]) == 0
    return read_volume(target)


def refused(server: Server, path: str = "/", **headers: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(server, path, **headers)
    return caught.value.code


@pytest.fixture
def long_file(slab: Volume, tmp_path: Path) -> Path:
    """A volume that takes minutes."""
    path = tmp_path / "long.nii.gz"
    write_volume(Volume(np.tile(slab.voxels, (40, 4, 4)), slab.affine), path)
    return path


def test_a_file_in_gives_the_command_lines_file(server, files, tmp_path):
    status, content, name = post(server, "/enhance", [files[".nii.gz"]], {"scale": 4, "tile": 64})
    assert (status, name) == (200, "slab_x4.nii.gz")
    (tmp_path / name).write_bytes(content)
    got, wanted = read_volume(tmp_path / name), expected(files[".nii.gz"], tmp_path, "--scale", "4")
    np.testing.assert_array_equal(got.voxels, wanted.voxels)
    np.testing.assert_allclose(got.affine, wanted.affine, atol=1e-4)


@pytest.mark.parametrize("kind", [".dcm", ".zip"])
def test_a_series_gives_the_command_lines_series(server, files, tmp_path, kind):
    sent = sorted(files[kind].iterdir()) if kind == ".dcm" else [files[kind]]
    status, content, name = post(server, "/enhance", sent)
    assert status == 200, content
    assert name.endswith("_x2.zip")
    zipfile.ZipFile(io.BytesIO(content)).extractall(tmp_path)
    got, wanted = read_volume(tmp_path / "enhanced"), expected(files[".dcm"], tmp_path)
    np.testing.assert_array_equal(got.voxels, wanted.voxels)
    np.testing.assert_array_equal(got.affine, wanted.affine)


def test_a_volume_of_another_format_comes_back_as_dicom(server, files, tmp_path):
    status, content, name = post(server, "/enhance", [files[".nii.gz"]], {"dicom": "true"})
    assert (status, name) == (200, "slab_x2.zip"), content
    zipfile.ZipFile(io.BytesIO(content)).extractall(tmp_path)
    got, wanted = read_volume(tmp_path / "enhanced"), expected(files[".nii.gz"], tmp_path)
    np.testing.assert_array_equal(got.voxels, wanted.voxels)
    np.testing.assert_allclose(got.affine, wanted.affine, atol=1e-4)


def test_a_picture_does_not_become_dicom(server, files):
    status, content, _ = post(server, "/enhance", [files[".png"]], {"dicom": "true"})
    assert status == 422
    assert "a picture has no HU" in content.decode()


def test_a_job_is_followed_fetched_and_removed(server, files):
    before = len(server.kept())
    status, content, _ = post(server, "/enhance?wait=false", [files[".png"]])
    assert status == 202
    identity = told(content)["id"]
    state = until(server, identity, lambda state: state["state"] == "done")
    assert state["result"]["shape"] == [1, 256, 320]
    assert ask(server, f"/jobs/{identity}/file")[:4] == b"\x89PNG"
    assert len(server.kept()) == before + 1
    ask(server, f"/jobs/{identity}", "DELETE")
    assert len(server.kept()) == before
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(server, f"/jobs/{identity}")


def test_a_job_is_cancelled_and_others_see_their_place(server, long_file, files):
    running = told(post(server, "/enhance?wait=false", [long_file])[1])["id"]
    until(server, running, lambda state: state["step"] == "enhance" and state["seconds_left"])
    waiting = told(post(server, "/enhance?wait=false", [files[".nrrd"]])[1])["id"]
    until(server, waiting, lambda state: state["step"] == "enhance" and state["place"] == 1)
    started_at = time.monotonic()
    assert told(ask(server, f"/jobs/{running}", "DELETE"))["state"] == "cancelled"
    assert time.monotonic() - started_at < 2
    until(server, waiting, lambda state: state["state"] == "done")
    ask(server, f"/jobs/{waiting}", "DELETE")


def test_a_client_that_goes_away_cancels_its_job(server, long_file):
    before = len(server.kept())
    host, port = server.url.removeprefix("http://").split(":")
    content = long_file.read_bytes()
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.nii.gz"\r\n\r\n' + content + b"\r\n--x--\r\n"
    )
    head = f"POST /enhance HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: multipart/form-data; boundary=x\r\n"
    with socket.create_connection((host, int(port))) as client:
        client.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        end = time.monotonic() + 60
        while len(server.kept()) == before:
            assert time.monotonic() < end
            time.sleep(0.1)
        time.sleep(3)
    end = time.monotonic() + 10
    while len(server.kept()) > before:
        assert time.monotonic() < end, "its files are still there"
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"scale": 3}, "model light is not offered for x3"),
        ({"scale": "two"}, "scale cannot be 'two'"),
        ({"strength": "high", "model": "ctsgan", "scale": 4}, "has no second-stage weights"),
        ({"model": "../x"}, "there is no model '../x'"),
        ({"tile": 1}, "tile must be 16 pixels or more"),
        ({"fidelity_mm": "900"}, "fidelity is a width in mm"),
        ({"device": "cuda"}, "there is no setting 'device'"),
        ({"force": "maybe"}, "force cannot be 'maybe'"),
    ],
)
def test_a_setting_that_is_not_offered_is_refused(server, files, fields, sentence):
    before = len(server.kept())
    status, content, _ = post(server, "/enhance", [files[".nrrd"]], fields)
    assert status == 422
    assert sentence in told(content)["detail"]
    assert len(server.kept()) == before


def test_a_bad_file_is_refused_and_nothing_is_kept(server, tmp_path):
    before = len(server.kept())
    (tmp_path / "chest.nii.gz").write_bytes(b"no volume")
    status, content, _ = post(server, "/enhance", [tmp_path / "chest.nii.gz"])
    assert status == 422
    assert told(content)["detail"].startswith("chest.nii.gz is damaged")
    assert len(server.kept()) == before


def test_one_visitors_id_opens_nothing_of_anothers(server, files):
    identity = told(post(server, "/enhance?wait=false", [files[".nrrd"]])[1])["id"]
    until(server, identity, lambda state: state["state"] == "done")
    for path in ("", "x/file", "/slices/..%2Frequest/0", "/slices/request/0", "/slices/after/99", "/slices/after/-1"):
        other = identity if path.startswith("/") else identity[:-1]
        assert refused(server, f"/jobs/{other}{path}") in (400, 404)
    slice_bytes = ask(server, f"/jobs/{identity}/slices/after/0")
    assert len(slice_bytes) == 192 * 160 * 2
    ask(server, f"/jobs/{identity}", "DELETE")


def test_the_openapi_page_comes_from_this_server(server):
    interface = json.loads(ask(server, "/openapi.json"))
    assert set(interface["paths"]) == {"/enhance", "/jobs/{identity}", "/jobs/{identity}/file"}
    form = interface["paths"]["/enhance"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert {"file", "scale", "strength", "model", "tile"} <= set(form["properties"])
    assert b"//cdn" not in ask(server, "/docs")


def test_the_server_loads_no_pytorch(server):
    assert "libtorch" not in Path(f"/proc/{server.process.pid}/maps").read_text()


def test_only_pages_of_this_server_are_answered(server):
    assert refused(server, Origin="http://evil.example") == 403
    assert refused(server, Host="evil.example") == 403
    assert ask(server, "/", Origin=server.url)


def test_more_than_may_be_sent_is_refused_before_it_is_sent(server):
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as client:
        client.sendall(f"POST /enhance HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: 99999999999\r\n\r\n".encode())
        assert b"413" in client.recv(1000)


def test_elsewhere_an_access_token_is_needed(host_python, files, tmp_path):
    with started(host_python("web"), tmp_path / "kept", "--host", "0.0.0.0") as server:
        token = server.address.split("token=")[1]
        assert len(token) >= 24
        assert refused(server) == 401
        assert refused(server, "/jobs/x", Authorization="Bearer wrong") == 401
        assert post(server, "/enhance", [files[".nrrd"]])[0] == 401
        assert refused(server, "/jobs/x", Authorization=f"Bearer {token}") == 404
        assert b"<html" in ask(server, "/", Cookie=f"ctsgan_token={token}").lower()


def test_nothing_is_left_when_the_server_ends(host_python, long_file, tmp_path):
    with started(host_python("web"), tmp_path / "kept") as server:
        identity = told(post(server, "/enhance?wait=false", [long_file])[1])["id"]
        until(server, identity, lambda state: state["step"] == "enhance" and state["state"] == "running")
        assert server.kept()
    assert list((tmp_path / "kept").glob("ctsgan-web-*")) == []
