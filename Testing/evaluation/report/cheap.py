"""What an evaluation of cheap methods finds on a real CT, without waiting for one."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from ctsgan.degradation import preset as make_preset
from ctsgan.filters import unsharp
from ctsgan.metrics import WINDOWS, bias, psnr, rmse, ssim
from ctsgan.resample import resample_slices

HOSTILE = "</td><script>alert('name')</script>"
SCALE = 4


def nearest(low: np.ndarray) -> np.ndarray:
    return low.repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def bicubic(low: np.ndarray) -> np.ndarray:
    size = tuple(SCALE * extent for extent in low.shape)
    return resample_slices(torch.from_numpy(low)[None, None].float(), size, (1 / SCALE, 1 / SCALE))[0, 0].numpy()


def sharpened(low: np.ndarray) -> np.ndarray:
    return unsharp(torch.from_numpy(bicubic(low)), sigma=2.0, threshold_hu=0.0).numpy()


METHODS = {"sharpened": sharpened, "nearest": nearest, "bicubic": bicubic, HOSTILE: lambda low: bicubic(low) + 20.0}


def _save(image: np.ndarray, low: float, high: float, path: Path) -> None:
    grey = np.clip((image - low) / (high - low), 0.0, 1.0)
    Image.fromarray((255 * grey).astype(np.uint8)).save(path)


def describe(name: str, **changes) -> dict:
    method = {"ours": False, "told": False, "licence": f"licence of {name}", "identity": f"id {name}", "missing": None}
    return {**method, **changes}


def cheap_results(slices: np.ndarray, out: Path) -> dict:
    """Results on slices (N, rows, columns) HU as if each were of another patient; pictures go into ``out``."""
    (out / "examples").mkdir()
    names = [*METHODS, "the truth, told"]
    scores: dict = {name: {} for name in names}
    example = {
        "preset": "area",
        "file": "abdomen.nii.gz",
        "slice": 0,
        "window": "soft",
        "box": [0, 160, 0, 160],
        "reference": "examples/reference.png",
        "methods": {},
    }
    _save(slices[0], *WINDOWS["soft"], out / "examples/reference.png")
    for index, reference in enumerate(slices):
        low = make_preset("area", SCALE)(torch.from_numpy(reference).float()[None], (0.98, 0.98))[0].numpy()
        for number, name in enumerate(names):
            image = METHODS[name](low) if name in METHODS else reference + 1.0
            found = {
                "PSNR soft": psnr(image, reference, "soft"),
                "SSIM soft": ssim(image, reference, "soft"),
                "RMSE soft": rmse(image, reference, "soft"),
                "bias": bias(image, reference),
                "bias in lung": None,
            }
            for score, value in found.items():
                scores[name].setdefault(score, {})[f"patient {index}"] = value
            if index == 0:
                shown = {key: f"examples/{number}_{key}.png" for key in ("image", "difference")}
                _save(image, *WINDOWS["soft"], out / shown["image"])
                _save(image - reference, -200.0, 200.0, out / shown["difference"])
                example["methods"][name] = shown
    methods = {name: describe(name, ours=name == "sharpened", told="told" in name) for name in names}
    methods["absent"] = describe("absent", missing="its weights are not here; get them")
    frequency, contrast = np.linspace(0.0, 0.6, 13), [10.0, 50.0]
    size = {"x": [128, 256, 512], "y": [0.1, 0.4, 1.6], "fit": {"factor": 6.1e-6, "exponent": 2.0, "r2": 1.0}}
    return {
        "format": 1,
        "settings": {
            "scale": SCALE,
            "presets": ["area"],
            "every": 1,
            "limit": None,
            "reference": "abdomen",
            "paired": None,
            "command": "ctsgan evaluate abdomen OUT --scale 4",
        },
        "environment": {"ctsgan": "0.0", "torch": torch.__version__, "threads": 1},
        "methods": methods,
        "files": [
            {"name": "abdomen.nii.gz", "patient": "patient 0", "slices": 3, "sha256": "0a1b" * 16, "skipped": None},
            {"name": f"{HOSTILE}.nii", "patient": "?", "slices": 0, "sha256": "", "skipped": "it holds no HU"},
        ],
        "scores": {"area": scores},
        "perception": {"area": {name: {"FID-VGG": 10.0 + index} for index, name in enumerate(names)}},
        "physics": {
            name: {
                "numbers": {"noise": 10.0 - index, "NPS peak": None},
                "curves": {
                    "ttf": {HOSTILE: {"x": frequency.tolist(), "y": np.exp(-frequency * (index + 1)).tolist()}},
                    "linearity": {"x": [-1000.0, 0.0, 1000.0], "y": [-990.0, index, 1000.0]},
                },
            }
            for index, name in enumerate(names)
        },
        "honesty": {
            name: {"numbers": {"invented": index}, "curves": {"roc_area": {"5 mm": {"x": contrast, "y": [0.6, 0.9]}}}}
            for index, name in enumerate(names)
        },
        "cost": {
            name: {
                "seconds_a_slice": 10.0**-index,
                "ratio": 10.0 ** (2 - index),
                "peak_mib": None,
                "growth": {"matrix": size},
            }
            for index, name in enumerate(names)
        },
        "examples": [example],
    }
