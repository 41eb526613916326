"""What the noise of degraded slices tells of their blur: the texture by degradation, and the softness fitted to it.

    python Testing/benchmarks/softness.py DATASET [--scale 2] [--every 10]

DATASET has train/ and val/. Fitted is a logistic function of the texture's logarithm, blurred and noisy slices against
slices that were reduced, or reduced and noisy, of training patients; printed are its middle and steepness, and for each
split and degradation the 5th, 50th and 95th percentile of the texture and of the softness that the package has.
"""

from __future__ import annotations

import argparse
import zlib
from pathlib import Path

import numpy as np
import torch

from ctsgan.data import find_sources, load_slices
from ctsgan.degradation import Degradation, RandBlur, RandNoise, RandReduce, ScannerDegradation, preset
from ctsgan.degradation.chain import Chain
from ctsgan.softness import measure_softness, noise_texture

NOISE_HU = (3.0, 25.0)
SHARP, SOFT = ("area", "bicubic", "noisy"), ("portable", "blurred")


def chains(scale: int) -> dict[str, Chain]:
    """The protocols, and what trains the told models; the scanner only to see what it is taken for."""
    reduce = RandReduce(0.1)
    return {
        **{name: preset(name, scale) for name in ("area", "bicubic", "portable")},
        "blurred": Degradation(scale, RandBlur((0.4, 0.8)), reduce, RandNoise(NOISE_HU, [(1.0, 2.0, 1.0)])),
        "noisy": Degradation(scale, None, reduce, RandNoise(NOISE_HU, [(1.0,)])),
        "scanner": ScannerDegradation(scale),
    }


def measure(dataset: Path, split: str, chain: Chain, every: int) -> tuple[np.ndarray, np.ndarray]:
    """Texture and softness of every n-th slice that has enough soft tissue."""
    textures, softness = [], []
    for volume in load_slices(find_sources(dataset, split)):
        for index in range(0, len(volume["slices"]), every):
            chain.set_random_state(zlib.crc32(f"{volume['name']} {index}".encode()))
            low = chain(volume["slices"][index].float()[None], volume["spacing_mm"]).numpy()
            texture = noise_texture(low[0])
            if texture is not None:
                textures.append(texture)
                softness.append(measure_softness(low))
    return np.array(textures), np.array(softness)


def fit(sharp: np.ndarray, soft: np.ndarray) -> tuple[float, float]:
    """Middle and steepness of the logistic function that tells them apart, both kinds with the same weight."""
    logarithms = torch.from_numpy(np.log(np.concatenate([sharp, soft])))
    is_soft = torch.cat([torch.zeros(len(sharp)), torch.ones(len(soft))]).double()
    line = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([line], max_iter=300)

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            line[0] * logarithms + line[1], is_soft, pos_weight=torch.tensor(len(sharp) / len(soft))
        )
        loss.backward()
        return loss

    optimizer.step(closure)
    slope, offset = line.tolist()
    return float(np.exp(-offset / slope)), slope


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--scale", type=int, choices=(1, 2, 4), default=2)
    parser.add_argument("--every", type=int, default=10, help="measure every n-th slice")
    arguments = parser.parse_args()
    print("| split | degradation | slices | texture 5 %, 50 %, 95 % | softness 5 %, 50 %, 95 % | above 0.5 |")
    print("|---|---|---|---|---|---|")
    trained = {}
    for split in ("train", "val"):
        for name, chain in chains(arguments.scale).items():
            textures, softness = measure(arguments.dataset, split, chain, arguments.every)
            if split == "train":
                trained[name] = textures
            cells = (", ".join(f"{value:.2f}" for value in np.percentile(x, [5, 50, 95])) for x in (textures, softness))
            print(
                f"| {split} | {name} | {len(textures)} | {' | '.join(cells)} | {(softness > 0.5).sum()} |", flush=True
            )
    sharp, soft = (np.concatenate([trained[name] for name in names]) for names in (SHARP, SOFT))
    print("middle {:.2f}, steepness {:.1f}".format(*fit(sharp, soft)))


if __name__ == "__main__":
    main()
