"""What the width of the fidelity step buys: lesions that are kept, against noise that stays.

    python Testing/benchmarks/fidelity_width.py FOLDER [--scale 2] [--preset portable] [--width 10 6 5 4 3] [--limit 11]

FOLDER has references that trained nothing. Beside bicubic interpolation (x1: the input) and the model without the step.
PSNR is that of a few slices, mean over patients.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ctsgan.data import load_slices
from ctsgan.enhancement import Settings
from ctsgan.evaluation.honesty import measure_honesty
from ctsgan.evaluation.methods import choose
from ctsgan.evaluation.methods.ours import of_network
from ctsgan.evaluation.physics import measure_physics
from ctsgan.evaluation.scores import WHOLE_SLICE, score
from ctsgan.evaluation.sources import every_nth, find_sources, thinned
from ctsgan.evaluation.statistics import patient_means
from ctsgan.io.files import find_volumes
from ctsgan.models import load_generator

LESIONS = [
    f"{what} {size} {contrast} HU"
    for size in ("5 mm", "10 mm")
    for contrast in (20, 50, 100)
    for what in ("kept", "d'")
]
DECIBELS = (WHOLE_SLICE, "PSNR soft")
PHYSICS = ("noise", "NPS mean", "HU slope", "d' 10 HU", "d' 50 HU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="light")
    parser.add_argument("--scale", type=int, default=2)
    parser.add_argument("--preset", default="portable")
    parser.add_argument("--width", type=float, nargs="+", default=[10.0, 6.0, 5.0, 4.0, 3.0], help="mm")
    parser.add_argument("--limit", type=int, default=11, help="slices whose PSNR is measured")
    arguments = parser.parse_args()
    references = load_slices(find_volumes(arguments.folder))
    scale, preset = arguments.scale, arguments.preset
    cases = {name: method.prepare(scale, preset) for name, method in choose([], scale).items()}
    network = load_generator(arguments.model, scale)
    for width in (None, *arguments.width):
        name = "without" if width is None else f"{width:g} mm"
        cases[name] = of_network(network, Settings(fidelity_mm=width))
    chosen = thinned(every_nth(find_sources(arguments.folder, scale)[0], 1), arguments.limit)
    patient_of = {source.name: source.patient for source, _ in chosen}
    pairs = {source.name: list(source.pairs([preset], scale, indices)) for source, indices in chosen}
    columns = (*LESIONS, "invented", *PHYSICS, *DECIBELS)
    print(f"| step | {' | '.join(columns)} |")
    print("|---" * (len(columns) + 1) + "|", flush=True)
    for name, enhance in cases.items():
        lesions = measure_honesty(enhance, scale, preset, references)["numbers"]
        phantom = measure_physics(enhance, scale, preset)["numbers"]
        values = [lesions[key] for key in (*LESIONS, "invented")] + [phantom[key] for key in PHYSICS]
        rows = {
            file: [score(enhance(pair.low, pair.spacing_mm), pair, "fidelity") for pair in of_file]
            for file, of_file in pairs.items()
        }
        for key in DECIBELS:
            by_file = {file: [row[key] for row in of_file] for file, of_file in rows.items()}
            values.append(np.mean(list(patient_means(by_file, patient_of).values())))
        print(f"| {name} | " + " | ".join(f"{value:.4g}" for value in values) + " |", flush=True)


if __name__ == "__main__":
    main()
