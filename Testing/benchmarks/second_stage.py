"""What pulls at the generator in the second training stage, and what an update costs.

    python Testing/benchmarks/second_stage.py VOLUME_OR_SERIES [--batch 8] [--patch 128]

Patches of the volume's middle, their footprint means, and the light x4 generator of the first stage. A new
discriminator is trained on them for a while, so that its gradient means something. For each part of the loss are
printed its value, and the length of its gradient at the output, in HU, times its weight in `train_gan.json`, as a
share of L_1's. Then the seconds of processor time of one update of either stage in float32.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from ctsgan.filters import footprint_mean
from ctsgan.gan_trainer import GanTrainer
from ctsgan.intensity import to_network_range
from ctsgan.io.files import read_volume
from ctsgan.losses import (
    CheckerboardLoss,
    GeneratorLoss,
    PerceptualLoss,
    RelativisticAverageLoss,
    VoxelLoss,
    WindowedL1Loss,
)
from ctsgan.models import load_generator
from ctsgan.networks import UNetDiscriminator, VGGFeatures
from ctsgan.paths import bundle_root
from ctsgan.trainer import AutocastInferer

SCALE = 4


def patches(path: Path, count: int, size: int) -> torch.Tensor:
    """Patches from the middle of evenly spaced slices, (count, 1, size, size) in HU."""
    voxels = read_volume(path).voxels
    row, column = ((extent - size) // 2 for extent in voxels.shape[1:])
    chosen = np.linspace(0, len(voxels) - 1, count).round().astype(int)
    crop = voxels[chosen, row : row + size, column : column + size].astype(np.float32)
    return torch.from_numpy(crop)[:, None].clamp(-1024, 3071)


def seconds(update: Callable[[], object]) -> float:
    """Processor time of one call, which other programs on the machine do not lengthen."""
    began = time.process_time()
    update()
    return time.process_time() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("volume", type=Path)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--patch", type=int, default=128, help="side of the sharp patch in pixels")
    parser.add_argument("--updates", type=int, default=40, help="of the discriminator, before gradients are compared")
    arguments = parser.parse_args()
    config = json.loads((bundle_root() / "configs" / "train_gan.json").read_text())
    names = ("pixel", "perceptual", "voxel", "adversarial", "checkerboard")
    weights = {name: config[f"{name}_weight"] for name in names}

    hu = patches(arguments.volume, arguments.batch, arguments.patch)
    target, image = to_network_range(hu), to_network_range(footprint_mean(hu, SCALE).round())
    generator, discriminator = load_generator("light", SCALE), UNetDiscriminator()
    adversarial = RelativisticAverageLoss()
    loss = GeneratorLoss(
        WindowedL1Loss(),
        PerceptualLoss(VGGFeatures()),
        VoxelLoss((SCALE, SCALE), (1.0, 1.0)),
        adversarial,
        CheckerboardLoss(),
        **{f"{name}_weight": weight for name, weight in weights.items()},
    )
    optimizer = torch.optim.Adam(generator.parameters(), 0.0)
    trainer = GanTrainer(
        device=torch.device("cpu"),
        max_epochs=1,
        train_data_loader=[{"image": image, "label": target}],
        network=generator,
        optimizer=optimizer,
        loss_function=loss,
        discriminator=discriminator,
        discriminator_optimizer=torch.optim.Adam(discriminator.parameters(), 2e-4),
        discriminator_loss=adversarial,
        inferer=AutocastInferer("cpu", enabled=False),
        decollate=False,
    )

    def first_stage() -> None:
        optimizer.zero_grad()
        loss.pixel(generator(image), target).backward()
        optimizer.step()

    def second_stage() -> None:
        prediction, _, _ = trainer._train_generator(image, target)
        trainer._train_discriminator(target, prediction)

    first_stage()
    one, two = seconds(first_stage), seconds(second_stage)
    print(f"processor time of an update, batch {arguments.batch}, sharp patch {arguments.patch}: ", end="")
    print(f"first stage {one:.2f} s, second stage {two:.2f} s, {two / one:.0f} times as much", flush=True)

    with torch.no_grad():
        prediction = generator(image)
    # the judge of a small crop is as good a judge, and sooner trained
    corner = (slice(None), slice(None), slice(64), slice(64))
    for _ in range(arguments.updates):
        trainer._train_discriminator(target[corner], prediction[corner])
    discriminator.eval().requires_grad_(False)
    prediction.requires_grad_()
    parts = {
        "pixel": loss.pixel(prediction, target),
        "perceptual": loss.perceptual(prediction, target),
        "voxel": loss.voxel(prediction, target),
        "adversarial": adversarial(discriminator(prediction), discriminator(target)),
        "checkerboard": loss.checkerboard(prediction, target),
    }
    pulls = {
        name: weights[name] * torch.autograd.grad(part, prediction)[0].norm().item() for name, part in parts.items()
    }
    print("| part | value | weight | gradient, share of L_1's |")
    print("|---|---|---|---|")
    for name, part in parts.items():
        print(f"| {name} | {part.item():.3g} | {weights[name]:g} | {pulls[name] / pulls['pixel']:.3f} |")


if __name__ == "__main__":
    main()
