"""What a method resolves, how noisy it is and whether its HU are true, measured as a physicist measures a scanner.

A digital phantom goes through what the references have gone through: a scanner (:data:`PHANTOM_F50`,
:data:`PHANTOM_NOISE_HU`), then the degradation, then the method. Transfer functions, noise power spectrum and d' are
those of AAPM Report 233 (TG-233, Samei et al. 2019) and ICRU Reports 54 and 87; see :mod:`ctsgan.metrics`.

A method that is not linear treats an edge by its contrast and by the noise around it. So every number belongs to the
contrast in its name and to the noise of the preset, and is measured on the mean over realisations of that noise
(ensemble averaging, Yu, Vrieze, Leng, Fletcher, McCollough, Medical Physics 42:2261, 2015), never on an image without
noise. For transfer functions each realisation is restored with and without the rods and the difference is averaged:
where there is no rod it is 0 on average, as without the subtraction, but noise that the method treats alike in both
cancels, so that few realisations are enough even at 10 HU. The noise is what each realisation without rods differs
from their mean. All that holds for uniform rods in a uniform body; a patient's texture may be treated otherwise, which
is what the hallucination test is for.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from ...degradation import preset as make_preset
from ...degradation.acquisition import mtf_blur, quantum_noise
from ...degradation.chain import whole_hu
from ...metrics import (
    MATERIAL_RODS,
    NoisePowerSpectrum,
    TransferFunction,
    detectability,
    digital_phantom,
    disc_ttf,
    hu_linearity,
    insert_means,
    noise_power_spectrum,
    rods_ttf,
    square_regions,
)
from ...metrics.phantom import BACKGROUND_HU, BODY_MM, Insert, ellipse_coverage, ring
from ..methods.method import Enhance
from ..pairs import degraded
from .numbers import curve, number

SPACING_MM = 0.7
MATRIX = 384
PHANTOM_F50, PHANTOM_F10 = 0.33, 0.6
"""Cycles/mm of the scanner's blur. Through the pixels it leaves 0.31 and 0.52: as ``phantom_skull_UB``, the soft
kernel of the validation data, has at its edges, and a little sharper than most of its patients."""

PHANTOM_NOISE_HU, PHANTOM_NOISE_PEAK = 12.0, 0.22
"""Standard deviation of the scanner's noise and the frequency in cycles/mm at which its spectrum peaks."""

RING_MM, ROD_MM, HALF_WIDTH_MM = 70.0, 25.0, 9.0
CONTRASTS_HU = (50.0, 200.0)
"""Of the rods beside the five materials."""

LOW_CONTRAST_HU = 10.0
TASK_MM = 5.0
"""Diameter of the disc that d' is for."""

REGION, MARGIN_MM = 64, 10.0
"""Noise is measured in squares of so many pixels that lie in the body, so far from its edge."""

MATERIALS = ring(RING_MM, ROD_MM, [rod.hu for rod in MATERIAL_RODS] + [BACKGROUND_HU + hu for hu in CONTRASTS_HU])
LOW_CONTRAST = ring(RING_MM, ROD_MM, [BACKGROUND_HU + LOW_CONTRAST_HU] * 8) + ring(
    26.0, ROD_MM, [BACKGROUND_HU + LOW_CONTRAST_HU] * 3
)

LABELS = {"bone +915 HU": 4, "+200 HU": 6, "+50 HU": 5, "polyethylene -135 HU": 1}
"""Rods of :data:`MATERIALS` whose transfer function is measured."""

LOW_LABEL = f"+{LOW_CONTRAST_HU:g} HU"


@lru_cache(maxsize=6)
def _scans(rods: tuple[Insert, ...], count: int, scale: int, preset: str) -> tuple[np.ndarray, np.ndarray]:
    """Slices of the phantom as a scanner shows them (count, 384, 384), and degraded; int16 HU.

    The n-th slice has the same noise, and the same draw of the degradation, whatever the rods.
    """
    phantom = torch.from_numpy(digital_phantom(SPACING_MM, (MATRIX, MATRIX), rods).image).float()
    spacing = (SPACING_MM, SPACING_MM)
    blurred = mtf_blur(phantom, spacing, PHANTOM_F10, PHANTOM_F50)
    degradation = make_preset(preset, scale)
    generator = torch.Generator().manual_seed(0)
    sharp, low = [], []
    for index in range(count):
        noise = quantum_noise(
            blurred.shape, spacing, PHANTOM_NOISE_HU, 1.0, PHANTOM_NOISE_PEAK, generator, blurred.device
        )
        sharp.append(whole_hu(blurred + noise))
        low.append(degraded(sharp[-1], degradation, index, spacing))
    return torch.stack(sharp).numpy().astype(np.int16), np.stack(low)


def _restored(enhance: Enhance | None, rods: tuple[Insert, ...], count: int, scale: int, preset: str) -> np.ndarray:
    """The scans as the method restores them, or before the degradation, (count, 384, 384) float64 HU."""
    sharp, low = _scans(rods, count, scale, preset)
    coarse = (scale * SPACING_MM,) * 2
    return (sharp if enhance is None else np.stack([enhance(image, coarse) for image in low])).astype(np.float64)


