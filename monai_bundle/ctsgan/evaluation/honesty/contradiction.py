"""Where an output contradicts its input."""

from __future__ import annotations

import numpy as np
import torch

from ...degradation import PROTOCOLS
from ...degradation import preset as make_preset
from ...filters import footprint_mean
from ...metrics import contradiction


def contradiction_map(
    low: np.ndarray, output: np.ndarray, spacing_mm: tuple[float, float], scale: int, preset: str
) -> tuple[np.ndarray, float]:
    """Where an output contradicts its input: |low - degrade(output)| in HU, and its root mean square.

    The degradation is that of the preset without its noise: what is left is noise that the method removed, and what
    it painted (:func:`ctsgan.metrics.contradiction`).

    Args:
        low: the input, HU, (rows, columns).
        output: what a method made of it, HU, (scale rows, scale columns).
        spacing_mm: (row, column) distance of ``low``.
        scale: of the method.
        preset: where it draws its blur ("scanner", "paper"), and for pairs that somebody else made, of any other
            name, the mean over each footprint is taken, so that a blur that was undone counts as contradiction too.

    Returns:
        The map, (rows, columns), and its root mean square.
    """
    fine = tuple(mm / scale for mm in spacing_mm)

    def degrade(image: np.ndarray) -> np.ndarray:
        tensor = torch.from_numpy(np.asarray(image, dtype=np.float32))
        if preset not in PROTOCOLS:
            return footprint_mean(tensor, scale).numpy()
        chain = make_preset(preset, scale)
        chain.noise = None
        return chain(tensor, fine).numpy()

    shown = contradiction(np.asarray(low)[None], np.asarray(output)[None], degrade)[0]
    return shown, float(np.sqrt(np.mean(shown**2)))
