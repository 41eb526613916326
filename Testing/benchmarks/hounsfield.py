"""Whether HU and place survive: regional means, corners, shift, for every scale.

    python Testing/benchmarks/hounsfield.py VOLUME_OR_SERIES [MORE ...]

Discs of 20 mm are put where each tissue is most even, inside the patient (air: outside). Printed is how far
their mean moves between the input and its enhancement with the default settings. The shift is that of the
enhanced footprint mean ("area") against the ground truth, from the peak of their cross-correlation, in output
pixels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from ctsgan.enhancement import enhance_slices
from ctsgan.filters import footprint_mean
from ctsgan.geometry import outer_corners
from ctsgan.io.files import read_volume
from ctsgan.metrics import TISSUES, body_mask, find_disc, subpixel_shift
from ctsgan.models import load_generator, scales
from ctsgan.volume import Volume


def moved_means(volume: Volume, network: torch.nn.Module) -> dict[str, float]:
    """Change of the mean HU of a 20 mm disc in each tissue that the volume has."""
    spacing_mm = volume.row_and_column_mm
    bodies = np.stack([body_mask(image) for image in volume.voxels])
    moved = {}
    for tissue, mean_hu in TISSUES.items():
        within = ~bodies if tissue == "air" else bodies
        disc = find_disc(volume.voxels, spacing_mm, mean_hu, within=within)
        if disc is None:
            continue
        image = volume.voxels[disc.index : disc.index + 1]
        fine = enhance_slices(image, spacing_mm, network)[0]
        shape = image.shape[1:]
        before = image[0][disc.mask(shape, spacing_mm)].mean()
        moved[tissue] = float(fine[disc.mask(shape, spacing_mm, network.scale)].mean() - before)
    return moved


def placement(volume: Volume, network: torch.nn.Module) -> tuple[float, float]:
    """Shift of the reduced and enhanced middle slice against itself, (rows, columns) in output pixels."""
    image = volume.voxels[len(volume.voxels) // 2].astype(np.float32)
    rows, columns = (size // 4 * 4 for size in image.shape)
    truth = np.clip(image[:rows, :columns], -1024, 3071)
    low = footprint_mean(torch.from_numpy(truth), network.scale).round().numpy()
    spacing = tuple(network.scale * mm for mm in volume.row_and_column_mm)
    return subpixel_shift(enhance_slices(low[None], spacing, network)[0], truth)


def corner_error_mm(volume: Volume, scale: int) -> float:
    """Largest distance in mm between the outer corners of the input and of the enhanced volume."""
    slices, rows, columns = volume.voxels.shape
    fine = volume.upscaled(np.zeros((slices, scale * rows, scale * columns), np.int16), scale)
    moved = outer_corners(fine.affine, fine.voxels.shape) - outer_corners(volume.affine, volume.voxels.shape)
    return float(np.linalg.norm(moved, axis=1).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("volumes", type=Path, nargs="+")
    parser.add_argument("--model", default="light")
    parser.add_argument("--strength", default="low")
    arguments = parser.parse_args()
    print("| volume | scale | " + " | ".join(f"{tissue} HU" for tissue in TISSUES) + " | shift (pixels) | corners mm |")
    print("|---" * (4 + len(TISSUES)) + "|")
    for path in arguments.volumes:
        volume = read_volume(path)
        for scale in scales(arguments.model):
            network = load_generator(arguments.model, scale, arguments.strength)
            moved = moved_means(volume, network)
            means = " | ".join(f"{moved[tissue]:+.2f}" if tissue in moved else "-" for tissue in TISSUES)
            shift = np.abs(placement(volume, network)).max()
            corners = corner_error_mm(volume, scale)
            print(f"| {path.name} | x{scale} | {means} | {shift:.2f} | {corners:.1e} |", flush=True)


if __name__ == "__main__":
    main()