def _transfers(materials: np.ndarray, low_contrast: np.ndarray) -> dict[str, TransferFunction]:
    """By label, from the mean differences that rods make, (384, 384) HU."""
    spacing = (SPACING_MM, SPACING_MM)
    found = {}
    for label, index in LABELS.items():
        place = MATERIALS[index].centre(materials.shape, SPACING_MM)
        found[label] = disc_ttf(materials, spacing, *place, ROD_MM, HALF_WIDTH_MM)
    found[LOW_LABEL] = rods_ttf(low_contrast, SPACING_MM, LOW_CONTRAST, HALF_WIDTH_MM)
    return found


def _noise(uniform: np.ndarray) -> NoisePowerSpectrum:
    """Of repeated scans of the body without rods, (count, 384, 384) HU."""
    middle = ((MATRIX - 1) / 2.0,) * 2
    body = ellipse_coverage((MATRIX, MATRIX), SPACING_MM, middle, [axis - 2.0 * MARGIN_MM for axis in BODY_MM]) == 1.0
    # the mean holds a share of each realisation's own noise
    residuals = (uniform - uniform.mean(axis=0)) * math.sqrt(len(uniform) / (len(uniform) - 1.0))
    return noise_power_spectrum(square_regions(residuals, body, REGION), (SPACING_MM, SPACING_MM))


@lru_cache(maxsize=4)
def _reference(scale: int, preset: str, realisations: int) -> dict[str, Any]:
    return measure_physics(None, scale, preset, realisations)


def measure_physics(enhance: Enhance | None, scale: int, preset: str, realisations: int = 12) -> dict[str, Any]:
    """Resolution, noise and HU of a method on the digital phantom.

    - ``f50 LABEL``, ``f10 LABEL``: cycles/mm at which the task transfer function at that contrast falls to a half and
      a tenth; ``relative f50 LABEL``: over that of the phantom before the degradation, which is the ideal. At 10 HU
      eleven rods are taken together, and only f50 is told: f10 drowns in what noise the mean still has.
    - ``noise``: standard deviation in HU in the uniform body; ``NPS peak``, ``NPS mean``: cycles/mm; ``relative
      noise``: over that of the phantom before the degradation.
    - ``HU slope``, ``HU intercept``, ``HU r2``: over air, polyethylene, water, acrylic and bone.
    - ``d' 10 HU``, ``d' 50 HU``: of a disc of 5 mm for the non-prewhitening observer with eye filter, each with the
      transfer function at its own contrast.

    Args:
        enhance: the method; ``None`` measures the phantom before the degradation, the row "reference".
        scale: of the method.
        preset: the degradation.
        realisations: of the noise, at least 2; three calls of ``enhance`` for each.

    Returns:
        ``numbers`` by name, ``None`` where nothing could be measured, and ``curves``: ``ttf`` and ``nps`` by label
        (cycles/mm; share, HU^2 mm^2), ``linearity`` (nominal HU; measured HU).
    """
    uniform, materials, low_contrast = (
        _restored(enhance, rods, realisations, scale, preset) for rods in ((), MATERIALS, LOW_CONTRAST)
    )
    transfers = _transfers(*((rods - uniform).mean(axis=0) for rods in (materials, low_contrast)))
    noise = _noise(uniform)
    rods = MATERIALS[: len(MATERIAL_RODS)]
    nominal, measured = [rod.hu for rod in rods], insert_means(materials.mean(axis=0), SPACING_MM, rods)
    line = hu_linearity(measured, nominal)
    numbers = {f"f50 {label}": number(transfer.f50) for label, transfer in transfers.items()}
    numbers |= {f"f10 {label}": number(transfers[label].f10) for label in LABELS}
    numbers |= {"noise": noise.noise_hu, "NPS peak": noise.peak_frequency, "NPS mean": noise.mean_frequency}
    numbers |= {"HU slope": line.slope, "HU intercept": line.intercept_hu, "HU r2": line.r2}
    for contrast in (LOW_CONTRAST_HU, CONTRASTS_HU[0]):
        index = detectability(transfers[f"+{contrast:g} HU"], noise, TASK_MM, contrast)
        numbers[f"d' {contrast:g} HU"] = number(index)
    ideal = numbers if enhance is None else _reference(scale, preset, realisations)["numbers"]
    for name in [*(f"f50 {label}" for label in transfers), *(f"f10 {label}" for label in LABELS), "noise"]:
        both = numbers[name] and ideal[name]
        numbers[f"relative {name}"] = numbers[name] / ideal[name] if both else None
    curves = {
        "ttf": {label: curve(x.frequency, x.value) for label, x in transfers.items()},
        "nps": {"body": curve(noise.frequency, noise.radial)},
        "linearity": curve(np.array(nominal), np.array(measured)),
    }
    return {"numbers": numbers, "curves": curves}
