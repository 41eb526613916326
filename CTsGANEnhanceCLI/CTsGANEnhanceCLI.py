#!/usr/bin/env python-real
"""``ctsgan enhance`` as 3D Slicer and girder-slicer-cli-web call it; CTsGANEnhanceCLI.xml says with what."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent

NOTHING = {"--roi": "", "--tile": "0", "--threads": "0"}
"""What a panel sends for an option that is not given."""


def bundle_arguments(given: Sequence[str]) -> list[str]:
    """The command line of ``ctsgan`` for that of this module."""
    words = list(given)
    for option, nothing in NOTHING.items():
        if option in words and words[words.index(option) + 1 :][:1] == [nothing]:
            index = words.index(option)
            del words[index : index + 2]
    if "--fidelity" in words and words[words.index("--fidelity") + 1 :][:1] in (["0"], ["0.0"]):
        words[words.index("--fidelity") + 1] = "off"
    return ["enhance", *words, "--progress", "slicer", "--overwrite"]


def main(given: Sequence[str]) -> int:
    """Run it; returns the exit status: 0 done, 1 an error the user can mend."""
    if "--xml" in given:
        print((HERE / "CTsGANEnhanceCLI.xml").read_text(encoding="utf-8"))
        return 0
    # Slicer's modules lie beside this folder where they are installed, and the bundle above it in the source tree
    sys.path[:0] = [str(HERE.parent / "qt-scripted-modules/monai_bundle"), str(HERE.parent / "monai_bundle")]
    # the bundle ends when a host closes its standard input; this one's may be closed from the start
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    from ctsgan.cli import main as ctsgan

    try:
        return ctsgan(bundle_arguments(given))
    except ModuleNotFoundError as error:
        print(
            f"{error.name} is missing; press Apply once in the module CTsGAN Enhance, which installs it",
            file=sys.stderr,
        )
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
