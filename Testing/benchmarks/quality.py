"""Fidelity of the shipped models on CT that did not train them, beside interpolation.

    python Testing/benchmarks/quality.py FOLDER [--scale 4 2 1] [--preset area portable bicubic] [--by-file]

Each reference slice is degraded by a fixed protocol (see ``ctsgan.degradation.preset``) and enhanced with the
default settings of ``ctsgan enhance``. Printed are means over slices, beside bicubic interpolation (at x1 beside
the degraded slice itself).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from ctsgan.data import load_slices
from ctsgan.degradation import PRESETS, PROTOCOLS, preset
from ctsgan.enhancement import FIDELITY_MM, Settings, enhance_slices
from ctsgan.intensity import HU_MAX, HU_MIN
from ctsgan.io.files import find_volumes
from ctsgan.metrics import bias, body_mask, psnr, rmse, ssim
from ctsgan.models import load_generator
from ctsgan.resample import resample_slices

SCORES = {
    "wide dB": lambda image, reference, body: psnr(image, reference, "wide"),
    "soft dB": lambda image, reference, body: psnr(image, reference, "soft", body),
    "soft SSIM": lambda image, reference, body: ssim(image, reference, "soft", body),
    "soft RMSE": lambda image, reference, body: rmse(image, reference, "soft", body),
    "bias HU": lambda image, reference, body: bias(image, reference, body),
}


def interpolate(low: np.ndarray, scale: int) -> np.ndarray:
    """Bicubic interpolation (Keys, a = -0.5) to whole HU; the slices themselves at scale 1."""
    if scale == 1:
        return low
    images = torch.from_numpy(low.astype(np.float32))[:, None]
    size = (scale * low.shape[1], scale * low.shape[2])
    large = resample_slices(images, size, (1.0 / scale, 1.0 / scale))[:, 0]
    return large.round().clamp(HU_MIN, HU_MAX).numpy()


def degrade(volume: dict, name: str, scale: int, seed: int) -> np.ndarray:
    """A volume's slices (N, H, W) by a protocol, drawn from ``seed``; int16 HU."""
    degradation = preset(name, scale).set_random_state(seed)
    slices = [degradation(image.float()[None], volume["spacing_mm"])[0] for image in volume["slices"]]
    return torch.stack(slices).numpy().astype(np.int16)


def measure(
    volumes: list[dict], model: str, scale: int, name: str, fidelity_mm: float | None = FIDELITY_MM
) -> dict[str, list[np.ndarray]]:
    """:data:`SCORES` of each slice, shape (slices, scores), for interpolation and for a model, by method and volume.

    Args:
        volumes: as :func:`ctsgan.data.load_slices` returns them.
        model: a name of the catalogue.
        scale: 1, 2 or 4.
        name: the protocol that makes the input.
        fidelity_mm: as in :class:`ctsgan.enhancement.Settings`.
    """
    network = load_generator(model, scale)
    baseline = "bicubic" if scale > 1 else "input"
    scores: dict[str, list[np.ndarray]] = {baseline: [], model: []}
    for seed, volume in enumerate(volumes):
        low = degrade(volume, name, scale, seed)
        spacing = tuple(scale * mm for mm in volume["spacing_mm"])
        fine = enhance_slices(low, spacing, network, Settings(fidelity_mm=fidelity_mm))
        for method, images in ((baseline, interpolate(low, scale)), (model, fine)):
            rows = []
            for image, reference in zip(images, volume["slices"].numpy(), strict=True):
                body = body_mask(reference)
                rows.append([score(image, reference, body) for score in SCORES.values()])
            scores[method].append(np.array(rows))
    return scores


def print_row(scale: str, case: str, method: str, scores: np.ndarray) -> None:
    """One row of the table: means over slices of ``scores`` (slices, scores)."""
    means = " | ".join(f"{value:.3f}" for value in scores.mean(axis=0))
    print(f"| {scale} | {case} | {method} | {means} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="light")
    parser.add_argument("--scale", type=int, nargs="+", default=[4, 2, 1])
    parser.add_argument("--preset", nargs="+", default=list(PROTOCOLS), choices=PRESETS)
    parser.add_argument("--by-file", action="store_true", help="means of each file too")
    parser.add_argument("--every", type=int, default=1, help="take every n-th slice of a volume")
    parser.add_argument("--fidelity", type=float, default=FIDELITY_MM, help="0 is off")
    arguments = parser.parse_args()
    volumes = load_slices(find_volumes(arguments.folder))
    for volume in volumes:
        volume["slices"] = volume["slices"][:: arguments.every]
    print(f"{sum(len(volume['slices']) for volume in volumes)} slices of {len(volumes)} files")
    print("| scale | protocol | method | " + " | ".join(SCORES) + " |")
    print("|---" * (3 + len(SCORES)) + "|")
    for scale in arguments.scale:
        # at x1 what only reduces leaves nothing to mend
        for name in arguments.preset if scale > 1 else [n for n in arguments.preset if n not in ("area", "bicubic")]:
            for method, scores in measure(volumes, arguments.model, scale, name, arguments.fidelity or None).items():
                if arguments.by_file:
                    for volume, rows in zip(volumes, scores, strict=True):
                        print_row(f"x{scale}", f"{name}, {volume['name']}", method, rows)
                print_row(f"x{scale}", name, method, np.concatenate(scores))


if __name__ == "__main__":
    main()
