"""What the noise of degraded slices tells of their kernel: the softness that is measured, and how it was fitted.

    python Testing/benchmarks/softness.py DATASET [--scale 2] [--every 3] [--write]

DATASET has train/ and val/. Fitted is a logistic function, of three kinds, of a slice's noise texture and of its
products by twos, on training patients: sharpened (reduced by an antialiased bicubic filter), neither (footprint means,
noisy ones too), soft (blurred and noisy). Smooth slices, of which the first two look alike, count less. Printed are for
each split and degradation the percentiles of the softness of slices, and how many volumes, by the median of their
slices, are nearer to another kind. --write puts the fit into the package.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

import ctsgan.softness
from ctsgan.data import find_sources, load_slices
from ctsgan.degradation import Degradation, RandBlur, RandNoise, RandReduce, ScannerDegradation, preset
from ctsgan.degradation.chain import Chain
from ctsgan.filters import gaussian_blur
from ctsgan.softness import monomials, noise_texture, softness_of

NOISE_HU = (3.0, 25.0)
KINDS = {
    "sharpened": ("bicubic", "smooth, bicubic"),
    "neither": ("area", "noisy", "smooth"),
    "soft": ("portable", "blurred"),
}
SMOOTH_SHARE = 0.3
"""How much a smooth slice counts beside another."""
SMOOTH_PIXELS = (0.5, 2.0)
RIDGE = 0.002
"""Of the weights' squares, for inputs of standard deviation 1, beside the mean loss of a slice."""


class SmoothSlice(Degradation):
    """A slice that was smooth before it was reduced, as training shows them."""

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
        "smooth, bicubic": SmoothSlice(scale, reduce=RandReduce(1.0)),
        "noisy": Degradation(scale, None, reduce, RandNoise(NOISE_HU, [(1.0,)])),
        "scanner": ScannerDegradation(scale),
    }


def textures_by_volume(dataset: Path, split: str, chain: Chain, every: int) -> list[np.ndarray]:
    """Of every n-th slice that has enough soft tissue: (slices, numbers) for each volume that has any."""
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


def fit(textures: dict[str, np.ndarray]) -> dict[str, list[float]]:
    """Of textures (slices, numbers) by name of a chain, what :func:`ctsgan.softness.fitted` returns.

    Each kind weighs the same.
    """
    kind_of = {name: kind for kind, names in KINDS.items() for name in names}
    shares = {name: SMOOTH_SHARE if "smooth" in name else 1.0 for name in kind_of}
    together = np.concatenate([textures[name] for name in kind_of])
    mean, spread = together.mean(axis=0), together.std(axis=0)
    inputs = monomials((together - mean) / spread)
    unit = np.append(1.0, inputs.std(axis=0)[1:])
    slices = [len(textures[name]) for name in kind_of]
    kinds = np.repeat([list(KINDS).index(kind) for kind in kind_of.values()], slices)
    weigh = np.repeat([shares[name] / len(KINDS[kind]) for name, kind in kind_of.items()] / np.array(slices), slices)
    kinds, weigh, scaled = map(torch.tensor, (kinds, weigh / len(KINDS), inputs / unit))
    weights = torch.zeros(inputs.shape[1], len(KINDS), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=400, history_size=30, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        of_slices = torch.nn.functional.cross_entropy(scaled @ weights, kinds, reduction="none")
        total = (of_slices * weigh).sum() + RIDGE * weights[1:].square().sum()
        total.backward()
        return total

    optimizer.step(loss)
    found = weights.detach().numpy() / unit[:, None]
    found = found - found[:, list(KINDS).index("neither"), None]
    columns = {kind: found[:, index] for index, kind in enumerate(KINDS) if kind != "neither"}
    return {
        name: [round(float(value), 4) for value in values]
        for name, values in {"mean": mean, "spread": spread, **columns}.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--scale", type=int, choices=(2, 4), default=2)
    parser.add_argument("--every", type=int, default=3, help="measure every n-th slice")
    parser.add_argument("--write", action="store_true", help="put the fit into the package")
    arguments = parser.parse_args()
    measured = {
        (split, name): textures_by_volume(arguments.dataset, split, chain, arguments.every)
        for split in ("train", "val")
        for name, chain in chains(arguments.scale).items()
    }
    found = fit({name: np.concatenate(measured["train", name]) for names in KINDS.values() for name in names})
    if arguments.write:
        path = Path(ctsgan.softness.__file__).with_name("softness.json")
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        content = dict(sorted({**content, str(arguments.scale): found}.items()))
        path.write_text(json.dumps(content) + "\n", encoding="utf-8")
    arrays = {name: np.array(values) for name, values in found.items()}
    middle = {name: value for value, kind in zip((-1, 0, 1), KINDS, strict=True) for name in KINDS[kind]}
    print("| split | degradation | slices | softness 5 %, 25 %, 50 %, 75 %, 95 % | volumes | nearer to another kind |")
    print("|---|---|---|---|---|---|")
    for (split, name), by_volume in measured.items():
        values = [softness_of(textures, arrays) for textures in by_volume]
        percentiles = np.percentile(np.concatenate(values), [5, 25, 50, 75, 95])
        wrong = sum(abs(np.median(of_slices) - middle[name]) > 0.5 for of_slices in values) if name in middle else "-"
        cells = (split, name, sum(map(len, values)), ", ".join(f"{x:.2f}" for x in percentiles), len(values), wrong)
        print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main()
