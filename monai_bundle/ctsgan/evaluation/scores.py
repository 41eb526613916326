"""What each slice is scored by, and which way is better."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import CTError
from ..metrics import (
    TISSUE_RANGES,
    WINDOWS,
    bias,
    body_centre,
    fid_vgg,
    inner_body,
    ms_ssim,
    niqe,
    psnr,
    rmse,
    ssim,
    st_lpips,
    subpixel_shift,
    tissue_errors,
    vgg_features,
)
from .honesty import contradiction_map
from .pairs import Pair

GROUPS = ("fidelity", "perception", "physics", "honesty", "cost")
"""What can be measured; see docs/evaluation.md."""

VERSION = 1
"""Of how slices are scored; another one measures anew."""

FEWEST_PIXELS = 200
"""A tissue with fewer pixels in a slice has no mean worth printing."""

WINDOW_SCORES = {"PSNR": psnr, "SSIM": ssim, "MS-SSIM": ms_ssim, "RMSE": rmse}

WHOLE_SLICE = "PSNR wide, whole slice"
"""The wide window over air and table too, as most papers reckon it."""

FEATURES = "features"
"""Beside the scores of a slice: what FID-VGG is made from."""

_WINDOW_DIRECTIONS = {"PSNR": 1, "SSIM": 1, "MS-SSIM": 1, "RMSE": -1}

DIRECTIONS: dict[str, int] = {
    **{f"{score} {window}": direction for score, direction in _WINDOW_DIRECTIONS.items() for window in WINDOWS},
    WHOLE_SLICE: 1,
    "bias": 0,
    **{f"bias in {tissue}": 0 for tissue in TISSUE_RANGES},
    **{f"RMSE in {tissue}": -1 for tissue in TISSUE_RANGES},
    "shift": -1,
    "NIQE wide": -1,
    "NIQE soft": -1,
    "PI half": -1,
    "ST-LPIPS": -1,
    "FID-VGG": -1,
    "contradiction": -1,
}
"""1: higher is better, -1: lower is, 0: nearer to zero is. HU but for dB (PSNR), output pixels (shift), and numbers
without a unit (SSIM, MS-SSIM, NIQE, PI half, ST-LPIPS, FID-VGG)."""


def fidelity(image: np.ndarray, pair: Pair) -> dict[str, float]:
    """How near a slice is to its reference, inside the patient.

    ``RMSE in lung`` is of the pixels that are lung, ``RMSE lung`` of all of the patient seen in the lung window.
    """
    reference, body = pair.reference, pair.body
    found = {
        f"{score} {window}": _or_nan(function, image, reference, window, body)
        for score, function in WINDOW_SCORES.items()
        for window in WINDOWS
    }
    found[WHOLE_SLICE] = psnr(image, reference, "wide")
    # what blurs the skin carries HU out of the patient, though nothing within is darker
    inside = inner_body(body, [mm / pair.scale for mm in pair.spacing_mm])
    found["bias"] = bias(image, reference, inside) if inside.any() else np.nan
    tissues = tissue_errors(image, reference, body)
    # air is around the patient too
    tissues["air"] = tissue_errors(image, reference)["air"]
    for tissue, error in tissues.items():
        enough = error is not None and error.pixels >= FEWEST_PIXELS
        found[f"bias in {tissue}"] = error.bias if enough else np.nan
        found[f"RMSE in {tissue}"] = error.rmse if enough else np.nan
    found["shift"] = float(np.hypot(*subpixel_shift(image, reference)))
    return found


def perception(image: np.ndarray, pair: Pair) -> dict[str, Any]:
    """How a slice looks: NIQE of all of it, ST-LPIPS and the features of FID-VGG of the middle of the patient.

    ``PI half`` is half of ``NIQE wide``: what NIQE gives to the perceptual index ((10 - Ma) + NIQE) / 2.
    """
    found = {f"NIQE {window}": _or_nan(niqe, image, window) for window in ("wide", "soft")}
    found["PI half"] = found["NIQE wide"] / 2
    try:
        middle = body_centre(pair.body)
    except ValueError:
        return found
    found["ST-LPIPS"] = st_lpips(image[middle], pair.reference[middle])
    found[FEATURES] = pack(vgg_features([image[middle]]))
    return found


def honesty(image: np.ndarray, pair: Pair) -> dict[str, float]:
    """Root mean square in HU of what contradicts the input."""
    return {"contradiction": contradiction_map(pair.low, image, pair.spacing_mm, pair.scale, pair.preset)[1]}


SLICE_SCORES: dict[str, Callable[[np.ndarray, Pair], dict[str, Any]]] = {
    "fidelity": fidelity,
    "perception": perception,
    "honesty": honesty,
}
"""Of the groups, those that are reckoned slice by slice."""


def score(image: np.ndarray, pair: Pair, group: str) -> dict[str, Any]:
    """One group of scores of an enhanced slice, rounded; what the slice cannot give is left out.

    Args:
        image: what a method made of ``pair.low``, HU, the shape of ``pair.reference``.
        pair: see there.
        group: of :data:`SLICE_SCORES`.

    Raises:
        CTError: if perception needs weights that are not installed.
    """
    if not pair.body.any():
        return {}
    found = SLICE_SCORES[group](image, pair)
    return {
        name: value if name == FEATURES else round(float(value), 6)
        for name, value in found.items()
        if name == FEATURES or np.isfinite(value)
    }


def _or_nan(function: Callable[..., float], *arguments: Any) -> float:
    """A score, or NaN where the slice is too small for it."""
    try:
        return function(*arguments)
    except ValueError:
        return float("nan")


def pack(features: np.ndarray) -> str:
    """Features (n, channels) as text for a JSON file, in half precision."""
    return base64.b64encode(features.astype("<f2").tobytes()).decode()


def unpack(texts: Sequence[str], channels: int = 512) -> np.ndarray:
    """All features of some slices, (n, channels) float64."""
    content = b"".join(base64.b64decode(text) for text in texts)
    return np.frombuffer(content, "<f2").astype(np.float64).reshape(-1, channels)


def frechet_distances(features: Mapping[str, Sequence[str]], reference: Sequence[str]) -> dict[str, float]:
    """FID-VGG of each method against the references, from packed features; nothing for fewer than two patches."""
    truth = unpack(reference)
    found = {name: unpack(texts) for name, texts in features.items()}
    return {name: round(fid_vgg(mine, truth), 6) for name, mine in found.items() if min(len(mine), len(truth)) > 1}


def missing_weights() -> str | None:
    """Why perception cannot be measured here, in one sentence; ``None`` if it can."""
    from ..metrics.perception import shift_tolerant_vgg

    try:
        shift_tolerant_vgg("wide")
    except CTError as error:
        return str(error)
    return None
