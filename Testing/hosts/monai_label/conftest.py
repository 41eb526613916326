"""A MONAI Label server with our app beside another one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ctsgan.geometry import cropped_affine
from ctsgan.io.files import write_volume
from ctsgan.volume import Volume
from hosts.monai_label.server import Server, started

OTHER_APP = Path(__file__).parent / "other_app"


@pytest.fixture(scope="session")
def slab(clinical_volume: Volume) -> Volume:
    """Three slices of 64 x 48 pixels of the clinical CT, turned by 30 degrees in the patient's coordinates."""
    voxels = np.ascontiguousarray(clinical_volume.voxels[8:11, 200:264, 150:198])
    affine = cropped_affine(clinical_volume.affine, (150, 200, 8))
    cosine, sine = np.cos(np.pi / 6), np.sin(np.pi / 6)
    turn = np.array([[1, 0, 0, 0], [0, cosine, -sine, 0], [0, sine, cosine, 0], [0, 0, 0, 1]])
    return replace(clinical_volume, voxels=voxels, affine=turn @ affine, header={}, source=None)


@pytest.fixture(scope="session")
def server(host_python, host_environment, slab, tmp_path_factory) -> Iterator[Server]:
    """Ours beside another app's model, with the studies ``slab`` and ``broken``."""
    python = host_python("monai_label")
    folder = tmp_path_factory.mktemp("monai_label")
    shutil.copytree(OTHER_APP, folder / "other_app")
    (folder / "studies").mkdir()
    write_volume(slab, folder / "studies/slab.nii.gz")
    (folder / "studies/broken.nii.gz").write_bytes(b"this is no volume")
    with started(python, host_environment, folder, "--conf", "beside", str(folder / "other_app")) as running:
        yield running
