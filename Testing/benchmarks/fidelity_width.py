"""What the width of the fidelity step buys: lesions that are kept, against noise that stays.

    python Testing/benchmarks/fidelity_width.py FOLDER [--scale 2] [--preset portable] [--width 10 6 5 4 3]

FOLDER has references that trained nothing. Beside bicubic interpolation (x1: the input) and the model without the step.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ctsgan.data import load_slices
from ctsgan.enhancement import Settings, enhance_slices
from ctsgan.evaluation.honesty import measure_honesty
from ctsgan.evaluation.methods import Enhance, choose
from ctsgan.evaluation.physics import measure_physics
from ctsgan.io.files import find_volumes
from ctsgan.models import load_generator

LESIONS = [
    f"{what} {size} {contrast} HU" for size in ("5 mm", "10 mm") for contrast in (20, 50) for what in ("kept", "d'")
]
PHYSICS = ("noise", "NPS mean", "HU slope", "d' 10 HU", "d' 50 HU")


def with_width(model: str, scale: int, width_mm: float | None) -> Enhance:
    """A model of the catalogue with the fidelity step at a width in mm, or without it."""
    network, settings = load_generator(model, scale), Settings(fidelity_mm=width_mm)

    def enhance(low: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
        return enhance_slices(low[None], spacing_mm, network, settings)[0]

    return enhance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="light")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--preset", default="portable")
    parser.add_argument("--width", type=float, nargs="+", default=[10.0, 6.0, 5.0, 4.0, 3.0], help="mm")
    arguments = parser.parse_args()
    references = load_slices(find_volumes(arguments.folder))
    scale, preset = arguments.scale, arguments.preset
    cases = {name: method.prepare(scale, preset) for name, method in choose([], scale).items()}
    for width in (None, *arguments.width):
        cases["without" if width is None else f"{width:g} mm"] = with_width(arguments.model, scale, width)
    print("| step | " + " | ".join((*LESIONS, "invented", *PHYSICS)) + " |")
    print("|---" * (len(LESIONS) + len(PHYSICS) + 2) + "|", flush=True)
    for name, enhance in cases.items():
        lesions = measure_honesty(enhance, scale, preset, references)["numbers"]
        phantom = measure_physics(enhance, scale, preset)["numbers"]
        values = [lesions[key] for key in (*LESIONS, "invented")] + [phantom[key] for key in PHYSICS]
        print(f"| {name} | " + " | ".join(f"{value:.3g}" for value in values) + " |", flush=True)


if __name__ == "__main__":
    main()
