"""Blur kernels are normalised, have the widths they are asked for, and do not move the image."""

import math

import numpy as np
import pytest
import torch

from ctsgan.degradation.kernels import (
    SIZES,
    gaussian_kernel,
    generalised_gaussian_kernel,
    plateau_kernel,
    sinc_kernel,
)


def widths(kernel, angle=0.0):
    """Standard deviations along ``angle`` and across it, in pixels."""
    line = torch.arange(len(kernel)) - len(kernel) // 2
    rows, columns = line[:, None], line[None]
    along = columns * math.cos(angle) + rows * math.sin(angle)
    across = rows * math.cos(angle) - columns * math.sin(angle)
    return [math.sqrt(float((kernel * offset**2).sum())) for offset in (along, across)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "make",
    [
        lambda size: gaussian_kernel(size, 1.3),
        lambda size: gaussian_kernel(size, 3.0, 0.4, 0.7),
        lambda size: generalised_gaussian_kernel(size, 2.0, 0.5, 1.0, 1.1),
        lambda size: plateau_kernel(size, 1.5, 2.0, 2.5, -0.4),
        lambda size: sinc_kernel(size, 0.17),
    ],
    ids=["isotropic", "anisotropic", "generalised", "plateau", "sinc"],
)
def test_every_kernel_is_normalised_and_symmetric_about_its_centre(make, size):
    kernel = make(size)
    assert kernel.shape == (size, size)
    assert kernel.sum() == pytest.approx(1.0, abs=1e-5)
    torch.testing.assert_close(kernel, kernel.flip(0, 1), atol=1e-7, rtol=0)
    assert kernel.argmax() == size * size // 2


def test_an_even_size_has_no_centre():
    with pytest.raises(ValueError, match="odd, not 8"):
        gaussian_kernel(8, 1.0)


@pytest.mark.parametrize("angle", [0.0, 0.5, -1.2, math.pi / 2])
def test_a_gaussian_has_the_widths_asked_for_along_its_direction(angle):
    along, across = widths(gaussian_kernel(21, 2.4, 1.1, angle), angle)
    assert along == pytest.approx(2.4, rel=0.01)
    assert across == pytest.approx(1.1, rel=0.01)
    assert widths(gaussian_kernel(21, 1.7))[0] == pytest.approx(1.7, rel=0.01)


def test_a_generalised_gaussian_of_exponent_one_is_the_gaussian():
    torch.testing.assert_close(generalised_gaussian_kernel(21, 2.0, 1.0, 1.0, 0.3), gaussian_kernel(21, 2.0, 1.0, 0.3))


def test_exponents_below_one_sharpen_the_peak_and_above_flatten_it():
    sharp, plain, flat = (generalised_gaussian_kernel(21, 2.0, beta) for beta in (0.6, 1.0, 3.0))
    ratio = [float(kernel[10, 11] / kernel[10, 10]) for kernel in (sharp, plain, flat)]
    assert ratio[0] < ratio[1] < ratio[2]
    assert ratio[2] == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("beta", [1.0, 2.0, 4.0])
def test_a_plateau_falls_to_half_at_its_width(beta):
    kernel = plateau_kernel(21, 3.0, beta, 5.0)
    assert kernel[10, 13] / kernel[10, 10] == pytest.approx(0.5, rel=1e-4)
    assert kernel[15, 10] / kernel[10, 10] == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize("cutoff", [0.15, 0.25, 0.4])
def test_a_sinc_passes_what_is_below_its_cutoff_and_stops_what_is_above(cutoff):
    kernel = sinc_kernel(21, cutoff).numpy()
    response = np.abs(np.fft.fft2(np.pad(kernel, ((0, 107), (0, 107)))))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(128), np.fft.fftfreq(128), indexing="ij"))
    assert response[frequency < cutoff - 0.06].min() > 0.75
    assert response[frequency > cutoff + 0.06].max() < 0.25
    assert response[np.abs(frequency - cutoff) < 0.004].mean() == pytest.approx(0.5, abs=0.1)
    assert kernel.min() < 0
