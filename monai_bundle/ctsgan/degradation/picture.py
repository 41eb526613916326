"""A contact sheet of what every degradation does to one slice.

    python -m ctsgan.degradation.picture INPUT PICTURE.png [--slice N]

In the soft-tissue window; artefacts of the whole slice are shown on the whole patient, everything else on the square
of the patient with most detail. Parameters are fixed and written above each panel.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from ..intensity import HU_MAX, HU_MIN
from ..io.files import read_volume
from ..metrics import WINDOWS, body_mask
from ..volume import Volume
from . import acquisition, jpeg, kernels, operators
from .high_order import HighOrderDegradation
from .pipeline import PRESETS, preset
from .small_scanner import ScannerDegradation

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the slice."""

DETAIL = 96
"""Edge in pixels of the square that is shown of most panels."""

PANEL = 240
"""Edge in pixels of a panel."""

LABEL = 30
COLUMNS = 6
GREYS = 32
"""Grey values that are kept: noise does not compress, and the eye does not miss the rest."""

SEED = 1


def _panels(volume: Volume, index: int) -> Iterator[tuple[str, torch.Tensor, bool]]:
    """Label, slice (H, W) in HU, and whether the whole patient is shown."""
    spacing, distance_mm = volume.row_and_column_mm, float(volume.spacing_mm[2])
    stack = torch.from_numpy(volume.voxels.astype(np.float32)).clamp(HU_MIN, HU_MAX)
    image = stack[index]
    soft = WINDOWS["soft"]

    def noise() -> torch.Generator:
        return torch.Generator().manual_seed(SEED)

    def blurred(kernel: torch.Tensor) -> torch.Tensor:
        return operators.convolve(image, kernel)

    def quantum(dose: float) -> torch.Tensor:
        return image + acquisition.quantum_noise(image.shape, spacing, 12.0, dose, 0.22, noise(), image.device)

    yield "the slice", image, True
    yield "the slice, detail", image, False
    yield "Gaussian kernel\nsigma 2 pixels", blurred(kernels.gaussian_kernel(21, 2.0)), False
    yield "anisotropic kernel\nsigma 3 and 0.8 pixels", blurred(kernels.gaussian_kernel(21, 3.0, 0.8, 0.6)), False
    yield "generalised Gaussian\nsigma 2, beta 0.6", blurred(kernels.generalised_gaussian_kernel(21, 2.0, 0.6)), False
    yield "plateau kernel\nsigma 2, beta 2", blurred(kernels.plateau_kernel(21, 2.0, 2.0)), False
    yield "sinc kernel\ncut at 0.12 / pixel", blurred(kernels.sinc_kernel(21, 0.12)), False
    small = tuple(round(0.4 * length) for length in image.shape)
    for method in operators.RESIZE_METHODS:
        yield f"resized to 0.4\n{method}", operators.resize(image, small, method), False
    for name, taps in (("white", (1.0,)), ("correlated", (1.0, 2.0, 1.0))):
        added = operators.correlated_noise(image.shape, 25.0, taps, noise(), image.device)
        yield f"Gaussian noise\n25 HU, {name}", image + added, False
    yield "Poisson noise of a picture\nscale 1.5", operators.poisson_noise(image, 1.5, soft, noise()), False
    yield "JPEG, quality 30\nsoft-tissue window", jpeg.jpeg(image, 30, soft), False
    yield "JPEG, quality 30\nwide window", jpeg.jpeg(image, 30, WINDOWS["wide"]), False
    yield "detector footprint\n2.4 mm", acquisition.detector_footprint(image, spacing, 2.4), False
    yield "MTF: f10 0.3,\nf50 0.16 / mm", acquisition.mtf_blur(image, spacing, 0.3, 0.16), False
    yield "thick slice\n5 mm", acquisition.thick_slices(stack, distance_mm, 5.0)[index], False
    yield "quantum noise\nfull dose, 12 HU", quantum(1.0), False
    yield "quantum noise\na quarter of the dose", quantum(0.25), False
    yield "streaks, 5e5 photons a ray\n360 views", acquisition.low_count_streaks(image, spacing, 5e5, 10.0, SEED), True
    rings = acquisition.ring_artefacts(image, spacing, (25.0, 50.0, 80.0, 110.0), (80.0, -80.0, 60.0, -60.0), 2.0)
    yield "rings, 60 and 80 HU\n2 mm wide", rings, True
    yield "cupping, 60 HU\nwithin 160 mm", acquisition.cupping(image, spacing, 60.0, 160.0), True
    for name in PRESETS:
        chain = preset(name, 2).set_random_state(SEED)
        chain.randomize()
        thick = chain.slice_at(volume.voxels, index, distance_mm)
        yield f"preset {name}\nx2", chain(thick, spacing, randomize=False)[0], False
    yield "scanner without streaks\nx2", ScannerDegradation(2).set_random_state(SEED)(image[None], spacing)[0], False
    third = HighOrderDegradation(2, order=3).set_random_state(SEED)
    yield "third order\nx2", third(image[None], spacing)[0], False


