"""A real CT series, and small ones that are cut from its slices."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from pydicom import Dataset

from dicom.ct_series import SERIES, cut_slices


@pytest.fixture(scope="session")
def real_series() -> Path:
    """20 slices of 512 x 512 in lossless JPEG 2000, anonymised: study, series and instance UIDs are empty."""
    if not SERIES.is_dir():
        pytest.skip(f"the example CT series is not in {SERIES}")
    return SERIES


@pytest.fixture
def slices(real_series: Path) -> list[Dataset]:
    """See :func:`dicom.ct_series.cut_slices`; a copy that a test may change."""
    return copy.deepcopy(list(cut_slices()))
