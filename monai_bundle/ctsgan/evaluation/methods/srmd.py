"""SRMD, super-resolution for several degradations (Zhang et al., CVPR 2018), in two uses.

The network is given, beside the picture, 15 numbers that describe the blur and one for the noise.

- ``SRMD``: as its ncnn program ships it, told that the picture was reduced bicubically and has no noise.
- ``SRMD told``: given blur and noise of the protocol, which nobody knows of a patient's CT. The 15 numbers are the
  blur kernel projected on the authors' matrix, which no package carries (a matrix computed anew from Gaussian
  kernels spans another space): it is fetched from their repository.
"""

from __future__ import annotations

import io
import re

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ...intensity import HU_MAX, HU_MIN
from . import ncnn
from .download import SRMD, SRMD_KERNELS, member, stored
from .method import Enhance, Method, Unavailable, package_version, through_pictures

KERNEL = 15
"""Edge of the blur kernel in pixels of the sharp image."""

KNOWN = {"portable": (0.6, 12.0)}
"""Protocols that SRMD can be told: standard deviation of the blur in reduced pixels, and of the noise in HU. Footprint
or bicubic reduction alone have no blur to be told of: the footprint's fall towards the highest frequency is about
that of the bicubic reduction, which the network takes for granted."""


class Srmd(nn.Module):
    """Twelve convolutions and a pixel shuffle. Grey (B, 1, H, W) to (B, 1, scale H, scale W).

    Args:
        convolutions: weight and bias of each.
        description: 15 numbers for the blur and, unless the network is the one without noise, one for the noise.
        scale: of the pixel shuffle.
    """

    def __init__(
        self, convolutions: list[tuple[torch.Tensor, torch.Tensor]], description: torch.Tensor, scale: int
    ) -> None:
        super().__init__()
        self.scale = scale
        self.weights = nn.ParameterList(weight for weight, _ in convolutions)
        self.biases = nn.ParameterList(bias for _, bias in convolutions)
        self.register_buffer("description", description.reshape(1, -1, 1, 1))

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        maps = self.description.expand(len(grey), -1, *grey.shape[-2:])
        features = torch.cat([grey.expand(-1, 3, -1, -1), maps], dim=1)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            features = F.relu(F.conv2d(features, weight, bias, padding=1))
        features = F.conv2d(features, self.weights[-1], self.biases[-1], padding=1)
        return F.pixel_shuffle(features, self.scale).mean(dim=1, keepdim=True)


def bicubic_description() -> torch.Tensor:
    """The 15 numbers of the bicubic reduction, which stand in the text of the program's first shader."""
    program = member(SRMD, ".so")
    text = re.search(rb"degradation_vector\[15\] = float\[15\]\(([^)]*)\)", program).group(1).decode()
    return torch.tensor([float(number) for number in text.split(",")])


def gaussian_kernel(sigma: float) -> np.ndarray:
    """A Gaussian of ``sigma`` pixels on 15 x 15 pixels; a single one for 0."""
    positions = np.arange(KERNEL) - KERNEL // 2
    taps = np.exp(-0.5 * (positions / sigma) ** 2) if sigma > 0 else (positions == 0).astype(float)
    kernel = np.outer(taps, taps)
    return kernel / kernel.sum()


def gaussian_description(sigma: float) -> torch.Tensor:
    """The 15 numbers of a Gaussian blur of ``sigma`` pixels of the sharp image, followed by a bicubic reduction."""
    from scipy.io import loadmat

    matrix = loadmat(io.BytesIO(stored(SRMD_KERNELS).read_bytes()))["P"]
    return torch.from_numpy(matrix @ gaussian_kernel(sigma).ravel()).float()


def network(name: str, scale: int, description: torch.Tensor) -> Srmd:
    """``srmd`` (with noise) or ``srmdnf`` (without)."""
    path = f"models-srmd/{name}_x{scale}"
    weights = ncnn.read_model(member(SRMD, f"{path}.param"), member(SRMD, f"{path}.bin"))
    return Srmd(list(weights.values()), description, scale)


def _prepare(scale: int, preset: str) -> Enhance:
    return through_pictures(network("srmdnf", scale, bicubic_description()), scale)


def _prepare_told(scale: int, preset: str) -> Enhance:
    if preset not in KNOWN:
        raise Unavailable(f"there is nothing to tell SRMD about {preset}")
    sigma, noise_hu = KNOWN[preset]
    description = torch.cat([gaussian_description(sigma * scale), torch.tensor([noise_hu / (HU_MAX - HU_MIN)])])
    return through_pictures(network("srmd", scale, description), scale)


METHODS = {
    "SRMD": Method(
        scales=(2, 4),
        prepare=_prepare,
        identity=lambda scale, preset: f"{SRMD.sha256[:16]} bicubic, without noise",
        licence=SRMD.licence,
    ),
    "SRMD told": Method(
        scales=(2, 4),
        prepare=_prepare_told,
        identity=lambda scale, preset: f"{SRMD.sha256[:16]} {KNOWN.get(preset)} {package_version('scipy')}",
        licence=f"{SRMD.licence}; matrix {SRMD_KERNELS.licence}",
        told=True,
    ),
}
