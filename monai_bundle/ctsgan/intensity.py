"""Between Hounsfield units, the network's range and linear attenuation.

CT numbers are whole Hounsfield units of 12 bits and more. The networks see the 12-bit range
[-1024, 3071] HU as [0, 1); everything here is affine, so nothing is lost on the way.
"""

from __future__ import annotations

import torch

HU_MIN = -1024.0
HU_MAX = 3071.0
HU_STEPS = 4096.0
"""The 12-bit range of CT numbers: air outside the patient to the upper end of most scanners' scale."""

MU_WATER = 0.0192
"""Linear attenuation of water in 1/mm at about 70 keV (NIST XCOM), near the mean energy of a 120 kVp beam."""


def to_network_range(hu: torch.Tensor) -> torch.Tensor:
    """Hounsfield units to the networks' range: (HU + 1024) / 4096, any shape, not clipped."""
    return (hu - HU_MIN) / HU_STEPS


def from_network_range(values: torch.Tensor) -> torch.Tensor:
    """The inverse of :func:`to_network_range`: the networks' range back to Hounsfield units."""
    return values * HU_STEPS + HU_MIN


def to_attenuation(hu: torch.Tensor) -> torch.Tensor:
    """Linear attenuation in 1/mm from Hounsfield units: mu = mu_water (1 + HU / 1000)."""
    return MU_WATER * (1.0 + hu / 1000.0)
