"""``ctsgan view`` as its users start it, and its page in a real browser."""

from __future__ import annotations

import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

SAMPLE = Path(__file__).resolve().parents[3] / "CTsGANEnhance/Resources/SampleData/abdomen.nrrd"

START_S = 120

SETTLED_S = 1.5
"""A picture of a view that has not changed for so long is taken as the last one."""


@dataclass(frozen=True)
class View:
    """A running server, its page, and the folder that its runs put their files in."""

    process: subprocess.Popen
    page: object
    runs: Path

    def picture(self, side: str) -> np.ndarray:
        """What the left or right view shows once it has settled, grey, inside of what lies over it."""
        image = self.page.locator("img.image-display-area").nth(0 if side == "left" else 1)
        before, since = None, time.monotonic()
        deadline = since + 60
        while time.monotonic() < deadline:
            now = _grey(image.screenshot())[80:-80, 60:-60]
            if before is None or now.shape != before.shape or np.abs(now - before).max() > 0:
                before, since = now, time.monotonic()
            elif time.monotonic() - since > SETTLED_S:
                return now
            time.sleep(0.1)
        pytest.fail(f"the {side} view never settles")

    def wait_for_time(self) -> None:
        """Until the speed has been tried: that, too, has a worker and files."""
        script = "document.querySelector('.forecast').innerText.includes('Time: about')"
        self.page.wait_for_function(script, timeout=60_000)

    def wait_for_message(self, start: str, seconds: float = 120) -> None:
        script = "start => document.querySelector('.message').innerText.startsWith(start)"
        self.page.wait_for_function(script, arg=start, timeout=1000 * seconds)


def _grey(png: bytes) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(BytesIO(png)).convert("L")).astype(int)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def opened(python: Path, environment: dict[str, str], chromium: object, folder: Path) -> Iterator[View]:
    """The server with the extension's sample, and its page.

    Args:
        python: of its environment.
        environment: of its process.
        chromium: a browser of Playwright's.
        folder: empty, for its files.
    """
    (folder / "runs").mkdir()
    port = _free_port()
    command = [python, "-m", "ctsgan", "view", SAMPLE, "--port", str(port), "--no-browser"]
    environment = {**environment, "TMPDIR": str(folder / "runs")}
    with (folder / "output.txt").open("w") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        _wait_for(port, process, folder / "output.txt")
        page = chromium.new_page(viewport={"width": 1400, "height": 700})
        page.goto(f"http://127.0.0.1:{port}")
        page.wait_for_selector(".enhance", timeout=60_000)
        yield View(process, page, folder / "runs")
        page.close()
    finally:
        process.kill()
        process.wait(30)


def _wait_for(port: int, process: subprocess.Popen, output: Path) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5):
            return
        time.sleep(0.2)
    pytest.fail(f"the server did not start:\n{output.read_text()[-3000:]}")
