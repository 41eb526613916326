"""What a user has set, kept in the scene and saved with it."""

from __future__ import annotations

from typing import Annotated

import slicer
from slicer.parameterNodeWrapper import Choice, WithinRange, parameterNodeWrapper

from .Bundle import use_bundle
from .Settings import Settings

use_bundle()
from ctsgan.models import catalogue  # noqa: E402

SCALES = (2, 4, 1)
DEVICES = ("auto", "cpu", "cuda", "mps")
MODELS = tuple(catalogue()["models"])


@parameterNodeWrapper
class Parameters:
    """The nodes to work on, :class:`.Settings.Settings` as numbers that widgets can show, and how to compare.

    ``fidelity_mm`` below 1 is off; ``tile`` 0 is the whole slice; ``threads`` 0 leaves them to PyTorch.
    """

    input_volume: slicer.vtkMRMLScalarVolumeNode
    roi: slicer.vtkMRMLMarkupsROINode
    output_volume: slicer.vtkMRMLScalarVolumeNode
    compare_roi: slicer.vtkMRMLMarkupsROINode
    scale: Annotated[int, Choice(SCALES)] = Settings.scale
    strength: Annotated[float, WithinRange(0.0, 1.0)] = Settings.strength
    model: Annotated[str, Choice(MODELS)] = Settings.model
    fidelity_mm: Annotated[float, WithinRange(0.0, 200.0)] = Settings.fidelity_mm
    device: Annotated[str, Choice(DEVICES)] = Settings.device
    tile: Annotated[int, WithinRange(0, 4096)] = 0
    batch: Annotated[int, WithinRange(1, 64)] = Settings.batch
    threads: Annotated[int, WithinRange(0, 256)] = 0
    force: bool = Settings.force
    fade: Annotated[float, WithinRange(0.0, 1.0)] = 0.0


def settings_of(parameters: Parameters) -> Settings:
    """What the bundle is asked for."""
    return Settings(
        scale=parameters.scale,
        strength=parameters.strength,
        model=parameters.model,
        fidelity_mm=parameters.fidelity_mm if parameters.fidelity_mm >= 1.0 else None,
        device=parameters.device,
        tile=parameters.tile or None,
        batch=parameters.batch,
        threads=parameters.threads or None,
        force=parameters.force,
    )


def offers_strength(parameters: Parameters) -> bool:
    """Whether the chosen model was trained for more than the low strength at the chosen scale."""
    offered = catalogue()["models"][parameters.model]["scales"]
    return "high" in offered.get(str(parameters.scale), {"weights": {}})["weights"]


def likely_ct(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLScalarVolumeNode | None:
    """The first volume that has values below zero, as the air of a CT has; else the first; no segmentation."""
    nodes = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", scene)
    # classes of segmentations and colours inherit from this one
    volumes = [node for node in nodes if node.GetClassName() == "vtkMRMLScalarVolumeNode" and node.GetImageData()]
    with_air = (node for node in volumes if node.GetImageData().GetScalarRange()[0] < 0)
    return next(with_air, volumes[0] if volumes else None)
