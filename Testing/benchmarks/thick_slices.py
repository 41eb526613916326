"""How much of the error of "scanner" at x1 lies between slices, where a method that sees one slice cannot take it away.

    python Testing/benchmarks/thick_slices.py FOLDER [--model light] [--every 1] [--limit 22]

FOLDER has references that trained nothing. The preset averages neighbouring slices to one of 2.5 to 5 mm before blur,
noise and streaks; soft-tissue RMSE in HU against the reference, and against what that averaging leaves of it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from ctsgan.degradation import preset
from ctsgan.enhancement import enhance_slices
from ctsgan.evaluation.pairs import Pair, degraded_pairs, whole_volume
from ctsgan.evaluation.scores import score
from ctsgan.evaluation.sources import Source, every_nth, find_sources, thinned
from ctsgan.evaluation.statistics import patient_means
from ctsgan.models import load_generator

COLUMNS = (
    "input",
    "enhanced",
    "thick slice alone",
    "input against the thick slice",
    "enhanced against the thick slice",
)


def thick_pairs(source: Source, indices: list[int]) -> Iterator[tuple[Pair, np.ndarray]]:
    """Pairs of ``ctsgan evaluate --scale 1 --preset scanner``, with the slice that only was made thicker."""
    volume, chain = whole_volume(source.path), preset("scanner", 1)
    for pair in degraded_pairs(volume, source.name, "scanner", 1, indices, chain):
        yield pair, chain.slice_at(volume.voxels, pair.index, float(volume.spacing_mm[2]))[0].numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="light")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--limit", type=int, default=22)
    arguments = parser.parse_args()
    network = load_generator(arguments.model, 1)
    chosen = thinned(every_nth(find_sources(arguments.folder, 1)[0], arguments.every), arguments.limit)
    patient_of = {source.name: source.patient for source, _ in chosen}
    rows: dict[str, list[tuple[float, ...]]] = {}
    for source, indices in chosen:
        for pair, thick in thick_pairs(source, indices):
            enhanced = enhance_slices(pair.low[None], pair.spacing_mm, network)[0]
            against_thick = replace(pair, reference=thick)
            judged = (
                (pair.low, pair),
                (enhanced, pair),
                (thick, pair),
                (pair.low, against_thick),
                (enhanced, against_thick),
            )
            rows.setdefault(source.name, []).append(tuple(score(*case, "fidelity")["RMSE soft"] for case in judged))
    print(f"| patient | {' | '.join(COLUMNS)} |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    means = [
        patient_means({name: [row[k] for row in rows[name]] for name in rows}, patient_of) for k in range(len(COLUMNS))
    ]
    for patient in means[0]:
        print(f"| {patient} | " + " | ".join(f"{mean[patient]:.1f}" for mean in means) + " |")
    overall = [np.mean(list(mean.values())) for mean in means]
    print("| mean | " + " | ".join(f"{value:.1f}" for value in overall) + " |")
    print(
        f"enhanced over input: {overall[1] / overall[0] - 1.0:+.1%}, against the thick slice "
        f"{overall[4] / overall[3] - 1.0:+.1%}"
    )


if __name__ == "__main__":
    main()
