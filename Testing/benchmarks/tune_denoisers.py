"""Find the parameters of the denoisers that `ctsgan evaluate` compares with at x1.

    python Testing/benchmarks/tune_denoisers.py TRAINING_FOLDER [--preset portable] [--method median] [--slices 12]

Each denoiser's grid is searched for the smallest soft-tissue RMSE on degraded slices of patients who are not
measured. What is found goes into `ctsgan/evaluation/methods/tuned.json`.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ctsgan.evaluation.methods.denoise import FUNCTIONS, PACKAGES, TUNED
from ctsgan.evaluation.methods.method import Unavailable, package_version
from ctsgan.evaluation.pairs import Pair
from ctsgan.evaluation.sources import find_sources
from ctsgan.intensity import whole_hu
from ctsgan.metrics import rmse

CROP = 256
"""Edge in pixels of the middle of a slice that is tuned on: the patient, at a quarter of the time."""

GRIDS: dict[str, dict[str, list[Any]]] = {
    "median": {"size": [3, 5]},
    "Gaussian": {"sigma": [0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3]},
    "non-local means": {"strength_hu": [2, 4, 6, 8, 12, 16, 24, 32], "noise_hu": [0, 6, 12, 24]},
    "total variation": {"weight_hu": [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64]},
    "BM3D": {"noise_hu": [4, 8, 12, 20, 30, 45], "taps": [[1.0], [1.0, 2.0, 1.0]]},
}
"""What is tried; BM3D also for noise of the texture that the portable protocol adds, and coarsely, as it is slow."""


def choices(grid: dict[str, list[Any]]) -> Iterator[dict[str, Any]]:
    """Every combination of a grid's values."""
    for values in itertools.product(*grid.values()):
        yield dict(zip(grid, values, strict=True))


def search(
    function: Callable[..., np.ndarray],
    grid: dict[str, list[Any]],
    pairs: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> tuple[dict[str, Any], float]:
    """The parameters of a grid with the smallest mean soft-tissue RMSE, and that RMSE in HU.

    Args:
        function: (rows, columns) HU and the parameters, to HU.
        grid: values to try by parameter.
        pairs: degraded slice, reference and body, each (rows, columns).
    """

    def error(parameters: dict[str, Any]) -> float:
        images = (whole_hu(function(low.astype(np.float64), **parameters)) for low, _, _ in pairs)
        scores = [rmse(image, truth, "soft", body) for image, (_, truth, body) in zip(images, pairs, strict=True)]
        return float(np.mean(scores))

    return min(((parameters, error(parameters)) for parameters in choices(grid)), key=lambda found: found[1])


def middle(image: np.ndarray) -> np.ndarray:
    """The middle :data:`CROP` x :data:`CROP` pixels."""
    rows, columns = (max(size - CROP, 0) // 2 for size in image.shape)
    return image[rows : rows + CROP, columns : columns + CROP]


def tune(pairs: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], preset: str, names: Sequence[str]) -> None:
    """Search each denoiser's grid on degraded training slices and write :data:`TUNED`; prints what was found."""
    pairs = [tuple(middle(image) for image in pair) for pair in pairs]
    before = float(np.mean([rmse(low, truth, "soft", body) for low, truth, body in pairs]))
    print(f"{preset}: {before:.2f} HU soft-tissue RMSE before, {len(pairs)} slices")
    for name in names:
        try:
            package_version(PACKAGES[name])
        except Unavailable as error:
            print(error)
            continue
        parameters, after = search(FUNCTIONS[name], GRIDS[name], pairs)
        print(f"{name}: {after:.2f} HU with {parameters}", flush=True)
        stored = json.loads(TUNED.read_text(encoding="utf-8")) if TUNED.is_file() else {}
        stored.setdefault(preset, {})[name] = {
            "parameters": parameters,
            "slices": len(pairs),
            "soft_rmse_hu": {"before": round(before, 2), "after": round(after, 2)},
        }
        TUNED.write_text(json.dumps(stored, indent=4) + "\n", encoding="utf-8")


def tuning_pairs(folder: Path, preset: str, count: int) -> list[Pair]:
    """The middle slices of ``count`` files of different patients, degraded at x1."""
    sources, _, _ = find_sources(folder, 1)
    order = np.random.default_rng(0).permutation(len(sources))
    by_patient = {sources[place].patient: sources[place] for place in order}
    chosen = list(by_patient.values())[:count]
    return [pair for source in chosen for pair in source.pairs([preset], 1, [source.slices // 2])]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="training volumes in HU")
    parser.add_argument("--preset", default="portable")
    parser.add_argument("--method", nargs="+", choices=FUNCTIONS, default=list(FUNCTIONS))
    parser.add_argument("--slices", type=int, default=12, help="how many slices to tune on")
    arguments = parser.parse_args()
    pairs = tuning_pairs(arguments.folder, arguments.preset, arguments.slices)
    tune([(pair.low, pair.reference, pair.body) for pair in pairs], arguments.preset, arguments.method)


if __name__ == "__main__":
    main()
