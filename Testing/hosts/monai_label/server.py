"""A MONAI Label server that is started as its users start it."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

APP = Path(__file__).resolve().parents[3] / "Applications/MONAILabel/app"

START_S = 180
"""Seconds; most of it is Python that loads MONAI."""


@dataclass(frozen=True)
class Server:
    """A running server.

    Args:
        url: such as http://127.0.0.1:8000.
        folder: with ``app`` (a copy of ours), ``studies`` and ``temporary``, where it puts what it sends.
        python: of its environment, which has the client that Slicer's module has.
        environment: of its process.
    """

    url: str
    folder: Path
    python: Path
    environment: dict[str, str]

    @property
    def log(self) -> str:
        """What it logged, in the file that its users read."""
        return (self.folder / "app/logs/app.log").read_text(encoding="utf-8")

    def info(self) -> dict:
        """What it offers."""
        with urllib.request.urlopen(f"{self.url}/info/", timeout=30) as answer:
            return json.load(answer)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def started(python: Path, environment: dict[str, str], folder: Path, *conf: str) -> Iterator[Server]:
    """The app, copied into ``folder``, on a free loopback port with the studies of ``folder``."""
    shutil.copytree(APP, folder / "app", ignore=shutil.ignore_patterns("bin", "lib", "logs", "model", "__pycache__"))
    (folder / "temporary").mkdir()
    port = _free_port()
    environment = {
        **environment,
        "TMPDIR": str(folder / "temporary"),
        "MONAI_LABEL_SESSION_PATH": str(folder / "sessions"),
    }
    command = [python, "-m", "monailabel.main", "start_server", "--app", folder / "app"]
    command += ["--studies", folder / "studies", "--host", "127.0.0.1", "--port", str(port), *conf]
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(command, env=environment, cwd=folder, stdout=output, stderr=output)
    server = Server(f"http://127.0.0.1:{port}", folder, python, environment)
    try:
        _wait_for(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(server: Server, process: subprocess.Popen) -> None:
    end = time.monotonic() + START_S
    while time.monotonic() < end and process.poll() is None:
        with suppress(OSError):
            server.info()
            return
        time.sleep(0.5)
    pytest.fail(f"the server did not start:\n{(server.folder / 'output.txt').read_text()[-3000:]}")


def curl(server: Server, path: str, output: Path, parameters: dict, *options: str) -> int:
    """POST to the server as its users do from a shell; gives the HTTP status."""
    command = ["curl", "--silent", "--show-error", "--output", output, "--write-out", "%{http_code}"]
    command += ["--request", "POST", "--form", f"params={json.dumps(parameters)}", *options, server.url + path]
    return int(subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout)
