"""What a scanner does to a slice, in physical units: HU in, HU out, lengths in mm, frequencies in cycles/mm.

Images are (..., H, W) with ``spacing_mm`` = (row, column) distance; all leading axes are a batch. Everything runs on
the image's device, but for the projections of :func:`low_count_streaks`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F

from ..errors import CTError

MU_WATER = 0.0195
"""Linear attenuation of water per mm near 70 keV, the mean energy of a 120 kV beam behind a patient (between the
tabulated 60 and 80 keV of Hubbell and Seltzer, NISTIR 5632)."""

MTF_PADDING = 32
"""Mirrored pixels around a slice while it is filtered in the frequency domain, so that its edges do not meet."""


def _frequencies(shape: Sequence[int], spacing_mm: Sequence[float], device: torch.device, half: bool) -> list:
    """Cycles/mm along rows (H, 1) and columns (1, W), the latter (1, W // 2 + 1) if ``half``."""
    columns = torch.fft.rfftfreq if half else torch.fft.fftfreq
    return [
        torch.fft.fftfreq(shape[-2], spacing_mm[0], device=device)[:, None],
        columns(shape[-1], spacing_mm[1], device=device)[None],
    ]


def filter_mtf(
    image: torch.Tensor,
    spacing_mm: Sequence[float],
    mtf: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> torch.Tensor:
    """Multiply the spectrum by ``mtf`` of the (row, column) frequencies in cycles/mm, which is real and 1 at 0."""
    rows, columns = image.shape[-2:]
    above, left = min(MTF_PADDING, rows - 1), min(MTF_PADDING, columns - 1)
    padded = F.pad(image.reshape(-1, 1, rows, columns), (left, left, above, above), mode="reflect")
    gain = mtf(*_frequencies(padded.shape, spacing_mm, image.device, half=True))
    filtered = torch.fft.irfft2(torch.fft.rfft2(padded) * gain, s=padded.shape[-2:])
    return filtered[..., above : above + rows, left : left + columns].reshape(image.shape)


def detector_footprint(image: torch.Tensor, spacing_mm: Sequence[float], width_mm: float) -> torch.Tensor:
    """The mean over a square detector element ``width_mm`` wide at the isocentre: an MTF of |sinc(width f)|."""

    def box(rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        return torch.sinc(width_mm * rows) * torch.sinc(width_mm * columns)

    return filter_mtf(image, spacing_mm, box)


def mtf_parameters(f50: float | None, f10: float) -> tuple[float, float]:
    """(a, b) of the MTF exp(-(f / a)^b) that is 0.5 at ``f50`` and 0.1 at ``f10``; a Gaussian (b = 2) without f50.

    Raises:
        ValueError: unless 0 < f50 < f10.
    """
    if f50 is None:
        return f10 / math.sqrt(math.log(10.0)), 2.0
    if not 0.0 < f50 < f10:
        raise ValueError(f"an MTF falls to 50 % before it falls to 10 %, so not at {f50} and {f10} cycles/mm")
    b = math.log(math.log(10.0) / math.log(2.0)) / math.log(f10 / f50)
    return f10 / math.log(10.0) ** (1.0 / b), b


def mtf_blur(image: torch.Tensor, spacing_mm: Sequence[float], f10: float, f50: float | None = None) -> torch.Tensor:
    """Blur with an isotropic MTF that is 10 % at ``f10`` and 50 % at ``f50`` cycles/mm.

    It comes on top of what the image has already. Measured point spread functions of CT are near to Gaussian
    (Nickoloff and Riley, Medical Physics 12:437, 1985), which is what no ``f50`` means.
    """
    a, b = mtf_parameters(f50, f10)
    return filter_mtf(image, spacing_mm, lambda rows, columns: torch.exp(-((torch.hypot(rows, columns) / a) ** b)))


def quantum_noise(
    shape: Sequence[int],
    spacing_mm: Sequence[float],
    full_dose_std_hu: float,
    dose: float,
    peak_frequency: float,
    generator: torch.Generator,
    device: torch.device,
) -> torch.Tensor:
    """Noise with the power spectrum of filtered back projection, without mean, shape ``shape`` (..., H, W), in HU.

    The spectrum is a ramp, from the reconstruction filter, times a Gaussian apodisation: f exp(-f^2 / (2 p^2)), which
    peaks at p and has its mean at 1.25 p (Riederer et al., Physics in Medicine and Biology 23:446, 1978). The standard
    deviation is ``full_dose_std_hu`` / sqrt(dose), as counts are Poisson's.

    Args:
        shape: of the noise.
        spacing_mm: (row, column) distance.
        full_dose_std_hu: standard deviation in HU at a dose of 1.
        dose: as a share of the full dose.
        peak_frequency: p in cycles/mm.
        generator: of ``device``.
        device: where the noise is made.
    """
    frequency = torch.hypot(*_frequencies(shape, spacing_mm, device, half=False))
    power = frequency * torch.exp(-0.5 * (frequency / peak_frequency) ** 2)
    gain = (power / power.mean()).sqrt()
    white = torch.randn(tuple(shape), generator=generator, device=device)
    return full_dose_std_hu / math.sqrt(dose) * torch.fft.ifft2(torch.fft.fft2(white) * gain).real


def low_count_streaks(
    image: torch.Tensor,
    spacing_mm: Sequence[float],
    photons: float,
    electronic_std: float,
    seed: int,
    views: int = 360,
    filter_name: str = "hann",
) -> torch.Tensor:
    """Add the noise and streaks of a scan with few photons, by projecting the slice forward and back.

    Parallel rays one pixel apart over 180 degrees, p = integral of mu = MU_WATER (1 + HU / 1000); each detects
    Poisson(photons exp(-p)) plus Gaussian electronic noise, at least one photon; filtered back projection. What is
    added is FBP(noisy) - FBP(clean), which is FBP of the difference, so that the object keeps its own sharpness.
    Rays through most bone count least: their noise makes the streaks. Only the circle inscribed in the slice is seen,
    so the slice should be whole. On the processor, with scikit-image; 512 x 512 takes seconds, a reduced number of
    ``views`` proportionally less, at the same dose if ``photons`` goes up as they go down.

    Args:
        image: (..., H, W) in HU.
        spacing_mm: (row, column) distance; pixels are taken as squares of the same area.
        photons: per ray in air.
        electronic_std: of the detector's noise floor, in photons.
        seed: of the counts.
        views: over 180 degrees.
        filter_name: of the back projection, as in ``skimage.transform.iradon``.

    Raises:
        CTError: if scikit-image is not installed.
    """
    try:
        from skimage.transform import iradon, radon
    except ModuleNotFoundError:
        raise CTError("streaks need scikit-image; install it with: pip install scikit-image") from None
    rows, columns = image.shape[-2:]
    edge = max(rows, columns)
    top, left = (edge - rows) // 2, (edge - columns) // 2
    line = np.arange(edge) - edge // 2
    outside = line[:, None] ** 2 + line[None] ** 2 > (edge // 2) ** 2
    pixel_mm = math.sqrt(spacing_mm[0] * spacing_mm[1])
    angles = np.linspace(0.0, 180.0, views, endpoint=False)
    random = np.random.default_rng(seed)
    added = np.zeros((image.numel() // (rows * columns), rows, columns), np.float32)
    for index, hu in enumerate(image.reshape(-1, rows, columns).cpu().numpy()):
        mu = np.zeros((edge, edge), np.float32)
        mu[top : top + rows, left : left + columns] = MU_WATER * np.maximum(1.0 + hu / 1000.0, 0.0)
        mu[outside] = 0.0
        path = radon(mu, theta=angles, circle=True) * pixel_mm
        expected = photons * np.exp(-path)
        counts = random.poisson(expected) + electronic_std * random.standard_normal(path.shape)
        error = np.log(photons / np.maximum(counts, 1.0)) - path
        back = iradon(error, theta=angles, circle=True, filter_name=filter_name, output_size=edge)
        added[index] = back[top : top + rows, left : left + columns] * (1000.0 / (MU_WATER * pixel_mm))
    return image + torch.from_numpy(added).to(image).reshape(image.shape)


def _radius_mm(
    image: torch.Tensor, spacing_mm: Sequence[float], centre_mm: Sequence[float] = (0.0, 0.0)
) -> torch.Tensor:
    """Distance of each pixel from the point ``centre_mm`` (down, right) of the middle of the slice, (H, W)."""
    rows, columns = (
        (torch.arange(size, device=image.device) - (size - 1) / 2.0) * mm - offset
        for size, mm, offset in zip(image.shape[-2:], spacing_mm, centre_mm, strict=True)
    )
    return torch.hypot(rows[:, None], columns[None])


def ring_artefacts(
    image: torch.Tensor,
    spacing_mm: Sequence[float],
    radii_mm: Sequence[float],
    amplitudes_hu: Sequence[float],
    width_mm: float,
    centre_mm: Sequence[float] = (0.0, 0.0),
) -> torch.Tensor:
    """Add rings about the isocentre, as detector channels with a wrong gain leave them.

    Args:
        image: (..., H, W) in HU.
        spacing_mm: (row, column) distance.
        radii_mm: of the rings.
        amplitudes_hu: at their crest, positive or negative, one for each.
        width_mm: full width at half maximum of a ring, the channel's width at the isocentre.
        centre_mm: the isocentre, (down, right) of the middle of the slice.
    """
    radius = _radius_mm(image, spacing_mm, centre_mm)
    sigma = width_mm / (2.0 * math.sqrt(2.0 * math.log(2.0)))
    rings = torch.zeros_like(radius)
    for ring_mm, amplitude in zip(radii_mm, amplitudes_hu, strict=True):
        rings += amplitude * torch.exp(-0.5 * ((radius - ring_mm) / sigma) ** 2)
    return image + rings


def cupping(image: torch.Tensor, spacing_mm: Sequence[float], depth_hu: float, radius_mm: float) -> torch.Tensor:
    """Take ``depth_hu`` from water in the middle, less with the square of the radius, nothing from ``radius_mm`` on.

    Beam hardening and scatter lower what lies deep in the patient; air, which attenuates nothing, keeps its HU, and
    what is between air and water loses in proportion to its attenuation.
    """
    profile = (1.0 - (_radius_mm(image, spacing_mm) / radius_mm) ** 2).clamp_min(0.0)
    return image - depth_hu * profile * (1.0 + image / 1000.0).clamp(0.0, 1.0)


def slice_weights(offsets_mm: torch.Tensor, distance_mm: float, thickness_mm: float) -> torch.Tensor:
    """How much slices at ``offsets_mm`` take part in one of ``thickness_mm``, adding up to 1.

    The slice-sensitivity profile is a box of that width, and each given slice fills the slab of ``distance_mm``
    around its own position: its weight is the part of the box that its slab covers.
    """
    reach = (thickness_mm + distance_mm) / 2.0 - offsets_mm.abs()
    covered = reach.clamp(min=0.0, max=min(thickness_mm, distance_mm))
    return covered / covered.sum()


def thick_slices(stack: torch.Tensor, distance_mm: float, thickness_mm: float) -> torch.Tensor:
    """Slices of ``thickness_mm`` at the positions of the given ones: (slices, H, W) in HU, in and out.

    At the ends of the stack the mean is over the slices that there are. See :func:`slice_weights`.
    """
    positions = torch.arange(len(stack), device=stack.device) * distance_mm
    weights = torch.stack([slice_weights(positions - here, distance_mm, thickness_mm) for here in positions])
    return torch.tensordot(weights.to(stack), stack, dims=1)
