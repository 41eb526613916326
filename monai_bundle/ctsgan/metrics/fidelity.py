"""Fidelity to a reference slice: arrays (rows, columns) in HU."""

from __future__ import annotations

import numpy as np

WINDOWS = {
    "wide": (-1024.0, 3071.0),
    "soft": (-160.0, 240.0),
    "lung": (-1350.0, 150.0),
    "bone": (-450.0, 1050.0),
}
"""Display windows in HU (lower, upper): the 12-bit range, soft tissue 40/400, lung -600/1500, bone 300/1500."""

BODY_THRESHOLD_HU = -500.0


def body_mask(image: np.ndarray) -> np.ndarray:
    """The patient without air and table: the largest region above -500 HU with its holes filled, bool."""
    import SimpleITK as sitk

    dense = sitk.GetImageFromArray((image > BODY_THRESHOLD_HU).astype(np.uint8))
    regions = sitk.RelabelComponent(sitk.ConnectedComponent(dense), sortByObjectSize=True)
    return sitk.GetArrayFromImage(sitk.BinaryFillhole(regions == 1)).astype(bool)


def _inside(image: np.ndarray, window: str, mask: np.ndarray | None) -> np.ndarray:
    clipped = np.clip(image.astype(np.float64), *WINDOWS[window])
    return clipped if mask is None else clipped[mask]


def rmse(image: np.ndarray, reference: np.ndarray, window: str = "wide", mask: np.ndarray | None = None) -> float:
    """Root mean square error in HU, both clipped to a window, within ``mask`` (the whole slice without one)."""
    difference = _inside(image, window, mask) - _inside(reference, window, mask)
    return float(np.sqrt(np.mean(difference**2)))


def psnr(image: np.ndarray, reference: np.ndarray, window: str = "wide", mask: np.ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB; the peak is the width of the window (4095 HU for the whole range)."""
    low, high = WINDOWS[window]
    error = rmse(image, reference, window, mask)
    return float("inf") if error == 0 else float(20.0 * np.log10((high - low) / error))


def bias(image: np.ndarray, reference: np.ndarray, mask: np.ndarray | None = None) -> float:
    """Mean error in HU within ``mask``."""
    return float(np.mean(_inside(image, "wide", mask) - _inside(reference, "wide", mask)))


def ssim(image: np.ndarray, reference: np.ndarray, window: str = "soft", mask: np.ndarray | None = None) -> float:
    """Structural similarity (Wang et al. 2004: Gaussian of 1.5 pixels over 11 x 11) in a window, within ``mask``."""
    import torch
    from monai.metrics.regression import compute_ssim_and_cs

    low, high = WINDOWS[window]
    pair = [torch.from_numpy(_inside(x, window, None))[None, None] - low for x in (image, reference)]
    similarity, _ = compute_ssim_and_cs(
        *pair, spatial_dims=2, kernel_size=(11, 11), kernel_sigma=(1.5, 1.5), data_range=high - low
    )
    values = similarity[0, 0].numpy()
    return float(values.mean() if mask is None else values[mask[5:-5, 5:-5]].mean())
