"""Lesions of known size and contrast, drawn where tissue is uniform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..regions import distance_mm

BACKGROUNDS = {"soft tissue": (20.0, 140.0), "lung": (-950.0, -700.0)}
"""Mean HU of the places lesions are put into: liver, muscle and other parenchyma; aerated lung."""

EDGE_MM = 0.5
"""Standard deviation of the blur of a lesion's edge."""


@dataclass(frozen=True)
class Lesion:
    """A round lesion: slice, centre pixel (row, column) in the sharp slice, diameter in mm, contrast in HU."""

    index: int
    row: int
    column: int
    diameter_mm: float
    contrast_hu: float = 0.0


def lesion_profile(distance_mm: np.ndarray, diameter_mm: float, edge_mm: float = EDGE_MM) -> np.ndarray:
    """A lesion of contrast 1 at a distance from its centre: a disc whose edge is blurred by ``edge_mm``."""
    import torch

    from ...filters import blurred_disc

    return blurred_disc(torch.from_numpy(np.asarray(distance_mm, dtype=np.float64)), diameter_mm, edge_mm).numpy()


def insert_lesions(slices: np.ndarray, lesions: Sequence[Lesion], spacing_mm: tuple[float, float]) -> np.ndarray:
    """Copies of slices (slices, rows, columns) in HU with lesions added, float64."""
    result = np.array(slices, dtype=np.float64)
    for lesion in lesions:
        distance = distance_mm(result.shape[1:], spacing_mm, lesion.row, lesion.column)
        result[lesion.index] += lesion.contrast_hu * lesion_profile(distance, lesion.diameter_mm)
    return result


def uniform_places(
    image: np.ndarray,
    spacing_mm: tuple[float, float],
    mean_hu: tuple[float, float],
    margin_mm: float,
    body: np.ndarray | None = None,
) -> np.ndarray:
    """Pixels around which, as far as ``margin_mm``, the mean over 3 mm stays within ``mean_hu``; bool, same shape."""
    import torch
    import torch.nn.functional as F

    stack = torch.from_numpy(np.asarray(image, dtype=np.float32))[None, None]
    small = tuple(2 * round(1.5 / mm) + 1 for mm in spacing_mm)
    mean = F.avg_pool2d(stack, small, stride=1, padding=tuple(size // 2 for size in small), count_include_pad=False)
    inside = (mean >= mean_hu[0]) & (mean <= mean_hu[1])
    if body is not None:
        inside &= torch.from_numpy(np.ascontiguousarray(body))
    reach = [int(np.ceil(margin_mm / mm)) for mm in spacing_mm]
    # what lies beyond the image is not tissue
    outside = F.pad((~inside).float(), (reach[1], reach[1], reach[0], reach[0]), value=1.0)
    for size in ((2 * reach[0] + 1, 1), (1, 2 * reach[1] + 1)):
        outside = F.max_pool2d(outside, size, stride=1)
    return outside[0, 0].numpy() < 0.5


def draw_lesions(
    slices: np.ndarray,
    spacing_mm: tuple[float, float],
    diameter_mm: float = 5.0,
    a_slice: int = 6,
    background: str = "soft tissue",
    bodies: np.ndarray | None = None,
    seed: int = 0,
    apart_mm: float | None = None,
) -> list[Lesion]:
    """Places for lesions, drawn from uniform tissue; the contrast is left at 0.

    Args:
        slices: sharp slices in HU, (slices, rows, columns).
        spacing_mm: (row, column) distance.
        diameter_mm: of the lesions.
        a_slice: at most so many in one slice; fewer where there is no more uniform tissue.
        background: one of :data:`BACKGROUNDS`.
        bodies: pixels they may cover, bool, shape of ``slices``.
        seed: of the draw.
        apart_mm: least distance of two of them; three diameters unless told.

    Raises:
        ValueError: if no slice has a place.
    """
    generator = np.random.default_rng(seed)
    apart = apart_mm or 3.0 * diameter_mm
    lesions = []
    for index, image in enumerate(slices):
        body = None if bodies is None else bodies[index]
        free = uniform_places(image, spacing_mm, BACKGROUNDS[background], diameter_mm, body)
        candidates = generator.permutation(np.argwhere(free))
        chosen: list[np.ndarray] = []
        for place in candidates:
            if all(np.hypot(*((place - other) * spacing_mm)) >= apart for other in chosen):
                chosen.append(place)
                if len(chosen) == a_slice:
                    break
        lesions += [Lesion(index, int(row), int(column), diameter_mm) for row, column in chosen]
    if not lesions:
        raise ValueError(f"no slice has uniform {background} for a lesion of {diameter_mm:g} mm")
    return lesions
