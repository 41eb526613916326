"""The same path for arrays and images in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .geometry import LPS_TO_RAS
from .volume import Volume


def enhance(volume: Any, spacing: float | Sequence[float] | None = None, scale: int = 2, **options: Any) -> Any:
    """Enhance a CT volume in HU.

    Args:
        volume: a NumPy array (slices, rows, columns) or (rows, columns); or a SimpleITK image; or a MONAI
            ``MetaTensor`` (1, columns, rows, slices) or (columns, rows, slices) with its affine.
        spacing: of an array, in mm: one number for square pixels, (row, column) or (slice, row, column)
            distance. Images carry their own.
        scale: 1, 2 or 4.
        **options: the other fields of :class:`ctsgan.workflow.Request`: model, strength, fidelity_mm, roi, tile,
            batch, device, dtype, threads, spacing_mm, fill, force.

    Returns:
        What was given, enhanced: an array, a SimpleITK image or a ``MetaTensor`` in the same place.

    Raises:
        CTError: if the volume is not a CT in HU or the request cannot be met.
        TypeError: if an array comes without spacing, or an image with one.
    """
    from .io.checks import check_volume
    from .workflow import Request, enhance_volume

    request = Request(scale=scale, **options)
    adapter = _adapter(volume)
    given = adapter.unpack(volume, spacing)
    # the caller's array is not the place to put fill values into
    given.voxels.flags.writeable = False
    checked = check_volume(given, force=request.force, fill=request.fill)
    return adapter.pack(enhance_volume(checked, request), volume)


def _adapter(volume: Any) -> Any:
    kind = type(volume).__module__.split(".")[0]
    if kind == "SimpleITK":
        return _SimpleITKImage
    if kind == "monai":
        return _MetaTensor
    return _Array


class _Array:
    @staticmethod
    def unpack(array: Any, spacing: float | Sequence[float] | None) -> Volume:
        if spacing is None:
            raise TypeError("an array needs its spacing in mm: one number, (row, column) or (slice, row, column)")
        array = np.asarray(array)
        if array.ndim not in (2, 3):
            raise TypeError(f"an array must be (slices, rows, columns) or (rows, columns), not {array.ndim}D")
        distances = np.atleast_1d(np.asarray(spacing, dtype=float))
        if distances.size == 1:
            distances = np.repeat(distances, 2)
        slice_mm = distances[0] if distances.size == 3 else 1.0
        row_mm, column_mm = distances[-2:]
        voxels = np.ascontiguousarray(array.reshape(-1, *array.shape[-2:])).view()
        return Volume(voxels, np.diag([column_mm, row_mm, slice_mm, 1.0]))

    @staticmethod
    def pack(result: Volume, given: Any) -> Any:
        return result.voxels[0] if np.ndim(given) == 2 else result.voxels


class _SimpleITKImage:
    @staticmethod
    def unpack(image: Any, spacing: Any) -> Volume:
        from .io.itk import volume_from_image

        _no_spacing(spacing)
        return volume_from_image(image)

    @staticmethod
    def pack(result: Volume, given: Any) -> Any:
        from .io.itk import image_from_volume

        image = image_from_volume(result)
        return image[:, :, 0] if given.GetDimension() == 2 else image


class _MetaTensor:
    @staticmethod
    def unpack(tensor: Any, spacing: Any) -> Volume:
        _no_spacing(spacing)
        voxels = tensor.cpu().numpy()
        if voxels.ndim == 4 and voxels.shape[0] != 1:
            raise TypeError(f"a MetaTensor must have one channel, not {voxels.shape[0]}")
        voxels = np.ascontiguousarray(voxels.reshape(voxels.shape[-3:]).transpose(2, 1, 0)).view()
        return Volume(voxels, LPS_TO_RAS @ np.asarray(tensor.affine, dtype=float))

    @staticmethod
    def pack(result: Volume, given: Any) -> Any:
        import torch
        from monai.data import MetaTensor

        tensor = torch.from_numpy(np.ascontiguousarray(result.voxels.transpose(2, 1, 0)))
        tensor = tensor[None] if given.ndim == 4 else tensor
        return MetaTensor(tensor, meta={**given.meta, "affine": torch.from_numpy(LPS_TO_RAS @ result.affine)})


def _no_spacing(spacing: Any) -> None:
    if spacing is not None:
        raise TypeError("an image carries its own spacing; leave out the argument spacing")
