"""A real CT series, and small ones that are cut from its slices."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from pydicom import Dataset

from dicom.ct_series import cut_slices


@pytest.fixture(scope="session")
def real_series(clinical_series: Path) -> Path:
    """20 slices of 512 x 512 in lossless JPEG 2000, anonymised: study, series and instance UIDs are empty."""
    return clinical_series


@pytest.fixture
def slices(real_series: Path) -> list[Dataset]:
    """See :func:`dicom.ct_series.cut_slices`; a copy that a test may change."""
    return copy.deepcopy(list(cut_slices()))
