"""Resampling a slice to any pixel size, as one small matrix for each axis."""

from __future__ import annotations

import numpy as np
import torch


def cubic_weights(distance: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Keys' cubic convolution kernel (IEEE TASSP 29, 1981) at ``distance`` in pixels; a = -0.5 is third order."""
    x = np.abs(distance)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = a * (((x - 5.0) * x + 8.0) * x - 4.0)
    return np.where(x <= 1.0, near, np.where(x < 2.0, far, 0.0))


def resampling_matrix(size: int, new_size: int, step: float) -> np.ndarray:
    """Weights that take ``size`` samples to ``new_size`` samples around the same centre.

    Args:
        size: samples given.
        new_size: samples wanted.
        step: distance between new samples in old ones; above 1 the kernel is widened by it against aliasing.

    Returns:
        Shape (new_size, size); each row sums to 1; beyond the ends the last sample goes on.
    """
    width = max(step, 1.0)
    centre = (size - 1.0) / 2.0 + step * (np.arange(new_size) - (new_size - 1.0) / 2.0)
    radius = int(np.ceil(2.0 * width))
    nearest = np.floor(centre).astype(int)
    indices = nearest[:, None] + np.arange(-radius, radius + 2)[None]
    weights = cubic_weights((indices - centre[:, None]) / width)
    weights /= weights.sum(axis=1, keepdims=True)
    matrix = np.zeros((new_size, size))
    rows = np.broadcast_to(np.arange(new_size)[:, None], indices.shape)
    np.add.at(matrix, (rows, np.clip(indices, 0, size - 1)), weights)
    return matrix


def resample_slices(images: torch.Tensor, shape: tuple[int, int], step: tuple[float, float]) -> torch.Tensor:
    """Slices (B, 1, H, W) to (B, 1, *shape), pixels ``step`` = (row, column) old pixels apart, same centre."""
    rows = torch.from_numpy(resampling_matrix(images.shape[-2], shape[0], step[0])).to(images)
    columns = torch.from_numpy(resampling_matrix(images.shape[-1], shape[1], step[1])).to(images)
    return rows @ images @ columns.T
