"""Fidelity to a reference slice: arrays (rows, columns) in HU."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WINDOWS = {
    "wide": (-1024.0, 3071.0),
    "soft": (-160.0, 240.0),
    "lung": (-1350.0, 150.0),
    "bone": (-450.0, 1050.0),
}
"""Display windows in HU (lower, upper): the 12-bit range, soft tissue 40/400, lung -600/1500, bone 300/1500."""

BODY_THRESHOLD_HU = -500.0

TABLE_PIXELS = 4
"""Half the thickness in pixels up to which something is a table's shell or a blanket and no part of the patient."""

TISSUE_RANGES = {
    "air": (-np.inf, -950.0),
    "lung": (-950.0, -500.0),
    "fat": (-190.0, -29.0),
    "soft tissue": (-29.0, 151.0),
    "bone": (226.0, np.inf),
}
"""HU of a pixel of each tissue, the lower end included, the upper not.

Conventions that sort pixels. Air and lung: -950 HU is the threshold of emphysema (Gevenois et al. 1996; the best one in
doi 10.1164/rccm.200403-326OC), -500 HU the end of aerated lung in its usual compartments (Gattinoni et al. 2001). Fat
(-190 to -30 HU) and soft tissue (-29 to 150 HU): the ranges of body composition (as in table 1 of
doi 10.1038/s41598-025-96238-6). Bone: from 226 HU, where InVesalius and other programs begin it. What lies between,
such as partial volume and contrast medium, is nobody's."""

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, finest first (Wang, Simoncelli, Bovik 2003)."""


@dataclass(frozen=True)
class TissueError:
    """Mean error and root mean square error in HU over the pixels of one tissue, and how many they are."""

    bias: float
    rmse: float
    pixels: int


def body_mask(image: np.ndarray) -> np.ndarray:
    """The patient without the air around and without the table, bool, shape of ``image`` (rows, columns) in HU.

    The largest region above -500 HU, holes filled. What is thinner than twice :data:`TABLE_PIXELS` and reaches further
    than that from anything thicker, a table's shell that the patient touches, is cut off before holes are filled, so
    that the air between patient and table stays air. Where that would leave less than half, as of a hollow phantom,
    which is all shell, nothing is cut off.
    """
    import SimpleITK as sitk

    def regions(mask: sitk.Image) -> sitk.Image:
        return sitk.RelabelComponent(sitk.ConnectedComponent(mask), sortByObjectSize=True)

    # as if air went on around the image, or a patient cut off by the field of view would be thick there
    dense = regions(sitk.GetImageFromArray(np.pad((image > BODY_THRESHOLD_HU).astype(np.uint8), 1))) == 1
    core = regions(sitk.BinaryErode(dense, [TABLE_PIXELS] * 2, sitk.sitkBall, 0, 1, False))
    sizes = np.bincount(sitk.GetArrayViewFromImage(core).ravel())[1:]
    uncut = sitk.GetArrayFromImage(sitk.BinaryFillhole(dense))[1:-1, 1:-1].astype(bool)
    if sizes.size:
        # a thin wall of the chest may fall into pieces here; thick pieces of a table are small beside them
        thick = core <= int((sizes >= 0.05 * sizes[0]).sum())
        whole = sitk.BinaryDilate(thick & (core > 0), [TABLE_PIXELS + 2] * 2, sitk.sitkBall)
        dense = regions(dense & whole) == 1
    cut = sitk.GetArrayFromImage(sitk.BinaryFillhole(dense))[1:-1, 1:-1].astype(bool)
    return cut if 2 * cut.sum() >= uncut.sum() else uncut


def inner_body(body: np.ndarray, spacing_mm: Sequence[float], margin_mm: float = 5.0) -> np.ndarray:
    """Pixels of a body mask that lie further than ``margin_mm`` from its outline, bool, same shape.

    For a mean error: what blurs the skin carries HU out of the patient, some HU of the mean of the whole mask, although
    nothing within is brighter or darker. A constant offset can even make up for it.

    Args:
        body: bool, (rows, columns).
        spacing_mm: (row, column) distance.
        margin_mm: well beyond the blur.
    """
    import SimpleITK as sitk

    # the patient goes on beyond the image
    wide = sitk.GetImageFromArray(
        np.pad(body.astype(np.uint8), [(math.ceil(margin_mm / mm),) * 2 for mm in spacing_mm], mode="edge")
    )
    wide.SetSpacing([float(mm) for mm in reversed(spacing_mm)])
    distance = sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(wide, True, False, True))
    rows, columns = ((size - kept) // 2 for size, kept in zip(distance.shape, body.shape, strict=True))
    return body & (distance[rows : rows + body.shape[0], columns : columns + body.shape[1]] > margin_mm)


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
    """Mean error in HU within ``mask``; of a patient take :func:`inner_body`, or the skin's blur counts as bias."""
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


