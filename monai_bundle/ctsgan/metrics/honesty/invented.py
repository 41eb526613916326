"""What an image shows and its reference does not."""

from __future__ import annotations

import numpy as np

from .detector import detector_map, peaks
from .lesions import Lesion

INVENTED_DEVIATIONS = 5.0
"""A blob counts as invented above this many deviations of what the detector reads from the reference's own noise."""

INVENTED_HU = 10.0
"""And never below this contrast."""

EXPLAINING_BLURS = (0.0, 0.25, 0.5, 1.0)
"""Standard deviations, in diameters of the blob, of the blurs of the reference that may explain what is shown."""


def _blurred(image: np.ndarray, sigma_mm: float, spacing_mm: tuple[float, float]) -> np.ndarray:
    import torch

    from ...filters import gaussian_blur

    return gaussian_blur(torch.from_numpy(np.asarray(image, dtype=np.float64)), sigma_mm, spacing_mm).numpy()


def explained_contrasts(reference: np.ndarray, spacing_mm: tuple[float, float], diameter_mm: float = 5.0) -> np.ndarray:
    """What the detector reads in a reference as it is and blurred by :data:`EXPLAINING_BLURS`, HU.

    Args:
        reference: HU, (rows, columns).
        spacing_mm: (row, column) distance.
        diameter_mm: of the detector.

    Returns:
        (blurs, rows, columns).
    """
    blurred = [_blurred(reference, share * diameter_mm, spacing_mm) for share in EXPLAINING_BLURS]
    return np.stack([detector_map(image, diameter_mm, spacing_mm) for image in blurred])


def unexplained_contrast(
    image: np.ndarray, explained: np.ndarray, spacing_mm: tuple[float, float], diameter_mm: float = 5.0
) -> np.ndarray:
    """Contrast in HU, of either sign, that the detector reads in an image and the reference does not explain.

    The least of the differences to the reference as it is and blurred counts: what a loss of resolution spills from an
    edge is bad, but not invented.

    Args:
        image: HU, (rows, columns).
        explained: of :func:`explained_contrasts` with the same spacing and diameter.
        spacing_mm: (row, column) distance.
        diameter_mm: of the detector.

    Returns:
        (rows, columns).
    """
    differences = detector_map(image, diameter_mm, spacing_mm) - explained
    least = np.abs(differences).argmin(axis=0)[None]
    return np.take_along_axis(differences, least, axis=0)[0]


def invented_blobs(
    images: np.ndarray,
    references: np.ndarray,
    places: np.ndarray,
    spacing_mm: tuple[float, float],
    diameter_mm: float = 5.0,
) -> list[Lesion]:
    """Blobs, bright or dark, that an image shows and its reference does not.

    A blob is a peak of :func:`unexplained_contrast` above :data:`INVENTED_DEVIATIONS` deviations of what the detector
    reads from the reference alone, noise that any method may have removed, and above :data:`INVENTED_HU`. So the bar
    depends on the reference, never on the method.

    Args:
        images, references: HU, (slices, rows, columns).
        places: where blobs are searched, bool, same shape; uniform tissue, since beside edges every blur is a blob.
        spacing_mm: (row, column) distance.
        diameter_mm: of the blobs.

    Returns:
        Each with the contrast that the detector read.
    """
    apart = tuple(int(np.ceil(diameter_mm / mm)) for mm in spacing_mm)
    blobs = []
    for index, (image, reference, allowed) in enumerate(zip(images, references, places, strict=True)):
        if not allowed.any():
            continue
        explained = explained_contrasts(reference, spacing_mm, diameter_mm)
        own = explained[0][allowed]
        deviation = 1.4826 * np.median(np.abs(own - np.median(own)))
        bar = max(INVENTED_DEVIATIONS * deviation, INVENTED_HU)
        height = unexplained_contrast(image, explained, spacing_mm, diameter_mm)
        for row, column in peaks(np.abs(height), allowed, bar, apart):
            blobs.append(Lesion(index, int(row), int(column), diameter_mm, float(height[row, column])))
    return blobs
