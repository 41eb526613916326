"""Orthanc, started by the tests on free ports; what needs it is skipped where it is not installed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs.processes import ORTHANC, PASSWORD, PLUGIN, USER, Orthanc, free_ports, running


def require_orthanc() -> None:
    if ORTHANC is None or not PLUGIN.is_file():
        pytest.skip("Orthanc with DICOMweb is not installed; `apt-get install orthanc orthanc-dicomweb` does it")


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    """An empty archive that knows CTSGAN at a free port, its ``listener_port``."""
    require_orthanc()
    with running(Orthanc(tmp_path / "orthanc", free_ports(1)[0])) as archive:
        yield archive


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    path = tmp_path / "credentials"
    path.write_text(f"{USER}:{PASSWORD}\n")
    return path
