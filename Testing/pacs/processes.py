"""The service and archives as processes on free ports of this machine."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

ORTHANC = shutil.which("Orthanc")

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")

USER, PASSWORD = "reader", "opens-the-door"


def python_environment() -> dict[str, str]:
    """Of a Python that finds this checkout first."""
    folders = (ROOT / "monai_bundle", ROOT / "Applications/PACS", ROOT / "Testing")
    return {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(map(str, folders))}


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens at."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(what: Callable[[], object], seconds: float = 20.0) -> Any:
    """What ``what`` gives as soon as that is true of it."""
    deadline = time.monotonic() + seconds
    while True:
        found = what()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds} s"
        time.sleep(0.1)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A program that is started, killed and started again; its words go to a file."""

    def __init__(self, command: Sequence[object], ports: Sequence[int], log: Path) -> None:
        self.command = [str(word) for word in command]
        self.ports, self.log = ports, log

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self.command, stdout=log, stderr=log, env=python_environment())
        wait_for(lambda: self._ended() or all(listens(port) for port in self.ports))
        assert not self._ended(), self.said()

    def _ended(self) -> bool:
        return self._process.poll() is not None

    def kill(self) -> None:
        """As `kill -9`."""
        self._process.kill()
        self._process.wait(30)

    def stop(self) -> int:
        """As an init system stops it; the exit status."""
        if not self._ended():
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(60)

    def said(self) -> str:
        return self.log.read_text(errors="replace")


@contextmanager
def running(process: Process) -> Iterator[Process]:
    process.start()
    try:
        yield process
    finally:
        if not process._ended():
            process.kill()


class Orthanc(Process):
    """Orthanc with DICOMweb, its storage in a folder."""

    def __init__(self, folder: Path, listener_port: int = 1, **more: object) -> None:
        self.listener_port = listener_port
        self.dicom_port, self.http_port = free_ports(2)
        folder.mkdir(parents=True, exist_ok=True)
        settings = {
            "Name": "archive",
            "StorageDirectory": str(folder / "storage"),
            "IndexDirectory": str(folder / "storage"),
            "DicomAet": "ARCHIVE",
            "DicomPort": self.dicom_port,
            "DicomCheckCalledAet": True,
            "DicomModalities": {"ctsgan": ["CTSGAN", "127.0.0.1", listener_port]},
            "HttpPort": self.http_port,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": True,
            "RegisteredUsers": {USER: PASSWORD},
            "OverwriteInstances": False,
            "StableAge": 1,
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
            **more,
        }
        path = folder / "orthanc.json"
        path.write_text(json.dumps(settings))
        super().__init__([ORTHANC, path], [self.dicom_port, self.http_port], folder / "orthanc.log")

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.http_port}/dicom-web"

    def ask(self, path: str, content: object = None) -> Any:
        """An answer of Orthanc's own interface; ``content`` is posted, bytes as they are."""
        data = content if content is None or isinstance(content, bytes) else json.dumps(content).encode()
        kind, body = self._open(path, data)
        return json.loads(body) if "json" in kind else body

    def _open(self, path: str, data: bytes | None = None, method: str | None = None) -> tuple[str, bytes]:
        """Content type and body of an answer."""
        login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        address = f"http://127.0.0.1:{self.http_port}{path}"
        request = urllib.request.Request(address, data, {"Authorization": f"Basic {login}"}, method=method)
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as answer:
            return answer.headers.get("Content-Type", ""), answer.read()

    def delete(self, series: dict[str, Any]) -> None:
        """Remove a series."""
        self._open(f"/series/{series['ID']}", method="DELETE")

    def upload(self, folder: Path) -> None:
        for path in sorted(folder.iterdir()):
            self.ask("/instances", path.read_bytes())

    def series(self) -> list[dict[str, Any]]:
        """Those that are there: their main tags, and ids of instances."""
        return self.ask("/series?expand")

    def enhanced(self) -> list[dict[str, Any]]:
        """Those of :meth:`series` that this program made."""
        return [one for one in self.series() if "enhanced" in one["MainDicomTags"].get("SeriesDescription", "")]

    def fetch(self, series: dict[str, Any], folder: Path) -> Path:
        """The files of a series."""
        folder.mkdir()
        for number, instance in enumerate(series["Instances"]):
            (folder / f"{number:03d}").write_bytes(self.ask(f"/instances/{instance}/file"))
        return folder


class Service(Process):
    """`ctsgan pacs listen`."""

    def __init__(self, folder: Path, destination: Sequence[object], *options: object, port: int | None = None) -> None:
        self.port, self.web_port = free_ports(2)
        self.port = port or self.port
        self.folder = folder
        command = [sys.executable, "-m", "ctsgan", "pacs", "listen", folder / "queue", *destination]
        command += ["--own-port", self.port, "--web-port", self.web_port, "--settle", 1, "--reserve", 0.1]
        command += ["--scale", 1, "--threads", 1, "--device", "cpu", *options]
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(command, [self.port, self.web_port], folder / "service.log")

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    def health(self) -> dict[str, Any]:
        """What /health answers, whatever the status."""
        try:
            with urllib.request.urlopen(f"{self.web}/health", timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)

    def metrics(self) -> dict[str, float]:
        """Numbers by name and labels."""
        with urllib.request.urlopen(f"{self.web}/metrics", timeout=30) as answer:
            lines = answer.read().decode().splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")}

    def done(self, **expected: int) -> bool:
        """Whether as many series as expected have come to each of these states."""
        counts = self.health()["series"]
        return all(counts[state] == count for state, count in expected.items())
