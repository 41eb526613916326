"""Pictures of the places where ours and the baseline disagree most."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import CTError, reason
from ..io.output import partial_output
from ..metrics.perception import grey_picture
from .measure import BOX, Ready, enhanced
from .pairs import Pair

WINDOW = "soft"
DIFFERENCE_HU = 100.0
"""Error that has the full colour in a map of differences."""

COLOURS = (
    (-1.0, (5, 48, 97)),
    (-0.5, (67, 147, 195)),
    (0.0, (247, 247, 247)),
    (0.5, (214, 96, 77)),
    (1.0, (103, 0, 31)),
)
"""From too dark, blue, over white to too bright, red: ColorBrewer's RdBu, which the colour-blind can read."""

A_PRESET = 3
"""Examples of each preset, at most; each of another patient where there are so many."""

MAGNIFIED = 2
"""A crop's pixels become so many of its picture's."""


def diverging(difference_hu: np.ndarray) -> np.ndarray:
    """Colours (rows, columns, 3), uint8, of differences in HU."""
    places, colours = zip(*COLOURS, strict=True)
    share = difference_hu / DIFFERENCE_HU
    return np.stack([np.interp(share, places, channel) for channel in zip(*colours, strict=True)], axis=-1).astype(
        np.uint8
    )


def choose_places(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The slices with the largest disagreement, one of each patient first, :data:`A_PRESET` at most.

    Args:
        found: ``patient`` and ``place`` of each slice, place as :func:`ctsgan.evaluation.measure.disagreement` says.
    """
    ordered = sorted(found, key=lambda item: -item["place"][0])
    seen: set[str] = set()
    firsts = [item for item in ordered if not (item["patient"] in seen or seen.add(item["patient"]))]
    others = [item for item in ordered if item not in firsts]
    return (firsts + others)[:A_PRESET]


def write_example(pair: Pair, place: Sequence[float], ready: Sequence[Ready], out: Path, number: int) -> dict[str, Any]:
    """One crop by every method as PNGs in ``out/examples``, 8-bit grey in the soft-tissue window, and differences.

    Args:
        pair: the slice.
        place: as :func:`ctsgan.evaluation.measure.disagreement` says.
        ready: the methods.
        out: folder of the evaluation.
        number: of the example, which makes its files' names.

    Returns:
        The entry of ``results["examples"]``, names of files relative to ``out``.

    Raises:
        CTError: if a picture cannot be written.
    """
    first_row, first_column = (int(value) for value in place[1:])
    rows, columns = (min(BOX, size) for size in pair.reference.shape)
    crop = (slice(first_row, first_row + rows), slice(first_column, first_column + columns))
    reference = pair.reference[crop].astype(np.float64)
    folder = Path("examples")
    stem = f"{number:02d}_{pair.preset}"

    def write(image: np.ndarray, name: str) -> str:
        from PIL import Image

        path = folder / f"{stem}_{name}.png"
        large = image.repeat(MAGNIFIED, axis=0).repeat(MAGNIFIED, axis=1)
        try:
            with partial_output(out / path, overwrite=True) as partial:
                Image.fromarray(large).save(partial)
        except OSError as error:
            raise CTError(f"{out / path} could not be written: {reason(error)}") from None
        return path.as_posix()

    def grey(image: np.ndarray) -> np.ndarray:
        return np.rint(grey_picture(image, WINDOW)).astype(np.uint8)

    shown = {}
    for index, method in enumerate(ready):
        image = enhanced(method, pair)[crop].astype(np.float64)
        shown[method.name] = {
            "image": write(grey(image), f"{index:02d}"),
            "difference": write(diverging(image - reference), f"{index:02d}_difference"),
        }
    return {
        "preset": pair.preset,
        "file": pair.file,
        "slice": pair.index,
        "window": WINDOW,
        "box": [first_row, first_row + rows, first_column, first_column + columns],
        "difference_hu": DIFFERENCE_HU,
        "reference": write(grey(reference), "reference"),
        "methods": shown,
    }
