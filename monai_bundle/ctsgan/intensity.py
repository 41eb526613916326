"""Between Hounsfield units and the networks' range.

CT numbers are whole Hounsfield units of 12 bits and more. The networks see the 12-bit range
[-1024, 3071] HU as [0, 1); everything here is affine, so nothing is lost on the way.
"""

from __future__ import annotations

import numpy as np
import torch

HU_MIN = -1024.0
HU_MAX = 3071.0
HU_STEPS = 4096.0
"""The 12-bit range of CT numbers: air outside the patient to the upper end of most scanners' scale."""


def whole_hu(values: np.ndarray) -> np.ndarray:
    """Whole HU within [-1024, 3071], as a file would hold them; any shape, int16."""
    return np.clip(np.rint(values), HU_MIN, HU_MAX).astype(np.int16)


def to_network_range(hu: torch.Tensor) -> torch.Tensor:
    """Hounsfield units to the networks' range: (HU + 1024) / 4096, any shape, not clipped."""
    return (hu - HU_MIN) / HU_STEPS


def from_network_range(values: torch.Tensor) -> torch.Tensor:
    """The inverse of :func:`to_network_range`: the networks' range back to Hounsfield units."""
    return values * HU_STEPS + HU_MIN
