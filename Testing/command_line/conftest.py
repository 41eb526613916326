"""Small real volumes on disk for the command line."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctsgan.geometry import cropped_affine
from ctsgan.io.files import write_volume
from ctsgan.volume import Volume


@pytest.fixture(scope="session")
def small_volume(clinical_volume: Volume) -> Volume:
    """Three slices of 64 x 48 pixels of the clinical CT where they really lie."""
    voxels = np.ascontiguousarray(clinical_volume.voxels[8:11, 200:264, 150:198])
    affine = cropped_affine(clinical_volume.affine, (150, 200, 8))
    return replace(clinical_volume, voxels=voxels, affine=affine, header={}, source=None)


@pytest.fixture
def small_file(small_volume: Volume, tmp_path: Path) -> Path:
    path = tmp_path / "small.nii.gz"
    write_volume(small_volume, path)
    return path
