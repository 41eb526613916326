"""The path of :mod:`ctsgan.enhancement` as a MONAI inferer."""

from __future__ import annotations

from typing import Any

import torch
from monai.data import MetaTensor
from monai.inferers import Inferer

from .enhancement import FIDELITY_MM, Settings, enhance_slices
from .geometry import upscaled_affine, voxel_spacing
from .progress import progress_display


class VolumeEnhancer(Inferer):
    """Enhances whole volumes slice by slice, in memory bounded by input and output.

    Args:
        fidelity_mm: full width at half maximum in mm of the low-pass that holds regional means; 0 is off.
        tile: edge in input pixels of the windows a slice is cut into; ``None`` is chosen by the slice's size.
        batch: slices that go through the network at once.
        device: where the network runs; ``None`` is where its weights are.
        dtype: precision of the convolutions.
        progress: "bar", "slicer" or "none".
        softness: as in :class:`ctsgan.enhancement.Settings`.
    """

    def __init__(
        self,
        fidelity_mm: float | None = FIDELITY_MM,
        tile: int | None = None,
        batch: int = 1,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
        progress: str = "bar",
        softness: float | None = None,
    ) -> None:
        super().__init__()
        self.fidelity_mm = fidelity_mm
        self.tile = tile
        self.batch = batch
        self.device = device
        self.dtype = dtype
        self.progress = progress
        self.softness = softness

    def __call__(self, inputs: torch.Tensor, network: torch.nn.Module, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Volumes (B, 1, I, J, K) in HU, slices along the last axis, to (B, 1, scale I, scale J, K).

        A ``MetaTensor``'s affine tells the spacing and is moved with the pixels; a plain tensor is taken to
        have pixels of 1 mm. The result is int16 for integers, float32 for floats.
        """
        affines = _affines(inputs)
        device = self.device or next(network.parameters()).device
        settings = Settings(self.fidelity_mm or None, self.tile, self.batch, device, self.dtype, self.softness)
        volumes = []
        for image, affine in zip(inputs, affines, strict=True):
            column_mm, row_mm = (float(mm) for mm in voxel_spacing(affine)[:2])
            voxels = image[0].permute(2, 1, 0).cpu().numpy()
            with progress_display(self.progress, "enhance") as progress:
                result = enhance_slices(voxels, (row_mm, column_mm), network, settings, progress=progress)
            volumes.append(torch.from_numpy(result).permute(2, 1, 0)[None])
        # one volume, the usual case, is not copied
        output = volumes[0][None] if len(volumes) == 1 else torch.stack(volumes)
        if not isinstance(inputs, MetaTensor):
            return output
        moved = [torch.from_numpy(upscaled_affine(affine, network.scale)) for affine in affines]
        meta = {**inputs.meta, "affine": torch.stack(moved)}
        result = MetaTensor(output, meta=meta)
        result.is_batch = True
        return result


def _affines(inputs: torch.Tensor) -> list[Any]:
    if isinstance(inputs, MetaTensor):
        return list(inputs.affine.cpu().numpy().reshape(-1, 4, 4))
    return [torch.eye(4).numpy()] * len(inputs)
