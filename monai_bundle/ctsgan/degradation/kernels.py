"""Blur kernels of odd size, normalised: tensors (size, size), float32, to be convolved with a slice.

Lengths are in pixels of the image that is blurred and frequencies in cycles a pixel; a width of ``sigma`` pixels is
``sigma * spacing`` in mm. The shapes are those of Real-ESRGAN (Wang et al., ICCV workshops 2021, section 3.2), on
even grids about the centre, so that none of them moves the image.
"""

from __future__ import annotations

import math

import torch

SIZES = tuple(range(7, 22, 2))
"""Edges in pixels that Real-ESRGAN draws from."""


def _offsets(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows (size, 1) and columns (1, size) counted from the centre."""
    if size < 1 or size % 2 == 0:
        raise ValueError(f"a kernel needs a centre, so its size is odd, not {size}")
    line = torch.arange(size, dtype=torch.float64) - size // 2
    return line[:, None], line[None, :]


def _squared_distance(size: int, sigma: float, sigma_across: float | None, angle: float) -> torch.Tensor:
    """Squared distance from the centre in units of the standard deviations, shape (size, size)."""
    rows, columns = _offsets(size)
    along = columns * math.cos(angle) + rows * math.sin(angle)
    across = rows * math.cos(angle) - columns * math.sin(angle)
    return (along / sigma) ** 2 + (across / (sigma if sigma_across is None else sigma_across)) ** 2


def _normalised(kernel: torch.Tensor) -> torch.Tensor:
    return (kernel / kernel.sum()).float()


def gaussian_kernel(size: int, sigma: float, sigma_across: float | None = None, angle: float = 0.0) -> torch.Tensor:
    """A Gaussian: focal spot and reconstruction kernel together are near to one.

    Args:
        size: edge in pixels, odd.
        sigma: standard deviation in pixels along the direction ``angle``.
        sigma_across: at right angles to it; ``None`` is isotropic. A patient's motion makes the two differ.
        angle: in radians, from the column axis (to the right) towards the row axis (down).
    """
    return _normalised(torch.exp(-0.5 * _squared_distance(size, sigma, sigma_across, angle)))


def generalised_gaussian_kernel(
    size: int, sigma: float, beta: float, sigma_across: float | None = None, angle: float = 0.0
) -> torch.Tensor:
    """exp(-d^(2 beta) / 2) of the distance d in standard deviations.

    ``beta`` 1 is the Gaussian, less has a sharper peak and longer tails (scatter in the detector), more a flatter
    top with steeper sides (a wide detector element). Other arguments as :func:`gaussian_kernel`.
    """
    return _normalised(torch.exp(-0.5 * _squared_distance(size, sigma, sigma_across, angle) ** beta))


def plateau_kernel(
    size: int, sigma: float, beta: float, sigma_across: float | None = None, angle: float = 0.0
) -> torch.Tensor:
    """1 / (1 + d^(2 beta)) of the distance d in standard deviations: a flat top that falls to half at d = 1.

    The larger ``beta`` is, the steeper; arguments as :func:`gaussian_kernel`.
    """
    return _normalised(1.0 / (1.0 + _squared_distance(size, sigma, sigma_across, angle) ** beta))


def sinc_kernel(size: int, cutoff: float) -> torch.Tensor:
    """The circular low-pass that cuts at ``cutoff`` cycles a pixel (0 to 0.5): a sharp reconstruction filter's ringing.

    Its profile is the jinc, f J1(2 pi f r) / r, the transform of a disc in frequency, cut to the kernel's size.
    """
    rows, columns = _offsets(size)
    radius = torch.hypot(rows, columns)
    centre = radius == 0
    safe = torch.where(centre, 1.0, radius)
    jinc = cutoff * torch.special.bessel_j1(2.0 * math.pi * cutoff * safe) / safe
    return _normalised(torch.where(centre, math.pi * cutoff**2, jinc))
