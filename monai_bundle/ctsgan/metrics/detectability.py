"""Whether an observer would see it, from transfer function and noise; and whether HU are true.

Samei et al., AAPM Report 233 (TG-233), 2019, task-based performance; ICRU Report 54, 1996, for the non-prewhitening
observer. The eye filter is that of the open program actilib, which follows TG-233; the report itself was not at hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .noise import NoisePowerSpectrum
from .phantom import Insert
from .resolution import TransferFunction

DISTANCE_MM = 475.0
"""From the eye to the display; a choice, as is the magnification: d' of two methods compare only at the same ones."""

MAGNIFICATION = 305.0 / 360.0
"""Millimetres on the display for one in the patient: a field of view of 360 mm shown 305 mm wide."""


def eye_filter(
    frequency: np.ndarray, distance_mm: float = DISTANCE_MM, magnification: float = MAGNIFICATION
) -> np.ndarray:
    """Response of the eye, highest value 1: E = |rho^1.5 exp(-3.22 rho^0.68)|^2 (as in actilib, after TG-233).

    Args:
        frequency: cycles/mm in the patient, any shape; rho = f pi distance / (180 magnification) is per degree.
        distance_mm: from the eye to the display.
        magnification: size on the display over size in the patient.

    Returns:
        Same shape.
    """

    def response(rho: np.ndarray) -> np.ndarray:
        return (rho**1.5 * np.exp(-3.22 * rho**0.68)) ** 2

    best = (1.5 / (3.22 * 0.68)) ** (1.0 / 0.68)
    return response(np.asarray(frequency) * np.pi * distance_mm / (180.0 * magnification)) / response(np.array(best))


def disc_spectrum(frequency: np.ndarray, diameter_mm: float, contrast_hu: float) -> np.ndarray:
    """Fourier transform W(f) of a disc in HU mm^2: contrast (d / 2 f) J1(pi d f); at 0 contrast times area."""
    import torch

    frequency = np.asarray(frequency, dtype=np.float64)
    argument = np.pi * diameter_mm * frequency
    small = argument < 1e-6
    bessel = torch.special.bessel_j1(torch.from_numpy(np.where(small, 1.0, argument))).numpy()
    area = np.pi * diameter_mm**2 / 4.0
    return contrast_hu * area * np.where(small, 1.0, 2.0 * bessel / np.where(small, 1.0, argument))


def detectability(
    transfer: TransferFunction,
    noise: NoisePowerSpectrum,
    diameter_mm: float = 5.0,
    contrast_hu: float = 10.0,
    with_eye: bool = True,
    distance_mm: float = DISTANCE_MM,
    magnification: float = MAGNIFICATION,
) -> float:
    """Detectability index d' of a disc for the non-prewhitening observer with eye filter (TG-233).

    d'^2 = [int |W|^2 TTF^2 E^2 du dv]^2 / int |W|^2 TTF^2 NPS E^4 du dv, with the radial TTF and NPS, so that
    du dv = 2 pi f df, up to where the noise power spectrum was measured. There is no internal noise: figures compare
    methods and are not an observer's score.

    Args:
        transfer: task transfer function at a contrast like the task's.
        noise: of the same images.
        diameter_mm, contrast_hu: the task: 5 mm at 10 or 50 HU unless told.
        with_eye: ``False`` leaves the eye filter out.
        distance_mm, magnification: how the image is looked at, see :func:`eye_filter`.

    Returns:
        d', no unit; proportional to the contrast.
    """
    frequency = np.linspace(0.0, float(noise.frequency[-1]), 4001)[1:]
    response = np.interp(frequency, transfer.frequency, transfer.value, right=0.0)
    power = np.interp(frequency, noise.frequency, noise.radial)
    eye = eye_filter(frequency, distance_mm, magnification) if with_eye else np.ones_like(frequency)
    signal = disc_spectrum(frequency, diameter_mm, contrast_hu) ** 2 * response**2
    measure = 2.0 * np.pi * frequency * (frequency[1] - frequency[0])
    return float((signal * eye**2 * measure).sum() / np.sqrt((signal * power * eye**4 * measure).sum()))


@dataclass(frozen=True)
class Linearity:
    """The straight line measured = slope nominal + intercept (HU), and the share of variance it explains."""

    slope: float
    intercept_hu: float
    r2: float


def hu_linearity(measured_hu: Sequence[float], nominal_hu: Sequence[float]) -> Linearity:
    """How true CT numbers are over inserts (TG-233; least squares), best 1, 0 and 1.

    Raises:
        ValueError: if there are fewer than two inserts of different nominal HU.
    """
    measured, nominal = (np.asarray(values, dtype=np.float64) for values in (measured_hu, nominal_hu))
    if np.unique(nominal).size < 2:
        raise ValueError("HU linearity needs at least two inserts of different HU")
    slope, intercept = np.polyfit(nominal, measured, 1)
    residual = measured - (slope * nominal + intercept)
    total = ((measured - measured.mean()) ** 2).sum()
    return Linearity(float(slope), float(intercept), float(1.0 - (residual**2).sum() / total) if total > 0 else 0.0)


def insert_means(image: np.ndarray, spacing_mm: float, inserts: Sequence[Insert], share: float = 0.6) -> list[float]:
    """Mean HU in the middle of each insert: within ``share`` of its diameter, away from its edge.

    Args:
        image: HU, (rows, columns), of any pixel size around the phantom's middle.
        spacing_mm: pixel width of ``image``.
        inserts: of the phantom.
        share: of the diameter.
    """
    rows, columns = (np.arange(size) for size in image.shape)
    means = []
    for insert in inserts:
        row, column = insert.centre(image.shape, spacing_mm)
        distance = np.hypot((rows - row)[:, None], (columns - column)[None]) * spacing_mm
        means.append(float(image[distance <= share * insert.diameter_mm / 2.0].mean()))
    return means
