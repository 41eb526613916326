"""What the noise of degraded slices tells of their blur: the softness that the package measures, and how it was fitted.

    python Testing/benchmarks/softness.py DATASET [--scale 2] [--every 10]

DATASET has train/ and val/. Fitted is a logistic function of a slice's noise texture and of its products by twos:
blurred and noisy slices against slices that were reduced, smooth ones too, or reduced and noisy, of training patients.
Printed are its weights, and for each split and degradation the percentiles of the softness that they give slices, and
how many volumes, by the median of their slices, fall on the wrong side of a half.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ctsgan.data import find_sources, load_slices
from ctsgan.degradation import Degradation, RandBlur, RandNoise, RandReduce, ScannerDegradation, preset
from ctsgan.degradation.chain import Chain
from ctsgan.filters import gaussian_blur
from ctsgan.softness import monomials, noise_texture

NOISE_HU = (3.0, 25.0)
SHARP, SOFT = ("area", "bicubic", "noisy", "smooth"), ("portable", "blurred")
SMOOTH_PIXELS = (0.5, 2.0)
RIDGE = 0.002
"""Of the weights' squares, for inputs of standard deviation 1, beside the mean loss of a slice."""


class SmoothSlice(Degradation):
    """The footprint mean of a slice that was smooth before, as training shows them."""

    def __call__(self, image: torch.Tensor, spacing_mm: Sequence[float], randomize: bool = True) -> torch.Tensor:
        sigma_mm = self.R.uniform(*SMOOTH_PIXELS) * float(np.mean(spacing_mm))
        return super().__call__(gaussian_blur(image, sigma_mm, spacing_mm), spacing_mm, randomize)


def chains(scale: int) -> dict[str, Chain]:
    """The protocols, and what trains the told models; the scanner only to see what it is taken for."""
    reduce = RandReduce(0.1)
    return {
        **{name: preset(name, scale) for name in ("area", "bicubic", "portable")},
        "blurred": Degradation(scale, RandBlur((0.4, 0.8)), reduce, RandNoise(NOISE_HU, [(1.0, 2.0, 1.0)])),
        "smooth": SmoothSlice(scale),
        "noisy": Degradation(scale, None, reduce, RandNoise(NOISE_HU, [(1.0,)])),
        "scanner": ScannerDegradation(scale),
    }


def textures_by_volume(dataset: Path, split: str, chain: Chain, every: int) -> list[np.ndarray]:
    """Of every n-th slice that has enough soft tissue: (slices, 5) for each volume that has any."""
    by_volume = []
    for volume in load_slices(find_sources(dataset, split)):
        textures = []
        for index in range(0, len(volume["slices"]), every):
            chain.set_random_state(zlib.crc32(f"{volume['name']} {index}".encode()))
            low = chain(volume["slices"][index].float()[None], volume["spacing_mm"]).numpy()
            textures.append(noise_texture(low[0]))
        textures = [texture for texture in textures if texture is not None]
        if textures:
            by_volume.append(np.array(textures))
    return by_volume


def softness(textures: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-monomials(textures) @ weights))


def fit(sharp: np.ndarray, soft: np.ndarray) -> np.ndarray:
    """Weights of :func:`ctsgan.softness.monomials`, both kinds with the same weight, by Newton's method."""
    inputs = monomials(np.concatenate([sharp, soft]))
    is_soft = np.repeat([0.0, 1.0], [len(sharp), len(soft)])
    share = np.where(is_soft, 0.5 / len(soft), 0.5 / len(sharp))
    ridge = 2.0 * RIDGE * np.diag(inputs.var(axis=0))
    weights = np.zeros(inputs.shape[1])
    for _ in range(50):
        chance = 1.0 / (1.0 + np.exp(-inputs @ weights))
        slope = inputs.T @ (share * (chance - is_soft)) + ridge @ weights
        curvature = (inputs.T * (share * chance * (1.0 - chance))) @ inputs + ridge
        weights -= np.linalg.solve(curvature + 1e-9 * np.eye(len(weights)), slope)
    return weights


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--scale", type=int, choices=(1, 2, 4), default=2)
    parser.add_argument("--every", type=int, default=10, help="measure every n-th slice")
    arguments = parser.parse_args()
    measured = {
        (split, name): textures_by_volume(arguments.dataset, split, chain, arguments.every)
        for split in ("train", "val")
        for name, chain in chains(arguments.scale).items()
    }
    sharp, soft = (np.concatenate([x for name in names for x in measured["train", name]]) for names in (SHARP, SOFT))
    weights = fit(sharp, soft).round(3)
    print("| split | degradation | slices | softness 5 %, 25 %, 50 %, 75 %, 95 % | volumes | on the wrong side |")
    print("|---|---|---|---|---|---|")
    for (split, name), by_volume in measured.items():
        values = [softness(textures, weights) for textures in by_volume]
        percentiles = np.percentile(np.concatenate(values), [5, 25, 50, 75, 95])
        wrong = sum((np.median(of_slices) > 0.5) == (name not in SOFT) for of_slices in values)
        cells = (split, name, sum(map(len, values)), ", ".join(f"{x:.2f}" for x in percentiles), len(values), wrong)
        print(f"| {' | '.join(map(str, cells))} |")
    print("weights", ", ".join(f"{weight:.3f}" for weight in weights))


if __name__ == "__main__":
    main()
