"""Hosts run as their users run them: as programs, each in an environment of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ctsgan.dicom import read_series
from ctsgan.volume import Volume
from dicom.ct_series import cut_slices, store_series
from hosts.environments import ENVIRONMENTS, process_environment


@pytest.fixture(scope="session")
def host_python() -> Callable[[str], Path]:
    """From a host's name to its Python; the test is skipped where it is not set up."""

    def find(host: str) -> Path:
        if not (ENVIRONMENTS / host / ".installed").is_file():
            pytest.skip(f"the environment of {host} is not set up; `make hosts` does it")
        return ENVIRONMENTS / host / "bin/python"

    return find


@pytest.fixture(scope="session")
def host_environment() -> dict[str, str]:
    """Of a host's process; one thread."""
    return {**process_environment(), "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three neighbouring slices of 128 x 128 real pixels as a DICOM series."""
    return store_series(cut_slices()[:3], tmp_path_factory.mktemp("series"))


@pytest.fixture(scope="session")
def series_volume(series: Path) -> Volume:
    return read_series(series)
