"""What the models were not trained for: artefacts put into a real slice, as figures and as a picture.

    python Testing/benchmarks/failures.py VOLUME PICTURE.png [--slice N]

Metal, few photons and motion go through a forward and a back projection, rings are added, and noise is put on a slice
that is not blurred. Printed is the root mean square in HU, inside the patient and outside the metal, of what the
artefact changed in the input, and of what it changed in the output. More than in the input: the model made it worse.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from skimage.transform import iradon, radon

from ctsgan.degradation.acquisition import MU_WATER, low_count_streaks, ring_artefacts
from ctsgan.enhancement import enhance_slices
from ctsgan.intensity import HU_MAX, HU_MIN
from ctsgan.io.files import read_volume
from ctsgan.metrics import WINDOWS, body_mask
from ctsgan.models import load_generator
from ctsgan.volume import Volume

SCALES = (1, 2)
METAL_HU = 8000.0
METAL_MM = 12.0
"""Radius of each of the two rods, as heads of hip prostheses."""
APART_MM = 90.0
MOVED_MM = 5.0
PHOTONS = {"metal": 3e6, "a large patient": 4e5}
"""For each ray in air; a patient who absorbs more leaves as few as a low dose does."""
NOISE_HU = 20.0
SEED = 1


def with_rods(image: np.ndarray, body: np.ndarray, spacing_mm: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """The slice with two rods of metal in the patient, and where they are."""
    middle = np.argwhere(body).mean(axis=0) * spacing_mm
    grid = np.indices(image.shape) * np.reshape(spacing_mm, (2, 1, 1))
    places = ([middle[0], middle[1] + side * APART_MM / 2] for side in (-1, 1))
    rods = np.any([np.hypot(*(grid - np.reshape(place, (2, 1, 1)))) < METAL_MM for place in places], axis=0)
    return np.where(rods, METAL_HU, image), rods


def moved_half_way(image: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
    """The slice of a patient who moves down by :data:`MOVED_MM` after half of the rotation; square slices only."""
    angles = np.linspace(0.0, 180.0, 360, endpoint=False)
    line = np.arange(len(image)) - len(image) // 2
    seen = line[:, None] ** 2 + line[None] ** 2 <= (len(image) // 2) ** 2
    before = np.where(seen, MU_WATER * np.maximum(1.0 + image / 1000.0, 0.0), 0.0)
    after = np.roll(before, round(MOVED_MM / spacing_mm[0]), axis=0)
    later = angles >= 90.0
    change = np.zeros((len(image), len(angles)))
    change[:, later] = radon((after - before) * seen, theta=angles[later], circle=True)
    return image + iradon(change, theta=angles, circle=True, filter_name="hann") * 1000.0 / MU_WATER


def artefacts(image: np.ndarray, spacing_mm: tuple[float, float]) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, slice with it and pixels that count."""
    body, tensor = body_mask(image), torch.from_numpy(image)
    rods, metal = with_rods(image, body, spacing_mm)
    yield (
        "metal",
        np.where(metal, METAL_HU, low_count_streaks(torch.from_numpy(rods), spacing_mm, PHOTONS["metal"], 10.0, SEED)),
        body & ~metal,
    )
    yield "motion", moved_half_way(image, spacing_mm), body
    few = low_count_streaks(tensor, spacing_mm, PHOTONS["a large patient"], 10.0, SEED)
    yield "a large patient", few.numpy(), body
    rings = ring_artefacts(tensor, spacing_mm, (25.0, 50.0, 80.0, 110.0), (80.0, -80.0, 60.0, -60.0), 2.0)
    yield "rings", rings.numpy(), body
    noise = np.random.default_rng(SEED).normal(0.0, NOISE_HU, image.shape)
    yield "noise without blur", image + noise, body


def clipped(image: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(image, HU_MIN, HU_MAX)).astype(np.int16)


def measure(volume: Volume, index: int) -> Iterator[tuple[str, np.ndarray, dict[int, np.ndarray], dict[int, float]]]:
    """Of each artefact the name, the input, the output by scale, and by scale (0: the input) the HU it changed."""
    networks = {scale: load_generator("light", scale) for scale in SCALES}
    spacing = volume.row_and_column_mm

    def enhanced(image: np.ndarray, scale: int) -> np.ndarray:
        return enhance_slices(image[None], spacing, networks[scale])[0]

    clean = clipped(volume.voxels[index])
    without = {scale: enhanced(clean, scale) for scale in SCALES}
    for name, image, counted in artefacts(clean.astype(np.float32), spacing):
        low = clipped(image)
        outputs = {scale: enhanced(low, scale) for scale in SCALES}
        changed = {0: low.astype(float) - clean}
        changed |= {scale: outputs[scale].astype(float) - without[scale] for scale in SCALES}
        inside = {scale: np.kron(counted, np.ones((max(scale, 1),) * 2, bool)) for scale in changed}
        rms = {scale: float(np.sqrt(np.mean(change[inside[scale]] ** 2))) for scale, change in changed.items()}
        yield name, low, outputs, rms


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("volume", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--slice", type=int, metavar="N", help="which, counted from 0 (default the middle one)")
    arguments = parser.parse_args()
    volume = read_volume(arguments.volume)
    index = len(volume.voxels) // 2 if arguments.slice is None else arguments.slice
    found = list(measure(volume, index))
    print("| artefact | input, HU | " + " | ".join(f"x{scale}, HU" for scale in SCALES) + " |")
    print("|---" * (2 + len(SCALES)) + "|")
    for name, *_, rms in found:
        print(f"| {name} | " + " | ".join(f"{value:.1f}" for value in rms.values()) + " |")

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    inside = np.argwhere(body_mask(volume.voxels[index]))
    (top, left), (bottom, right) = inside.min(axis=0), inside.max(axis=0) + 1
    size = (2.4 * len(found), 2.4 * (1 + len(SCALES)) * (bottom - top) / (right - left) + 0.5)
    figure, axes = pyplot.subplots(1 + len(SCALES), len(found), figsize=size, facecolor="black", layout="constrained")
    for column, (name, low, outputs, _) in enumerate(found):
        for row, (label, image) in enumerate([("input", low), *((f"x{scale}", outputs[scale]) for scale in SCALES)]):
            pixel = len(image) // len(low)
            shown = image[top * pixel : bottom * pixel, left * pixel : right * pixel]
            axes[row, column].imshow(shown, cmap="gray", vmin=WINDOWS["soft"][0], vmax=WINDOWS["soft"][1])
            axes[row, column].set_title(f"{name}: {label}", color="white", fontsize=8)
            axes[row, column].set_axis_off()
    figure.savefig(arguments.picture, dpi=100, facecolor="black")
    print(arguments.picture)


if __name__ == "__main__":
    main()