def ms_ssim(image: np.ndarray, reference: np.ndarray, window: str = "soft", mask: np.ndarray | None = None) -> float:
    """Structural similarity over five scales (Wang, Simoncelli, Bovik 2003) in a window, within ``mask``.

    Each scale is compared with MONAI's structural similarity (Gaussian of 1.5 pixels over 11 x 11) and then halved by
    the mean of 2 x 2 pixels; a pixel belongs to the mask of a scale if more than half of it does. Without a mask
    the value is that of MONAI's ``compute_ms_ssim``.

    Raises:
        ValueError: if a side is shorter than 176 pixels, or the mask is empty at the coarsest scale.
    """
    import torch
    import torch.nn.functional as F
    from monai.metrics.regression import compute_ssim_and_cs

    if min(image.shape) < 176:
        raise ValueError(f"MS-SSIM needs at least 176 pixels along each side, not {min(image.shape)}")
    low, high = WINDOWS[window]
    pair = [torch.from_numpy(_inside(x, window, None))[None, None] - low for x in (image, reference)]
    weight = torch.ones_like(pair[0]) if mask is None else torch.from_numpy(mask.astype(np.float64))[None, None]
    product = 1.0
    for scale, exponent in enumerate(MS_SSIM_WEIGHTS):
        similarity, contrast = compute_ssim_and_cs(
            *pair, spatial_dims=2, kernel_size=(11, 11), kernel_sigma=(1.5, 1.5), data_range=high - low
        )
        values = similarity if scale == len(MS_SSIM_WEIGHTS) - 1 else contrast
        counted = weight[..., 5:-5, 5:-5] > 0.5
        if not bool(counted.any()):
            raise ValueError("the mask is empty at a coarse scale of MS-SSIM; give a larger one")
        product *= float(values[counted].mean().clamp_min(0.0)) ** exponent
        pair = [F.avg_pool2d(x, 2) for x in pair]
        weight = F.avg_pool2d(weight, 2)
    return product


def tissue_errors(
    image: np.ndarray, reference: np.ndarray, body: np.ndarray | None = None
) -> dict[str, TissueError | None]:
    """Bias and RMSE in HU in each of :data:`TISSUE_RANGES`, told apart by the HU of the reference.

    A noisy reference sorts some pixels by their noise: a smooth image then seems too bright in the lowest range of a
    tissue and too dark in the highest. Compare methods on one reference, not one method with zero.

    Args:
        image, reference: HU, (rows, columns) or (slices, rows, columns).
        body: pixels that count, bool, or ``None`` for all.

    Returns:
        By tissue; ``None`` where the reference has no such pixel.
    """
    difference = image.astype(np.float64) - reference
    errors: dict[str, TissueError | None] = {}
    for tissue, (low, high) in TISSUE_RANGES.items():
        chosen = (reference >= low) & (reference < high)
        values = difference[chosen if body is None else chosen & body]
        errors[tissue] = (
            TissueError(float(values.mean()), float(np.sqrt(np.mean(values**2))), values.size) if values.size else None
        )
    return errors
