"""Small reference volumes on disk: crops of the clinical CT where they really lie."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctsgan.geometry import cropped_affine
from ctsgan.io.files import write_volume
from ctsgan.volume import Volume


@pytest.fixture(scope="session")
def crops(clinical_volume: Volume) -> dict[str, Volume]:
    """Two slices of 96 x 112 pixels each, by the name of the file they make."""

    def crop(row: int, column: int, first: int) -> Volume:
        voxels = clinical_volume.voxels[first : first + 2, row : row + 96, column : column + 112]
        affine = cropped_affine(clinical_volume.affine, (column, row, first))
        return replace(clinical_volume, voxels=np.ascontiguousarray(voxels), affine=affine, header={}, source=None)

    return {"left.nii.gz": crop(200, 60, 8), "right.nii.gz": crop(220, 300, 4), "low.nii.gz": crop(260, 180, 12)}


@pytest.fixture
def references(crops: dict[str, Volume], tmp_path: Path) -> Path:
    """Three files of two patients."""
    folder = tmp_path / "references"
    folder.mkdir()
    for name, volume in crops.items():
        write_volume(volume, folder / name)
    rows = "left.nii.gz,A\nright.nii.gz,B\nlow.nii.gz,A\n"
    (folder / "MANIFEST.csv").write_text(f"file,patient\n{rows}")
    return folder
