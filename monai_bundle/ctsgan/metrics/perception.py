"""What an image looks like: NIQE, shift-tolerant LPIPS, and the distance between two sets of images.

All three were made for photographs: they see a window of HU as a grey picture. They say how natural or how alike
images look, never whether what they show is true.

NIQE is the half of the perceptual index PI = ((10 - Ma) + NIQE) / 2 (Blau et al. 2018) that needs no
trained regression forest; Ma's score, the other half, is left out, so report NIQE by its own name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ..errors import CTError
from ..intensity import to_network_range
from ..networks.perceptual import VGGFeatures, packaged_weights
from ..resample import resampling_matrix
from .fidelity import WINDOWS
from .regions import squares

NIQE_BLOCK = 96
"""Pixels along each side of the blocks whose features NIQE compares."""

WEIGHTS_SHA256 = "44597da68f49c1837c100ff52299050f274d102eb102e5837178c79be6f0e250"


def grey_picture(image: np.ndarray, window: str) -> np.ndarray:
    """HU in a window of :data:`WINDOWS` as grey values 0 to 255, not rounded, float64, same shape."""
    low, high = WINDOWS[window]
    return (np.clip(image.astype(np.float64), low, high) - low) * (255.0 / (high - low))


@lru_cache(maxsize=1)
def _gaussian_ratio() -> tuple[np.ndarray, np.ndarray]:
    """Shapes of generalised Gaussians and the ratio (E|x|)^2 / E x^2 of each."""
    shape = np.arange(0.2, 10.001, 0.001)
    inverse = torch.from_numpy(1.0 / shape)
    ratio = torch.exp(2.0 * torch.lgamma(2.0 * inverse) - torch.lgamma(inverse) - torch.lgamma(3.0 * inverse))
    return shape, ratio.numpy()


def _asymmetric_gaussian(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Shape, left and right scale and mean of asymmetric generalised Gaussians, by matching moments.

    Lasmar, Stitou, Berthoumieu 2009. ``samples`` (n, m): a row a distribution; returns four arrays (n,).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        left, right = (
            np.sqrt(np.where(side, samples**2, 0.0).sum(axis=1) / side.sum(axis=1))
            for side in (samples < 0, samples > 0)
        )
        balance = left / right
        ratio = np.abs(samples).mean(axis=1) ** 2 / (samples**2).mean(axis=1)
        ratio *= (balance**3 + 1.0) * (balance + 1.0) / (balance**2 + 1.0) ** 2
    shapes, ratios = _gaussian_ratio()
    # the ratio grows with the shape, so the nearest entry is one of two neighbours
    after = np.clip(np.searchsorted(ratios, np.nan_to_num(ratio)), 1, len(ratios) - 1)
    shape = shapes[np.where(ratio - ratios[after - 1] < ratios[after] - ratio, after - 1, after)]
    one, two, three = (torch.lgamma(torch.from_numpy(k / shape)).numpy() for k in (1.0, 2.0, 3.0))
    scale = np.exp(0.5 * (one - three))
    left, right = left * scale, right * scale
    return shape, left, right, (right - left) * np.exp(two - one)


def _niqe_features(normalised: np.ndarray, block: int) -> np.ndarray:
    """18 numbers for each block: the distribution of its values and of their products with four neighbours."""
    blocks = squares(normalised[None], block)
    shape, left, right, _ = _asymmetric_gaussian(blocks.reshape(len(blocks), -1))
    features = [shape, (left + right) / 2.0]
    for shift in ((0, 1), (1, 0), (1, 1), (1, -1)):
        product = blocks * np.roll(blocks, shift, axis=(1, 2))
        shape, left, right, mean = _asymmetric_gaussian(product.reshape(len(blocks), -1))
        features += [shape, mean, left, right]
    return np.stack(features, axis=1)


def niqe_of_picture(picture: np.ndarray) -> float:
    """NIQE of a grey picture (Mittal, Soundararajan, Bovik 2013); lower is more like an undistorted photograph.

    As the authors' program: grey values rounded, blocks of 96 pixels without overlap, local normalisation with a
    Gaussian of 7/6 pixels over 7 x 7, two scales, the second by antialiased bicubic reduction.

    Args:
        picture: grey values 0 to 255, (rows, columns), at least two blocks.

    Raises:
        ValueError: if it is smaller than two blocks.
    """
    rows, columns = (size // NIQE_BLOCK for size in picture.shape)
    if rows * columns < 2:
        raise ValueError(f"NIQE needs at least two blocks of {NIQE_BLOCK} x {NIQE_BLOCK} pixels, not {picture.shape}")
    model = np.load(Path(__file__).with_name("niqe_pristine.npz"))
    window = torch.from_numpy(model["gaussian_window"].astype(np.float64))[None, None]
    current = np.round(picture[: rows * NIQE_BLOCK, : columns * NIQE_BLOCK].astype(np.float64))
    features = []
    for scale in (1, 2):
        padded = F.pad(torch.from_numpy(current)[None, None], (3, 3, 3, 3), mode="replicate")
        mean = F.conv2d(padded, window)
        deviation = (F.conv2d(padded**2, window) - mean**2).abs().sqrt()
        normalised = ((torch.from_numpy(current) - mean) / (deviation + 1.0))[0, 0].numpy()
        features.append(_niqe_features(normalised, NIQE_BLOCK // scale))
        if scale == 1:
            down, across = (resampling_matrix(size, size // 2, 2.0) for size in current.shape)
            current = down @ current @ across.T
    table = np.concatenate(features, axis=1)
    # a block without any texture, as air clipped by a window, has no distribution
    with np.errstate(invalid="ignore"):
        mean = np.nanmean(table, axis=0)
    covariance = np.cov(table[~np.isnan(table).any(axis=1)], rowvar=False)
    offset = (model["mu_pris_param"] - mean).ravel()
    return float(np.sqrt(offset @ np.linalg.pinv((model["cov_pris_param"] + covariance) / 2.0) @ offset))


def niqe(image: np.ndarray, window: str = "wide") -> float:
    """NIQE of a slice (rows, columns) in HU, seen in a window; see :func:`niqe_of_picture`."""
    return niqe_of_picture(grey_picture(image, window))


@lru_cache(maxsize=2)
def shift_tolerant_vgg(window: str) -> tuple[VGGFeatures, list[torch.Tensor]]:
    """VGG16 looking at a window, and the weights that shift-tolerant LPIPS gives to its channels, stage by stage.

    Both from the weight file in the package stlpips_pytorch (BSD-2-Clause), of which no code is run.

    Raises:
        CTError: if the package is not installed, or its weights are not those that published figures used.
    """
    try:
        path = packaged_weights()
    except CTError:
        raise CTError(
            "shift-tolerant LPIPS and FID-VGG need the weights in the package stlpips_pytorch; "
            "install it with: pip install --no-deps stlpips_pytorch==0.0.2"
        ) from None
    if hashlib.sha256(path.read_bytes()).hexdigest() != WEIGHTS_SHA256:
        raise CTError(
            f"{path} is not the weight file of stlpips_pytorch 0.0.2; "
            "install it again with: pip install --no-deps --force-reinstall stlpips_pytorch==0.0.2"
        )
    network = VGGFeatures(path, [WINDOWS[window]])
    state = torch.load(path, map_location="cpu", weights_only=True)
    return network, [state[f"lin{stage}.model.1.weight"] for stage in range(len(network.stages))]


def _features(images: np.ndarray, window: str) -> list[torch.Tensor]:
    """Five stages (n, channels, rows, columns), after the activation, of slices (n, rows, columns) in HU."""
    network, _ = shift_tolerant_vgg(window)
    hu = torch.from_numpy(np.asarray(images, dtype=np.float32))[:, None]
    with torch.inference_mode():
        return [F.relu(response) for response in network(to_network_range(hu))]


def body_centre(body: np.ndarray, size: int = 192) -> tuple[slice, slice]:
    """Rows and columns of a square of ``size`` pixels in the middle of a body mask, moved into the image.

    Raises:
        ValueError: if the image is smaller than the square.
    """
    if min(body.shape) < size:
        raise ValueError(f"the image is smaller than {size} pixels")
    starts = []
    for axis, extent in enumerate(body.shape):
        inside = np.nonzero(body.any(axis=1 - axis))[0]
        middle = (inside[0] + inside[-1] + 1) // 2 if inside.size else extent // 2
        starts.append(int(np.clip(middle - size // 2, 0, extent - size)))
    return slice(starts[0], starts[0] + size), slice(starts[1], starts[1] + size)


def st_lpips(image: np.ndarray, reference: np.ndarray, window: str = "wide") -> float:
    """Shift-tolerant LPIPS with VGG16 (Ghildyal and Liu, ECCV 2022); 0 is alike.

    Both (rows, columns) in HU, seen in a window.

    Two passes of VGG16: seconds for the 192 x 192 pixels that :func:`body_centre` chooses, most of a minute of one
    core for 512 x 512.

    Raises:
        CTError: as :func:`shift_tolerant_vgg`.
    """
    pair = [_features(np.asarray(x)[None], window) for x in (image, reference)]
    distance = 0.0
    for first, second, head in zip(*pair, shift_tolerant_vgg(window)[1], strict=True):
        unit = [x / (x.pow(2).sum(dim=1, keepdim=True).sqrt() + 1e-10) for x in (first, second)]
        distance += float(F.conv2d((unit[0] - unit[1]) ** 2, head).mean())
    return distance


def vgg_features(
    slices: Sequence[np.ndarray], window: str = "soft", patch: int = 64, masks: Sequence[np.ndarray] | None = None
) -> np.ndarray:
    """Means over space of VGG16's last convolution, a row a patch, for :func:`fid_vgg`.

    Args:
        slices: each (rows, columns) in HU.
        window: of :data:`WINDOWS`.
        patch: pixels along each side; patches lie side by side.
        masks: of each slice, bool; patches that lie less than half within are left out.

    Returns:
        (patches, 512) float64.

    Raises:
        CTError: as :func:`shift_tolerant_vgg`.
        ValueError: if there is no patch.
    """
    rows = []
    for index, image in enumerate(slices):
        patches = squares(np.asarray(image)[None], patch)
        if masks is not None:
            patches = patches[squares(masks[index][None], patch).mean(axis=(1, 2)) >= 0.5]
        if len(patches):
            rows.append(_features(patches, window)[-1].mean(dim=(2, 3)).double().numpy())
    if not rows:
        raise ValueError("no patch lies within the masks")
    return np.concatenate(rows)


def fid_vgg(features: np.ndarray, reference_features: np.ndarray) -> float:
    """Fréchet distance between two sets of features (Heusel et al. 2017), of :func:`vgg_features`: "FID-VGG".

    |m1 - m2|^2 + Tr(S1 + S2 - 2 (S1 S2)^(1/2)). The features are those of VGG16, since the weights of Inception
    cannot be had from a package registry: figures do not compare with the FID of papers, only with each other, and
    only at one number of patches, since few patches make it larger.

    Args:
        features, reference_features: (n, channels) and (m, channels), n and m at least 2.
    """
    means = [x.mean(axis=0) for x in (features, reference_features)]
    centred = [
        (x - mean) / np.sqrt(len(x) - 1.0) for x, mean in zip((features, reference_features), means, strict=True)
    ]
    # Tr (S1 S2)^(1/2) with S = A^T A is the sum of the singular values of A1 A2^T: exact where S has no full rank
    cross = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    spread = sum((x**2).sum() for x in centred)
    return float(((means[0] - means[1]) ** 2).sum() + spread - 2.0 * cross)
