"""A picture of what enhancement did to a volume.

    python -m ctsgan.picture INPUT ENHANCED PICTURE.png

Columns: the input, its bicubic interpolation, the enhanced volume, and the difference between the last two.
Rows: a slice in the abdomen window and one in the lung window. The lower half of each shows the marked
square, magnified.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from .io.files import read_volume
from .metrics import WINDOWS, body_mask
from .resample import resample_slices
from .volume import Volume

ROWS = (("abdomen", "soft"), ("lung", "lung"))
"""Title and display window of each row."""

DIFFERENCE_HU = 100.0
INSET = 64
"""Edge of the magnified square in input pixels."""


def _slice_for(volume: Volume, window: str) -> int:
    """For the lung window the slice with the most air inside the patient, else the middle one."""
    if window != "lung":
        return len(volume.voxels) // 2
    return int(np.argmax([np.count_nonzero((image < -300) & body_mask(image)) for image in volume.voxels]))


def _inset_corner(image: np.ndarray, window: str) -> tuple[int, int]:
    """The square (row, column) of the body with most detail in the window."""
    clipped = np.clip(image.astype(float), *WINDOWS[window])
    detail = np.hypot(*np.gradient(clipped)) * body_mask(image)
    sums = np.pad(detail, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    edge = min(INSET, *image.shape)
    boxes = sums[edge:, edge:] - sums[:-edge, edge:] - sums[edge:, :-edge] + sums[:-edge, :-edge]
    row, column = np.unravel_index(np.argmax(boxes), boxes.shape)
    return int(row), int(column)


def draw(source: Volume, enhanced: Volume, path: Path) -> None:
    """Draw the comparison into a PNG. Both volumes cover the same place and have the same slices.

    Raises:
        ValueError: if the slices do not match.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    if len(source.voxels) != len(enhanced.voxels):
        raise ValueError(f"{len(source.voxels)} input slices and {len(enhanced.voxels)} enhanced ones do not match")
    figure, axes = pyplot.subplots(4, 4, figsize=(16, 16.4), facecolor="black", layout="constrained")
    for row, (title, window) in enumerate(ROWS):
        index = _slice_for(source, window)
        image, ours = (volume.voxels[index].astype(np.float32) for volume in (source, enhanced))
        step = tuple(old / new for old, new in zip(image.shape, ours.shape, strict=True))
        bicubic = resample_slices(torch.from_numpy(image)[None, None], ours.shape, step)[0, 0].numpy()
        top, left = _inset_corner(image, window)
        edge = min(INSET, *image.shape)
        columns = (("input", image), ("bicubic", bicubic), ("CTsGANEnhance", ours), ("difference", ours - bicubic))
        for column, (name, picture) in enumerate(columns):
            pixel = image.shape[0] / picture.shape[0]
            difference = name == "difference"
            low, high = (-DIFFERENCE_HU, DIFFERENCE_HU) if difference else WINDOWS[window]
            shown = {"cmap": "RdBu_r" if difference else "gray", "vmin": low, "vmax": high, "interpolation": "nearest"}
            extent = (-0.5, image.shape[1] - 0.5, image.shape[0] - 0.5, -0.5)
            whole, inset = axes[2 * row, column], axes[2 * row + 1, column]
            whole.imshow(picture, extent=extent, **shown)
            whole.add_patch(
                pyplot.Rectangle((left - 0.5, top - 0.5), edge, edge, fill=False, color="orange", linewidth=1)
            )
            rows, cols = (slice(round(first / pixel), round((first + edge) / pixel)) for first in (top, left))
            inset.imshow(picture[rows, cols], **shown)
            scale = f"+-{DIFFERENCE_HU:.0f} HU" if difference else f"{title}, {low:.0f} to {high:.0f} HU"
            whole.set_title(f"{name}  ({scale})", color="white", fontsize=11)
            for axis in (whole, inset):
                axis.set_axis_off()
    figure.savefig(path, dpi=80, facecolor="black")
    pyplot.close(figure)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path)
    parser.add_argument("enhanced", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args(argv)
    draw(read_volume(arguments.input), read_volume(arguments.enhanced), arguments.picture)
    print(arguments.picture)


if __name__ == "__main__":
    main()
