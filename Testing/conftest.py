"""Real CT for every test: the clinical abdomen that ``make data`` gets; and a real browser."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from ctsgan.io.files import read_volume
from ctsgan.volume import Volume

ROOT = Path(__file__).resolve().parent.parent
SERIES = ROOT / "data/totalsegmentator-2.18.0/tests/reference_files/example_ct_dicom"


@pytest.fixture(scope="session")
def clinical_series() -> Path:
    """The folder of a clinical abdomen: 20 DICOM slices of 512 x 512, JPEG 2000 lossless."""
    if not SERIES.is_dir():
        pytest.fail("the clinical CT is missing; run `make data` first")
    return SERIES


@pytest.fixture(scope="session")
def clinical_volume(clinical_series: Path) -> Volume:
    return read_volume(clinical_series)


@pytest.fixture(scope="session")
def abdomen(clinical_volume: Volume) -> np.ndarray:
    """Three slices of 160 x 160 pixels inside the patient, int16 HU."""
    return np.ascontiguousarray(clinical_volume.voxels[8:11, 180:340, 120:280])


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium of the machine; the tests that need one are left out without it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("there is no Chromium here; Debian's package `chromium` is one")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def span_for_photographs():
    """A function from scale and features to mean colour and convolutions as SPAN was published with, but drawn."""
    import torch

    from ctsgan.networks.span import SPANBody

    def drawn(scale, features):
        torch.manual_seed(0)
        convolutions = SPANBody(3, 3, scale, features, 6).convolutions().values()
        return torch.tensor([0.44, 0.43, 0.4]), [(conv.weight.detach(), conv.bias.detach()) for conv in convolutions]

    return drawn
