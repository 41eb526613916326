"""The web app's server, started as its users start it."""

from __future__ import annotations

import json
import re
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hosts.environments import process_environment

WEB_APP = Path(__file__).resolve().parents[3] / "Applications/WebApp"

START_S = 120


@dataclass(frozen=True)
class Server:
    """A running server.

    Args:
        address: what it printed, with the token if there is one.
        process: its process.
        folder: where it keeps visitors' files.
    """

    address: str
    process: subprocess.Popen
    folder: Path

    @property
    def url(self) -> str:
        """Such as http://127.0.0.1:8501."""
        return self.address.split("?")[0].rstrip("/")

    def kept(self) -> list[Path]:
        """Folders of visitors."""
        return [path for base in self.folder.glob("ctsgan-web-*") for path in base.iterdir()]


@contextmanager
def started(python: Path, folder: Path, *options: str) -> Iterator[Server]:
    """A server on a free port that keeps its files in ``folder``."""
    folder.mkdir(exist_ok=True)
    environment = process_environment()
    environment["PYTHONPATH"] += f":{WEB_APP}"
    environment |= {"TMPDIR": str(folder), "OMP_NUM_THREADS": "1"}
    command = [python, "-m", "ctsgan_web", "--port", "0", "--memory-gb", "6", *options]
    with (folder / "errors.txt").open("w") as errors:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        line = process.stdout.readline()
        address = re.search(r"http://\S+?(?=;)", line)
        if not address:
            pytest.fail(f"the server did not start: {line}{(folder / 'errors.txt').read_text()[-3000:]}")
        server = Server(address[0], process, folder)
        _wait_for(server)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(server: Server) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        try:
            ask(server, "/_stcore/health")
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail("the server does not answer")


def ask(server: Server, path: str, method: str = "GET", **headers: str) -> bytes:
    """What the server answers."""
    request = urllib.request.Request(
        server.url + path, method=method, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        return answer.read()


def post(server: Server, path: str, files: list[Path], fields: dict[str, Any] | None = None) -> tuple[int, bytes, str]:
    """Send files as a form; gives status, content and the name that the answer's file has."""
    boundary = uuid.uuid4().hex
    body = bytearray()
    for name, value in (fields or {}).items():
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    for file in files:
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{file.name}"\r\n'.encode()
        body += b"Content-Type: application/octet-stream\r\n\r\n" + file.read_bytes() + b"\r\n"
    body += f"--{boundary}--\r\n".encode()
    request = urllib.request.Request(
        server.url + path, data=bytes(body), headers={"Content-Type": f"multipart/form-data; boundary={boundary}"}
    )
    try:
        with urllib.request.urlopen(request, timeout=300) as answer:
            name = re.search(r'filename="?([^";]+)', answer.headers.get("content-disposition", ""))
            return answer.status, answer.read(), name[1] if name else ""
    except urllib.error.HTTPError as error:
        return error.code, error.read(), ""


def told(content: bytes) -> dict[str, Any]:
    """An answer in JSON."""
    return json.loads(content)
