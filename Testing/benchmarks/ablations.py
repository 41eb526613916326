"""What each part of the paper's system is worth: small generators, trained with and without it for equally long.

    PYTHONPATH=Testing python -m benchmarks.ablations DATASET RUNS [--updates 1500 600] [--every 8] [--variant ...]

DATASET has ``train`` and ``val`` as training takes it; RUNS receives a folder for each variant, in which an
interrupted training goes on. All variants are CTsGAN's x4 generator with 4 blocks of 32 and 16 features and see the
same patches. The second stages begin with the first stage's ``as the paper``. Each is compared with the one it differs
from in one part only, patient by patient, on slices of ``val``; brackets are 95 % intervals over patients.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from ctsgan.enhancement import FIDELITY_MM, Settings
from ctsgan.evaluation.methods.ours import of_network
from ctsgan.evaluation.pairs import Pair
from ctsgan.evaluation.results import patient_scores
from ctsgan.evaluation.scores import score
from ctsgan.evaluation.sources import find_sources
from ctsgan.evaluation.statistics import bootstrap
from ctsgan.networks import CTsGANGenerator, VGGFeatures
from ctsgan.paths import bundle_root
from ctsgan.trainer import CHECKPOINT

MODULE = "benchmarks.ablations"
"""By which the training processes find the classes below."""

SCALE = 4
SMALL = {"features": 32, "growth": 16, "blocks": 4}
PRESETS = ("area", "portable", "paper")
SCORES = {"PSNR wide, whole slice": 2, "PSNR soft": 2, "SSIM soft": 3, "ST-LPIPS": 3, "contradiction": 2}
"""What is shown, with its digits."""


class PixelShuffleGenerator(CTsGANGenerator):
    """The generator with pixel shuffle in the place of nearest-neighbour upsampling and a convolution."""

    def __init__(self, **arguments: int) -> None:
        super().__init__(**arguments)
        channels = self.conv_up1.in_channels
        self.conv_up1 = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        self.conv_up2 = nn.Conv2d(channels, 4 * channels, 3, padding=1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        shallow = self.conv_first(F.pixel_unshuffle(image, self.size_multiple))
        features = shallow + self.conv_body(self.body(shallow))
        for upsample in (self.conv_up1, self.conv_up2):
            features = self.activate(F.pixel_shuffle(upsample(features), 2))
        return self.conv_last(self.activate(self.conv_hr(features)))


class ActivatedFeatures(VGGFeatures):
    """The perceptual features after the activation, as SRGAN compares them."""

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        return [F.relu(response) for response in super().forward(image)]


@dataclass(frozen=True)
class Variant:
    """A training run, or a setting of the enhancement.

    Args:
        name: of it, and of its folder.
        against: the variant it differs from in one part, or "" for none.
        generator: its class.
        batch_norm: whether the generator has it.
        options: of ``monai.bundle run`` beside those of its stage.
        second_stage: whether it is one.
        fidelity_mm: of the enhancement.
        weights: the variant whose weights it takes instead of a training of its own.
    """

    name: str
    against: str = ""
    generator: type[CTsGANGenerator] = CTsGANGenerator
    batch_norm: bool = True
    options: tuple[str, ...] = ()
    second_stage: bool = False
    fidelity_mm: float | None = FIDELITY_MM
    weights: str = ""


PAPER = "as the paper"
GAN = "second stage"
VARIANTS = (
    Variant(PAPER),
    Variant("without batch normalisation", PAPER, batch_norm=False),
    Variant("pixel shuffle for nearest upsampling", PAPER, generator=PixelShuffleGenerator),
    Variant("degradation of first order", PAPER, options=("--degradation#order", "1")),
    Variant("without the fidelity step", PAPER, fidelity_mm=None, weights=PAPER),
    Variant(GAN, PAPER, second_stage=True),
    Variant("second stage without voxel loss", GAN, options=("--voxel_weight", "0.0"), second_stage=True),
    Variant(
        "second stage, features after activation",
        GAN,
        options=("--loss_function#perceptual#features#_target_", f"{MODULE}.ActivatedFeatures"),
        second_stage=True,
    ),
    Variant("second stage without the fidelity step", GAN, second_stage=True, fidelity_mm=None, weights=GAN),
)
BY_NAME = {variant.name: variant for variant in VARIANTS}


def folder_of(runs: Path, variant: Variant) -> Path:
    """Where a variant's training keeps its checkpoint."""
    return runs / (variant.weights or variant.name).replace(" ", "_").replace(",", "")


