"""The slice of real CT that the operators and chains are tried on."""

import numpy as np
import pytest
import torch


@pytest.fixture(scope="session")
def whole(clinical_volume):
    """One slice of 512 x 512 in HU, (1, H, W)."""
    return torch.from_numpy(clinical_volume.voxels[9:10].astype(np.float32))
