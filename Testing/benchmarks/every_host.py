"""The same series through the command line, MONAI Label and MONAI Deploy: voxels, place, validators, time.

    PYTHONPATH=Testing python Testing/benchmarks/every_host.py SERIES_FOLDER [--scale 2]

The hosts' environments must be there (``make hosts``). Times include reading and writing; those of MONAI Deploy and of
the command line also the start of Python, which a server has behind it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from ctsgan.geometry import outer_corners
from ctsgan.io.files import read_volume, write_volume
from ctsgan.volume import Volume
from dicom.validators import errors
from hosts.environments import ENVIRONMENTS, ROOT, process_environment
from hosts.monai_label.server import curl, started


def timed(command: list[object], **options: object) -> float:
    """Seconds that a command takes; it must succeed."""
    begun = time.monotonic()
    subprocess.run(list(map(str, command)), check=True, capture_output=True, **options)
    return time.monotonic() - begun


def row(host: str, result: Volume, expected: Volume, seconds: float, found: str) -> str:
    difference = np.abs(result.voxels.astype(int) - expected.voxels).max()
    rate = len(expected.voxels) / seconds
    corners, wanted = (outer_corners(volume.affine, volume.voxels.shape) for volume in (result, expected))
    error = np.linalg.norm(corners - wanted, axis=1).max()
    return f"| {host} | {difference} | {error:.4f} | {found} | {seconds:.1f} s, {rate:.2f} slices/s |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("series", type=Path)
    parser.add_argument("--scale", type=int, default=2)
    arguments = parser.parse_args()
    environment = process_environment()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "ctsgan", "enhance", arguments.series, folder / "expected"]
        seconds = timed([*command, "--scale", arguments.scale], env=environment)
        expected = read_volume(folder / "expected")
        print("| host | voxel difference, HU | place, mm | errors of validators | time |\n|---|---|---|---|---|")
        print(row("ctsgan enhance", expected, expected, seconds, validators(folder / "expected")))

        settings = folder / "app.yaml"
        settings.write_text(f"enhance:\n  scale: {arguments.scale}\n")
        command = [ENVIRONMENTS / "monai_deploy/bin/python", "-m", "ctsgan_deploy", "-i", arguments.series.resolve()]
        here = {
            "cwd": ROOT / "Applications/MONAIDeploy/app",
            "env": environment | {"HOLOSCAN_CONFIG_PATH": str(settings)},
        }
        seconds = timed([*command, "-o", folder], **here)
        found = validators(folder / "enhanced")
        print(row("MONAI Deploy", read_volume(folder / "enhanced"), expected, seconds, found))

        (folder / "label/studies").mkdir(parents=True)
        write_volume(read_volume(arguments.series), folder / "label/studies/a.nii.gz")
        with started(ENVIRONMENTS / "monai_label/bin/python", environment, folder / "label") as server:
            begun = time.monotonic()
            answer, parameters = folder / "a.nii.gz", {"scale": arguments.scale}
            if curl(server, "/infer/ct_enhance?image=a&output=image", answer, parameters) != 200:
                sys.exit(answer.read_text())
            seconds = time.monotonic() - begun
        print(row("MONAI Label", read_volume(answer), expected, seconds, "no DICOM"))
    print(json.dumps({"slices": len(expected.voxels), "threads": os.environ.get("OMP_NUM_THREADS", "all")}))


def validators(result: Path) -> str:
    """How many errors dciodvfy finds in the slices of a derived series, and dcentvfy in them together."""
    files = sorted(result.iterdir())
    return (
        f"dciodvfy {sum(len(errors('dciodvfy', [file])) for file in files)}, dcentvfy {len(errors('dcentvfy', files))}"
    )


if __name__ == "__main__":
    main()
