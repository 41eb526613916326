"""Series of real scanners as derived series: what validators say, and what other readers find in them.

    PYTHONPATH=Testing python Testing/benchmarks/derived_series.py SERIES_FOLDER ... [--scale 2]

For each series a line: scanner, tilt, errors of the validators that the source does not have too, and the largest
differences in voxels and place between the derived files as SimpleITK reads them, one by one, and the enhanced volume.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom import dcmread

from ctsgan.dicom.headers import text
from ctsgan.io.files import read_volume
from ctsgan.volume import Volume
from ctsgan.workflow import Request, enhance_file, enhance_volume
from dicom.validators import errors


def differences(files: list[Path], expected: Volume) -> tuple[int, float]:
    """HU and mm, each file against its slice."""
    hu = mm = 0.0
    for file, voxels, origin in zip(files, expected.voxels, expected.origins_mm(), strict=True):
        image = sitk.ReadImage(str(file))
        hu = max(hu, np.abs(sitk.GetArrayViewFromImage(image)[0].astype(int) - voxels).max())
        mm = max(mm, np.abs(np.array(image.GetOrigin()) - origin).max())
    return int(hu), mm


def new_errors(sources: list[Path], derived: list[Path]) -> tuple[int, int]:
    """Of dciodvfy in single files, of dcentvfy in source and result together; those of the source are not counted."""
    before = {error for source in sources for error in errors("dciodvfy", [source])}
    single = sum(error not in before for file in derived for error in errors("dciodvfy", [file]))
    old = set(errors("dcentvfy", sources))
    return single, sum(error not in old for error in errors("dcentvfy", [*sources, *derived]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("series", type=Path, nargs="+")
    parser.add_argument("--scale", type=int, default=2)
    arguments = parser.parse_args()
    request = Request(scale=arguments.scale)
    print("| scanner | slices | tilt, degrees | dciodvfy | dcentvfy | HU | mm |\n|---|---|---|---|---|---|---|")
    for series in arguments.series:
        volume = read_volume(series)
        sources = [Path(file) for file in volume.header["dicom_files"]]
        header = dcmread(sources[0], stop_before_pixels=True)
        with tempfile.TemporaryDirectory() as folder:
            enhance_file(series, Path(folder) / "derived", request)
            derived = sorted((Path(folder) / "derived").iterdir())
            single, together = new_errors(sources, derived)
            hu, mm = differences(derived, enhance_volume(volume, request))
        scanner = f"{text(header, 'Manufacturer')} {text(header, 'ManufacturerModelName')}"
        tilt = f"{float(text(header, 'GantryDetectorTilt') or 0):g}"
        if volume.slice_origins is not None:
            tilt += ", uneven distances"
        print(f"| {scanner} | {len(derived)} | {tilt} | {single} | {together} | {hu} | {mm:.4f} |", flush=True)


if __name__ == "__main__":
    main()
