"""What every compared method has in common."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import torch
import torch.nn.functional as F

from ...errors import CTError
from ...intensity import HU_MAX, HU_MIN, whole_hu

Enhance = Callable[[np.ndarray, tuple[float, float]], np.ndarray]
"""One slice (rows, columns) in HU and its (row, column) distance in mm, to (scale rows, scale columns) in HU."""

PINNED = {"opencv-contrib-python-headless": "opencv-contrib-python-headless==4.10.0.84"}
"""Packages of which only one version does what is asked of it."""

BORDER = 10
"""Input pixels by which a slice is continued before a network for photographs sees it, as the ncnn programs do."""


class Unavailable(CTError):
    """A method that cannot be measured here, and why, in one sentence."""


def package_version(name: str) -> str:
    """Name and version of an optional package.

    Raises:
        Unavailable: if it is not installed.
    """
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        raise Unavailable(f"the package {name} is not installed; pip install {PINNED.get(name, name)}") from None


@dataclass(frozen=True)
class Method:
    """A way to enhance a slice.

    Args:
        scales: what it is offered for.
        prepare: from (scale, preset) to the function that enhances; it may load weights. Raises :class:`Unavailable`.
        identity: from (scale, preset) to a text that changes whenever its results may change; cheap. Raises
            :class:`Unavailable`.
        licence: of the package or weights it uses.
        ours: whether it is a model of this project.
        told: whether it is given the true blur and noise, which nobody knows of a patient's CT.
    """

    scales: tuple[int, ...]
    prepare: Callable[[int, str], Enhance]
    identity: Callable[[int, str], str]
    licence: str = ""
    ours: bool = False
    told: bool = False


def through_pictures(network: torch.nn.Module, scale: int) -> Enhance:
    """A network for photographs on CT: the wide window as [0, 1] in, and back.

    Args:
        network: (1, 1, H, W) to (1, 1, scale H, scale W), both grey in [0, 1], with three equal channels inside.
        scale: its scale.
    """
    network = network.eval().to(memory_format=torch.channels_last)

    def enhance(low: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
        grey = (torch.from_numpy(low.astype(np.float32)) - HU_MIN) / (HU_MAX - HU_MIN)
        with torch.inference_mode():
            large = network(F.pad(grey[None, None], (BORDER,) * 4, mode="replicate"))[0, 0]
        inner = slice(scale * BORDER, -scale * BORDER)
        return whole_hu(large[inner, inner].numpy() * (HU_MAX - HU_MIN) + HU_MIN)

    return enhance
