"""Real files in every kind that can be sent, and the web app's service and server."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

from ctsgan.io.files import write_volume
from ctsgan.volume import Volume
from ctsgan_web.limits import Limits
from ctsgan_web.service import Service
from hosts.web.server import Server, started

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WEB_APP = Path(__file__).resolve().parents[3] / "Applications/WebApp"

MEMORY = 6 * 10**9


@pytest.fixture(scope="session")
def slab(clinical_volume: Volume) -> Volume:
    """Three slices of 96 x 80 pixels of the clinical CT."""
    voxels = np.ascontiguousarray(clinical_volume.voxels[8:11, 200:296, 150:230])
    return replace(clinical_volume, voxels=voxels, header={}, source=None)


@pytest.fixture(scope="session")
def soft_picture(clinical_volume: Volume) -> np.ndarray:
    """A slice of 128 x 160 pixels in the soft-tissue window as grey values 0 to 255, uint8."""
    return np.clip((clinical_volume.voxels[10, 180:308, 150:310] + 160) * (255 / 400), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def files(slab: Volume, series: Path, soft_picture: np.ndarray, tmp_path_factory) -> dict[str, Path]:
    """One file of each kind that can be sent, by its suffix; ``.dcm`` is the folder of a series."""
    folder = tmp_path_factory.mktemp("files")
    made = {suffix: folder / f"slab{suffix}" for suffix in (".nii.gz", ".nrrd", ".mha", ".tif")}
    for path in made.values():
        write_volume(slab, path)
    colour = np.stack([soft_picture, soft_picture // 2, 255 - soft_picture], axis=-1)
    pictures = {".png": soft_picture, ".jpg": colour, "16.png": soft_picture.astype(np.uint16) * 16}
    for name, pixels in pictures.items():
        made[name] = folder / f"picture{name}"
        Image.fromarray(pixels).save(made[name])
    made[".zip"] = folder / "series.zip"
    with zipfile.ZipFile(made[".zip"], "w") as archive:
        for path in sorted(series.iterdir()):
            archive.write(path, f"a/b/{path.name}")
        archive.writestr("a/readme.txt", "slices of a CT")
    return {**made, ".dcm": series}


def service_environment(patch: pytest.MonkeyPatch) -> None:
    """Processes that a service of this process starts find the web app, and take one thread."""
    patch.setenv("PYTHONPATH", os.pathsep.join([str(WEB_APP), str(WEB_APP.parents[1] / "monai_bundle")]))
    patch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def new_service(monkeypatch) -> Iterator[Callable[..., Service]]:
    """Makes services; all are closed afterwards."""
    service_environment(monkeypatch)
    made = []

    def make(memory_bytes: int = MEMORY, **limits: float) -> Service:
        made.append(Service(Limits(memory_bytes=memory_bytes, **limits)))
        return made[-1]

    yield make
    for service in made:
        service.close()


@pytest.fixture(scope="session")
def server(host_python, tmp_path_factory) -> Iterator[Server]:
    """A running server."""
    with started(host_python("web"), tmp_path_factory.mktemp("kept")) as running:
        yield running


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Page]:
    """An empty page of a new visitor, which must ask for nothing of other servers, and meet no error."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    asked, said = [], []
    page.on("request", lambda call: asked.append(call.url))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if "Content Security Policy" in message.text else None)
    yield page
    context.close()
    elsewhere = [url for url in asked if not re.match(r"http://127\.0\.0\.1:|data:|blob:", url)]
    assert elsewhere == []
    assert said == []
