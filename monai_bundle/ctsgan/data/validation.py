"""Fixed pairs for curves while training."""

from __future__ import annotations

from typing import Any

from ..degradation import Chain
from ..intensity import to_network_range
from ..softness import measure_softness, with_softness


def validation_pairs(
    volumes: list[dict[str, Any]],
    degradation: Chain,
    slices_a_volume: int = 2,
    crop: int = 256,
    seed: int = 0,
    tell: bool = False,
) -> list[dict[str, Any]]:
    """Fixed pairs from the middle of evenly spaced slices, degraded with one seed.

    Args:
        volumes: as :func:`load_slices` returns them.
        degradation: what makes the input.
        slices_a_volume: at most.
        crop: side of the label in pixels; less, a multiple of 4, where a slice is smaller.
        seed: of what is drawn.
        tell: measure the softness of each input slice and give it too, as a network that is told gets it.

    Returns:
        Dictionaries with ``image`` (1, crop / factor, crop / factor), with ``tell`` (2, ...), and ``label``
        (1, crop, crop) in the networks' range.
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
            low = degradation(sharp, volume["spacing_mm"])
            image = to_network_range(low)
            if tell:
                image = with_softness(
                    image[None], image.new_tensor([measure_softness(low.numpy(), degradation.factor)])
                )[0]
            pairs.append({"image": image, "label": to_network_range(sharp)})
    return pairs
