"""Fixed pairs for curves while training."""

from __future__ import annotations

from typing import Any

from ..degradation import Chain
from ..intensity import to_network_range


def validation_pairs(
    volumes: list[dict[str, Any]], degradation: Chain, slices_a_volume: int = 2, crop: int = 256, seed: int = 0
) -> list[dict[str, Any]]:
    """Fixed pairs from the middle of evenly spaced slices, degraded with one seed.

    Args:
        volumes: as :func:`load_slices` returns them.
        degradation: what makes the input.
        slices_a_volume: at most.
        crop: side of the label in pixels; less, a multiple of 4, where a slice is smaller.
        seed: of what is drawn.

    Returns:
        Dictionaries with ``image`` (1, crop / factor, crop / factor) and ``label`` (1, crop, crop) in the
        networks' range.
    """
    degradation.set_random_state(seed)
    pairs = []
    for volume in volumes:
        count = len(volume["slices"])
        for index in sorted({int((i + 0.5) * count / slices_a_volume) for i in range(slices_a_volume)}):
            image = volume["slices"][index].float()
            side = min(crop, *(4 * (extent // 4) for extent in image.shape))
            row, column = ((extent - side) // 2 for extent in image.shape)
            sharp = image[None, row : row + side, column : column + side]
            pairs.append(
                {
                    "image": to_network_range(degradation(sharp, volume["spacing_mm"])),
                    "label": to_network_range(sharp),
                }
            )
    return pairs