def _patient(image: np.ndarray) -> Box:
    """The square around the patient."""
    inside = np.argwhere(body_mask(image))
    first, last = inside.min(axis=0), inside.max(axis=0) + 1
    edge = int((last - first).max())
    top, left = ((first + last - edge) // 2).tolist()
    return left, top, left + edge, top + edge


def _detail(image: np.ndarray) -> Box:
    """The square with most detail in the soft-tissue window of those that the patient fills, air and bowel included."""
    edge = min(DETAIL, *image.shape)
    body = body_mask(image)
    contrast = np.hypot(*np.gradient(np.clip(image.astype(float), *WINDOWS["soft"])))
    sums = [np.pad(values, ((1, 0), (1, 0))).cumsum(0).cumsum(1) for values in (contrast, body.astype(float))]
    detail, filled = (s[edge:, edge:] - s[:-edge, edge:] - s[edge:, :-edge] + s[:-edge, :-edge] for s in sums)
    top, left = np.unravel_index(np.argmax(np.where(filled == filled.max(), detail, -1.0)), detail.shape)
    return int(left), int(top), int(left) + edge, int(top) + edge


def draw(volume: Volume, path: Path, index: int | None = None) -> None:
    """Draw the contact sheet of slice ``index`` (the middle one without) into a PNG."""
    from PIL import Image, ImageDraw, ImageFont

    index = len(volume.voxels) // 2 if index is None else index
    patient, detail = _patient(volume.voxels[index]), _detail(volume.voxels[index])
    low, high = WINDOWS["soft"]
    panels = list(_panels(volume, index))
    rows = -(-len(panels) // COLUMNS)
    sheet = Image.new("L", (COLUMNS * PANEL, rows * (PANEL + LABEL)))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=12)
    for place, (label, image, whole) in enumerate(panels):
        pixel = volume.voxels.shape[1] / image.shape[0]
        box = tuple(length / pixel for length in (patient if whole else detail))
        grey = ((image.numpy() - low) / (high - low)).clip(0.0, 1.0)
        grey = np.rint(np.rint(grey * (GREYS - 1)) * 255.0 / (GREYS - 1)).astype(np.uint8)
        method = Image.Resampling.BILINEAR if whole else Image.Resampling.NEAREST
        shown = Image.fromarray(grey).resize((PANEL - 2, PANEL - 2), method, box=box)
        across, down = place % COLUMNS * PANEL, place // COLUMNS * (PANEL + LABEL)
        sheet.paste(shown, (across + 1, down + LABEL))
        pen.multiline_text((across + 3, down + 1), label, fill=255, font=font, spacing=1)
    sheet.save(path, optimize=True)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("input", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--slice", type=int, metavar="N", help="which, counted from 0 (default the middle one)")
    arguments = parser.parse_args(argv)
    draw(read_volume(arguments.input), arguments.picture, arguments.slice)
    print(arguments.picture)


if __name__ == "__main__":
    main()
