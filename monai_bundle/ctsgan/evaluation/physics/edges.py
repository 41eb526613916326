"""Resolution at the edges of skull phantoms that were really scanned."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...degradation import preset as make_preset
from ...filters import whole_footprints
from ...metrics import edge_mtf
from ..methods.method import Enhance
from ..pairs import degraded
from .numbers import curve

LEVEL_HU = -200.0
"""Between the air and the mean of the phantom near its outline, about 690 HU."""

HALF_WIDTH_MM = 4.5
SLICES = 2


def measure_edges(
    enhance: Enhance | None, scale: int, preset: str, references: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Edge MTF of skull phantoms among the references, the files named ``phantom_skull*``.

    Args:
        enhance: the method; ``None`` measures the references themselves.
        scale: of the method.
        preset: the degradation.
        references: as :func:`ctsgan.data.load_slices` returns them: ``slices`` (n, rows, columns) in HU,
            ``spacing_mm`` and ``name``.

    Returns:
        ``numbers`` (``edge f50 FILE``, ``edge f10 FILE`` in cycles/mm, mean over two slices, ``None`` where no edge
        is clean) and ``curves`` (``mtf`` by file); both empty without such a file.
    """
    numbers: dict[str, float | None] = {}
    curves: dict[str, Any] = {}
    for volume in references:
        name = str(volume["name"]).split(".")[0]
        if not name.startswith("phantom_skull"):
            continue
        slices, spacing = volume["slices"], tuple(volume["spacing_mm"])
        count = len(slices)
        found = []
        for index in sorted({int((part + 0.5) * count / SLICES) for part in range(SLICES)}):
            image = whole_footprints(slices[index], scale).numpy()
            if enhance is not None:
                low = degraded(image, make_preset(preset, scale), index, spacing)
                image = enhance(low, tuple(scale * mm for mm in spacing))
            try:
                found.append(edge_mtf(image, spacing, LEVEL_HU, HALF_WIDTH_MM))
            except ValueError:
                continue
        for level in ("f50", "f10"):
            values = [getattr(edge, level) for edge in found if math.isfinite(getattr(edge, level))]
            numbers[f"edge {level} {name}"] = float(np.mean(values)) if values else None
        if found:
            curves[name] = curve(found[0].frequency, np.mean([edge.value for edge in found], axis=0))
    return {"numbers": numbers, "curves": {"mtf": curves} if curves else {}}
