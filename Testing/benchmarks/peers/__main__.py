"""Our models beside what a radiology researcher would pick instead, on the same slices, with the same scores.

    PYTHONPATH=Testing python -m benchmarks.peers FOLDER_OF_NIFTI [--scale 4 2 1] [--save results.json]
    PYTHONPATH=Testing python -m benchmarks.peers --tune TRAINING_FOLDER --preset portable

The second finds the parameters of the denoisers that x1 is compared with. Printed is Markdown: means over patients
(the mean over a patient's slices first) and 95 % intervals from drawing patients. With --save an interrupted run
goes on where it was, and only what changed is measured again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ctsgan.data import load_slices
from ctsgan.degradation import PROTOCOLS
from ctsgan.io.files import find_volumes

from . import denoise, esrgan, interpolation, ours, span, srmd
from .measure import Pair, Store, degraded_pairs, measure
from .method import Method
from .report import report
from .statistics import patients

PEERS: dict[str, Method] = {
    name: method for family in (interpolation, denoise, span, srmd, esrgan) for name, method in family.METHODS.items()
}


def tuning_pairs(folder: Path, preset: str, count: int, seed: int = 0) -> list[Pair]:
    """The middle slices of ``count`` files of different patients, degraded at x1."""
    volumes = load_slices(find_volumes(folder))
    patient_of = patients(folder, [volume["name"] for volume in volumes])
    order = np.random.default_rng(seed).permutation(len(volumes))
    chosen = {patient_of[volumes[i]["name"]]: volumes[i] for i in order}
    pairs = []
    for volume in list(chosen.values())[:count]:
        half = len(volume["slices"]) // 2
        pairs += degraded_pairs([{**volume, "slices": volume["slices"][half : half + 1]}], preset, 1)
    return pairs


def compare(arguments: argparse.Namespace) -> None:
    methods = {**PEERS, f"ctsgan {arguments.model}": ours.method(arguments.model)}
    for name in arguments.method or ():
        if name not in methods:
            raise SystemExit(f"there is no method {name!r}; choose among: {', '.join(methods)}")
    chosen = {name: method for name, method in methods.items() if name in (arguments.method or methods)}
    volumes = load_slices(find_volumes(arguments.folder))
    patient_of = patients(arguments.folder, [volume["name"] for volume in volumes])
    store = Store(arguments.save)
    count = len(set(patient_of.values()))
    print(f"{len(volumes)} files of {count} patients; mean over patients [95 % interval over patients]", flush=True)
    for scale in arguments.scale:
        for preset in arguments.preset:
            pairs = list(degraded_pairs(volumes, preset, scale, arguments.every))
            if scale == 1 and all((pair.low == pair.reference).all() for pair in pairs):
                continue  # a protocol that only reduces has nothing to mend at x1
            found = measure(pairs, chosen, preset, scale, store)
            if found:
                print("\n" + report(found, chosen, patient_of, f"x{scale}, {preset}, {len(pairs)} slices"), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="references, NIfTI in HU")
    parser.add_argument("--scale", type=int, nargs="+", default=[4, 2])
    parser.add_argument("--preset", nargs="+", default=list(PROTOCOLS), help="protocols, see ctsgan.degradation.preset")
    parser.add_argument("--method", nargs="+", help=f"some of: {', '.join(PEERS)}, ctsgan MODEL")
    parser.add_argument("--model", default="light", help="ours, a name of the catalogue")
    parser.add_argument("--every", type=int, default=1, help="take every n-th slice of a volume")
    parser.add_argument("--save", type=Path, help="JSON file that results are kept in")
    parser.add_argument("--tune", type=Path, metavar="FOLDER", help="training slices to tune the denoisers on")
    parser.add_argument("--slices", type=int, default=12, help="how many slices to tune on")
    arguments = parser.parse_args()
    if arguments.tune:
        names = [name for name in denoise.FUNCTIONS if name in (arguments.method or denoise.FUNCTIONS)]
        for preset in arguments.preset:
            pairs = tuning_pairs(arguments.tune, preset, arguments.slices)
            if any((pair.low != pair.reference).any() for pair in pairs):
                denoise.tune([(pair.low, pair.reference, pair.body) for pair in pairs], preset, names)
    elif arguments.folder:
        compare(arguments)
    else:
        parser.error("name a folder to measure on, or one to --tune on")


if __name__ == "__main__":
    main()
