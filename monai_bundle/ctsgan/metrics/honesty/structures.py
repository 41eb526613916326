"""Real small structures that are taken out of a slice."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..regions import distance_mm
from .detector import detector_map, peaks
from .lesions import Lesion


def find_structures(
    slices: np.ndarray,
    spacing_mm: tuple[float, float],
    diameter_mm: float = 5.0,
    contrast_hu: float = 50.0,
    bodies: np.ndarray | None = None,
    a_slice: int = 6,
) -> list[Lesion]:
    """Real small structures that stand out of even surroundings, such as vessels seen end-on; candidates to delete.

    A place qualifies if the detector reads at least ``contrast_hu`` there, more than anywhere within a diameter, and
    the ring around it, where a deletion is filled from, varies by less than a third of that contrast.

    Returns:
        As lesions with the contrast that the detector read, the strongest ``a_slice`` of each slice.
    """
    reach = tuple(int(np.ceil(diameter_mm / mm)) for mm in spacing_mm)
    rows, columns = (np.arange(-extent, extent + 1) * mm for extent, mm in zip(reach, spacing_mm, strict=True))
    distance = np.hypot(rows[:, None], columns[None])
    ring = (distance > 0.8 * diameter_mm) & (distance <= diameter_mm)
    found = []
    for index, image in enumerate(slices):
        height = detector_map(image, diameter_mm, spacing_mm)
        allowed = np.zeros(image.shape, bool)
        allowed[reach[0] : -reach[0], reach[1] : -reach[1]] = True
        if bodies is not None:
            allowed &= bodies[index]
        count = 0
        for row, column in peaks(height, allowed, contrast_hu, reach):
            around = image[row - reach[0] : row + reach[0] + 1, column - reach[1] : column + reach[1] + 1][ring]
            if around.std() < height[row, column] / 3.0:
                found.append(Lesion(index, int(row), int(column), diameter_mm, float(height[row, column])))
                count += 1
                if count == a_slice:
                    break
    return found


def delete_structures(
    slices: np.ndarray, structures: Sequence[Lesion], spacing_mm: tuple[float, float], margin: float = 1.6
) -> np.ndarray:
    """Copies of slices with structures taken out, float64.

    A disc of ``margin`` times the diameter is filled with the smoothest surface that meets its surroundings: the
    solution of Laplace's equation. It has no noise of its own.
    """
    result = np.array(slices, dtype=np.float64)
    for structure in structures:
        image = result[structure.index]
        distance = distance_mm(image.shape, spacing_mm, structure.row, structure.column)
        inside = distance <= margin * structure.diameter_mm / 2.0
        places = np.argwhere(inside)
        number = np.full(image.shape, -1)
        number[inside] = np.arange(len(places))
        matrix, right = np.zeros((len(places), len(places))), np.zeros(len(places))
        for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
            beside = places + step
            exists = ((beside >= 0) & (beside < image.shape)).all(axis=1)
            equation, neighbour = np.nonzero(exists)[0], tuple(beside[exists].T)
            matrix[equation, equation] += 1.0
            unknown = number[neighbour] >= 0
            matrix[equation[unknown], number[neighbour][unknown]] -= 1.0
            np.add.at(right, equation[~unknown], image[neighbour][~unknown])
        image[inside] = np.linalg.solve(matrix, right)
    return result
