"""What sharpened targets would teach: how far unsharp masking moves HU on a real slice.

    python Testing/benchmarks/unsharp.py VOLUME_OR_SERIES [MORE ...]

The middle slice, sharpened as Real-ESRGAN sharpens its targets. Overshoot is the largest move up and down of any
pixel; beside an edge are the pixels within 5 mm of a step of more than 200 HU, inside the patient; even tissue is
the rest of the patient. Printed are the means of what lies brighter and of what lies darker than it was, and the
share of pixels that moved by more than 5 HU.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from scipy import ndimage

from ctsgan.filters import unsharp
from ctsgan.io.files import read_volume
from ctsgan.metrics import body_mask

BESIDE_MM = 5.0
STEP_HU = 200.0


def beside_edges(image: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
    """Pixels within :data:`BESIDE_MM` of neighbours that differ by more than :data:`STEP_HU`."""
    step = ndimage.maximum_filter(image, 3) - ndimage.minimum_filter(image, 3) > STEP_HU
    return ndimage.distance_transform_edt(~step, sampling=spacing_mm) <= BESIDE_MM


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("volumes", type=Path, nargs="+")
    parser.add_argument("--amount", type=float, default=0.5)
    arguments = parser.parse_args()
    print("| volume | overshoot HU | where | brighter by HU | darker by HU | moved by more than 5 HU |")
    print("|---|---|---|---|---|---|")
    for path in arguments.volumes:
        volume = read_volume(path)
        image = volume.voxels[len(volume.voxels) // 2].astype(np.float32)
        change = (unsharp(torch.from_numpy(image), arguments.amount) - torch.from_numpy(image)).numpy()
        body, edges = body_mask(image), beside_edges(image, volume.row_and_column_mm)
        overshoot = f"{change.min():+.0f} to {change.max():+.0f}"
        for where, chosen in (("beside edges", body & edges), ("even tissue", body & ~edges)):
            moved = change[chosen]
            if not moved.size:
                continue
            up, down = (part.mean() if part.size else 0.0 for part in (moved[moved > 0], moved[moved < 0]))
            share = 100 * (np.abs(moved) > 5).mean()
            print(f"| {path.name} | {overshoot} | {where} | {up:+.1f} | {down:+.1f} | {share:.0f} % |", flush=True)


if __name__ == "__main__":
    main()
