"""Makes the CT that comes with the extension from the clinical abdomen that ``make data`` gets.

Usage: PYTHONPATH=monai_bundle:Testing python -m slicer_extension.make_sample SERIES
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from ctsgan.geometry import cropped_affine
from ctsgan.io.files import read_volume, write_volume
from ctsgan.volume import Volume

RESOURCES = Path(__file__).resolve().parents[2] / "CTsGANEnhance/Resources"
COLUMNS, ROWS, SLICES = slice(104, 392), slice(164, 388), slice(7, 13)


def sample_of(series: Volume) -> Volume:
    """Six slices of 224 x 288 pixels around the patient."""
    voxels = np.ascontiguousarray(series.voxels[SLICES, ROWS, COLUMNS])
    return Volume(voxels, cropped_affine(series.affine, (COLUMNS.start, ROWS.start, SLICES.start)))


def main() -> None:
    from PIL import Image

    sample = sample_of(read_volume(sys.argv[1]))
    path = RESOURCES / "SampleData/abdomen.nrrd"
    path.unlink(missing_ok=True)
    write_volume(sample, path)
    grey = np.clip((sample.voxels[2] + 160) / 400 * 255, 0, 255).astype(np.uint8)
    Image.fromarray(grey).resize((144, 112)).save(RESOURCES / "Icons/CTsGANEnhanceAbdomen.png")
    print("SHA256:" + hashlib.sha256(path.read_bytes()).hexdigest())


if __name__ == "__main__":
    main()