def train(variant: Variant, dataset: Path, runs: Path, updates: Sequence[int]) -> None:
    """Train a variant to the end, or go on with it."""
    if variant.weights:
        return
    root = bundle_root()
    names = ["train_psnr", "train_paper", "train_gan"][: 3 if variant.second_stage else 2]
    options = {
        "config_file": str([str(root / "configs" / f"{name}.json") for name in names]),
        "meta_file": root / "configs" / "metadata.json",
        "logging_file": root / "configs" / "logging.conf",
        "bundle_root": root,
        "dataset_dir": dataset,
        "cache_dir": runs / "packed",
        "output_dir": folder_of(runs, variant),
        "scale": SCALE,
        "batch_size": 8,
        "network_def#_target_": f"{MODULE}.{variant.generator.__name__}"
        if variant.generator is not CTsGANGenerator
        else None,
        **{f"network_def#{name}": value for name, value in SMALL.items()},
        "network_def#batch_norm": variant.batch_norm,
        "degradation#order": 2,
        "degradation#redraw_every": 1,
        "epoch_length": 50,
        "max_epochs": updates[variant.second_stage] // 50,
        "val_interval": 10**6,
        # a budget this small ends long before the paper's rate would fall
        "learning_rate": 2e-4 if variant.second_stage else 5e-4,
        "patch_size": 16 if variant.second_stage else 32,
        "init_from": folder_of(runs, BY_NAME[PAPER]) / CHECKPOINT if variant.second_stage else "",
    }
    if variant.second_stage:
        # the paper's losses, and no other
        options |= {"discriminator_def#features": 32, "checkerboard_weight": 0}
    command = [sys.executable, "-m", "monai.bundle", "run"]
    for name, value in options.items():
        if value is not None:
            command += [f"--{name}", str(value)]
    subprocess.run([*command, *variant.options], check=True)


def load(variant: Variant, runs: Path) -> CTsGANGenerator:
    """The averaged weights of a variant."""
    network = variant.generator(scale=SCALE, batch_norm=variant.batch_norm, **SMALL)
    state = torch.load(folder_of(runs, variant) / CHECKPOINT, map_location="cpu", weights_only=True)
    network.load_state_dict(state["averaged"])
    return network.eval()


def measure(variant: Variant, runs: Path, pairs: Sequence[Pair]) -> list[dict[str, Any]]:
    """The scores of each pair."""
    enhance = of_network(load(variant, runs), Settings(fidelity_mm=variant.fidelity_mm))
    rows = []
    for pair in pairs:
        image = enhance(pair.low, pair.spacing_mm)
        found: dict[str, float] = {}
        for group in ("fidelity", "perception", "honesty"):
            found |= score(image, pair, group)
        rows.append({"file": pair.file, "scores": found})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--updates", type=int, nargs=2, default=[1500, 600], help="of the first and second stage")
    parser.add_argument("--every", type=int, default=8, help="measure every n-th slice")
    parser.add_argument("--variant", nargs="+", choices=BY_NAME, default=list(BY_NAME), help="only these")
    arguments = parser.parse_args()
    chosen = [BY_NAME[name] for name in arguments.variant]
    for variant in chosen:
        train(variant, arguments.dataset, arguments.runs, arguments.updates)

    sources, _, _ = find_sources(arguments.dataset / "val", SCALE)
    patient_of = {source.name: source.patient for source in sources}
    print("| protocol | variant | " + " | ".join(SCORES) + " |")
    print("|---" * (2 + len(SCORES)) + "|", flush=True)
    for preset in PRESETS:
        pairs = [
            pair
            for source in sources
            for pair in source.pairs([preset], SCALE, range(0, source.slices, arguments.every))
        ]
        found = {variant.name: measure(variant, arguments.runs, pairs) for variant in chosen}
        means = patient_scores(found, patient_of)
        for variant in chosen:
            cells = [
                _cell(means[variant.name][name], means.get(variant.against, {}).get(name), digits)
                for name, digits in SCORES.items()
            ]
            print(f"| {preset} | {variant.name} | " + " | ".join(cells) + " |", flush=True)


def _cell(own: dict[str, float], other: dict[str, float] | None, digits: int) -> str:
    """The mean, and where there is something to compare with the difference and its interval."""
    if other is None:
        return f"{np.mean(list(own.values())):.{digits}f}"
    mean, low, high = bootstrap([own[patient] - other[patient] for patient in own])
    return f"{np.mean(list(own.values())):.{digits}f} ({mean:+.{digits}f} [{low:+.{digits}f}, {high:+.{digits}f}])"


if __name__ == "__main__":
    main()
