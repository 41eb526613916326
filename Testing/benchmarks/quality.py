"""Fidelity of the shipped models on CT that did not train them, beside interpolation.

    python Testing/benchmarks/quality.py FOLDER_OF_NIFTI [--scale 4 2 1] [--preset area portable bicubic]

Each reference slice is degraded by a fixed protocol (see ``ctsgan.degradation.preset``) and enhanced with the
default settings of ``ctsgan enhance``. Printed are means over slices, and the gain over bicubic interpolation
(x1: over the degraded slice itself).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from ctsgan.data import load_slices
from ctsgan.degradation import PRESETS, preset
from ctsgan.enhancement import Settings, enhance_slices
from ctsgan.intensity import HU_MAX, HU_MIN
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="light")
    parser.add_argument("--scale", type=int, nargs="+", default=[4, 2, 1])
    parser.add_argument("--preset", nargs="+", default=list(PRESETS), choices=PRESETS)
    parser.add_argument("--every", type=int, default=1, help="take every n-th slice of a volume")
    parser.add_argument("--fidelity", type=float, default=Settings.fidelity_mm, help="0 is off")
    arguments = parser.parse_args()
    volumes = load_slices(arguments.folder)
    for volume in volumes:
        volume["slices"] = volume["slices"][:: arguments.every]
        volume["bodies"] = [body_mask(image.numpy()) for image in volume["slices"]]
    count = sum(len(volume["slices"]) for volume in volumes)
    print(f"{count} slices of {len(volumes)} files")
    print("| scale | protocol | method | " + " | ".join(SCORES) + " |")
    print("|---" * (3 + len(SCORES)) + "|")
    for scale in arguments.scale:
        network = load_generator(arguments.model, scale)
        for name in arguments.preset:
            if scale == 1 and name != "portable":
                continue
            rows: dict[str, list[list[float]]] = {"bicubic" if scale > 1 else "input": [], arguments.model: []}
            for seed, volume in enumerate(volumes):
                low = degrade(volume, name, scale, seed)
                spacing = tuple(scale * mm for mm in volume["spacing_mm"])
                settings = Settings(fidelity_mm=arguments.fidelity or None)
                results = (interpolate(low, scale), enhance_slices(low, spacing, network, settings))
                for method, images in zip(rows, results, strict=True):
                    for image, reference, body in zip(images, volume["slices"].numpy(), volume["bodies"], strict=True):
                        rows[method].append([score(image, reference, body) for score in SCORES.values()])
            for method, scores in rows.items():
                print(
                    f"| x{scale} | {name} | {method} | "
                    + " | ".join(f"{v:.3f}" for v in np.mean(scores, axis=0))
                    + " |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
