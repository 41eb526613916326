"""Figures of the committed weights on two slices of a patient that did not train them, which tests hold them to.

    PYTHONPATH=Testing python -m enhancement.figures SERIES_FOLDER      # writes figures.json, after a training

The mean over patients is what `ctsgan evaluate` measures; this is small enough for every run of the tests.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ctsgan.evaluation.methods import choose, ours
from ctsgan.evaluation.pairs import degraded_pairs
from ctsgan.evaluation.scores import WHOLE_SLICE, score
from ctsgan.io.files import read_volume
from ctsgan.models import scales
from ctsgan.volume import Volume

STORED = Path(__file__).with_name("figures.json")
SLICES = (4, 12)
MIDDLE = slice(128, 384)
"""Rows and columns."""
PRESETS = {1: ("portable",), 2: ("area", "portable", "bicubic"), 4: ("area", "portable", "bicubic")}
KEYS = (WHOLE_SLICE, "PSNR soft", "RMSE soft")


def mean_scores(volume: Volume, scale: int, preset: str, names: Sequence[str]) -> dict[str, dict[str, float]]:
    """Each score's mean over the slices, by method; what nothing is known of is always among them."""
    pairs = list(degraded_pairs(volume, "abdomen", preset, scale, SLICES))
    means = {}
    for name, method in choose(names, scale).items():
        enhance = method.prepare(scale, preset)
        rows = [score(enhance(pair.low, pair.spacing_mm), pair, "fidelity") for pair in pairs]
        means[name] = {key: float(np.mean([row[key] for row in rows])) for key in KEYS}
    return means


def figures(volume: Volume, scale: int, preset: str) -> dict[str, dict[str, float]]:
    """What is stored of a scale and a degradation: the scores of every weight file, in the middle of the patient."""
    middle = replace(volume, voxels=np.ascontiguousarray(volume.voxels[:, MIDDLE, MIDDLE]))
    names = [
        name
        for model in ("light", "full", "ctsgan")
        for name, method in ours.methods(model).items()
        if scale in method.scales and not name.endswith(" medium")
    ]
    return mean_scores(middle, scale, preset, names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("series", type=Path)
    volume = read_volume(parser.parse_args().series)
    found = {
        f"x{scale} {preset}": {
            name: {key: round(value, 3) for key, value in scores.items()}
            for name, scores in figures(volume, scale, preset).items()
        }
        for scale in scales("light")
        for preset in PRESETS[scale]
    }
    STORED.write_text(json.dumps(found, indent=4) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
