"""This package's readers and writers as MONAI's, for ``LoadImaged`` and ``SaveImaged``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.data.image_reader import ImageReader
from monai.data.image_writer import ImageWriter
from monai.utils import MetaKeys, SpaceKeys

from .geometry import LPS_TO_RAS
from .io.files import read_volume, write_volume
from .volume import Volume


class CTReader(ImageReader):
    """Reads what ``ctsgan enhance`` reads, with the same checks: volumes in HU, axes (column, row, slice).

    Args:
        series: UID or number of a DICOM series where a folder holds several.
        force: accept what does not look like a CT.
        fill: HU in the place of NaN and Inf; ``None`` refuses them.
    """

    def __init__(self, series: str | None = None, force: bool = False, fill: float | None = None) -> None:
        super().__init__()
        self.options = {"series": series, "force": force, "fill": fill}

    def verify_suffix(self, filename: Sequence[str] | str) -> bool:
        return True

    def read(self, data: Sequence[str] | str, **kwargs: Any) -> Volume:
        path = data if isinstance(data, (str, Path)) else data[0]
        return read_volume(Path(path), **{**self.options, **kwargs})

    def get_data(self, img: Volume) -> tuple[np.ndarray, dict[str, Any]]:
        voxels = img.voxels
        if voxels.dtype in (np.uint16, np.uint32):
            voxels = voxels.astype(np.int32)
        affine = LPS_TO_RAS @ img.affine
        meta: dict[str, Any] = {
            MetaKeys.AFFINE: affine,
            MetaKeys.ORIGINAL_AFFINE: affine.copy(),
            MetaKeys.SPACE: SpaceKeys.RAS,
            MetaKeys.SPATIAL_SHAPE: np.array(voxels.shape[::-1]),
            MetaKeys.ORIGINAL_CHANNEL_DIM: float("nan"),
        }
        return voxels.transpose(2, 1, 0), meta


class CTWriter(ImageWriter):
    """Writes what ``ctsgan enhance`` writes; the source file is looked at again for what its header says.

    Keyword arguments are ``SaveImage``'s; data type and grid are the data's own and never changed.
    """

    def set_data_array(self, data_array: np.ndarray | torch.Tensor, **kwargs: Any) -> None:
        array = data_array.cpu().numpy() if isinstance(data_array, torch.Tensor) else np.asarray(data_array)
        self.data_obj = np.ascontiguousarray(array.reshape(array.shape[-3:]).transpose(2, 1, 0))

    def set_metadata(self, meta_dict: Mapping[str, Any] | None, **options: Any) -> None:
        meta = meta_dict or {}
        self.affine = LPS_TO_RAS @ np.asarray(meta[MetaKeys.AFFINE], dtype=float)
        self.source = Path(str(meta["filename_or_obj"]))

    def write(self, filename: str | Path, verbose: bool = True, **kwargs: Any) -> None:
        super().write(filename, verbose=verbose)
        source = read_volume(self.source, force=True, fill=0.0)
        rows = self.data_obj.shape[1] / source.voxels.shape[1]
        enlarged = source.upscaled(self.data_obj, round(rows))
        if not np.allclose(enlarged.affine, self.affine, atol=1e-3):
            raise ValueError(f"{filename}: the grid is not that of the enhanced {self.source}")
        write_volume(enlarged, Path(filename), overwrite=True)
