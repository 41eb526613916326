"""Operations on HU keep what they must and do what they say."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from ctsgan.degradation.kernels import gaussian_kernel
from ctsgan.degradation.operators import RESIZE_METHODS, convolve, correlated_noise, poisson_noise, resize
from ctsgan.filters import footprint_mean
from ctsgan.metrics import subpixel_shift

SOFT = (-160.0, 240.0)


@pytest.fixture(scope="module")
def stack(abdomen):
    return torch.from_numpy(abdomen.astype(np.float32))


@pytest.mark.parametrize(("edges", "mode"), [("reflect", "mirror"), ("replicate", "nearest")])
def test_convolving_is_scipys(stack, edges, mode):
    kernel = torch.rand(7, 5, generator=torch.Generator().manual_seed(0))
    expected = ndimage.convolve(stack[1].numpy().astype(float), kernel.numpy().astype(float), mode=mode)
    np.testing.assert_allclose(convolve(stack, kernel, edges)[1], expected, rtol=1e-4, atol=0.1)


def test_an_image_smaller_than_half_the_kernel_cannot_be_mirrored(stack):
    small = stack[:, :8, :8]
    with pytest.raises(ValueError, match="too small"):
        convolve(small, gaussian_kernel(21, 2.0))
    assert convolve(small, gaussian_kernel(21, 2.0), "replicate").shape == small.shape


@pytest.mark.parametrize("size", [(40, 32), (61, 107), (160, 160), (213, 240)])
def test_the_area_method_keeps_the_mean_whatever_the_size(stack, size):
    assert resize(stack, size).mean() == pytest.approx(stack.mean().item(), abs=1e-2)


def test_the_area_method_is_the_footprint_mean_where_pixels_fit(stack):
    torch.testing.assert_close(resize(stack, (40, 40)), footprint_mean(stack, 4), atol=1e-3, rtol=0)


@pytest.mark.parametrize("method", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(51, 70), (201, 230)])
def test_interpolation_is_pillows(stack, method, size):
    picture = Image.fromarray(stack[0].numpy(), mode="F").resize(size[::-1], getattr(Image.Resampling, method.upper()))
    np.testing.assert_allclose(resize(stack, size, method)[0], np.asarray(picture), atol=0.1)


@pytest.mark.parametrize("method", RESIZE_METHODS)
def test_resizing_does_not_move_the_image(stack, method):
    for length in (81, 117, 200):
        there = resize(stack, (length, length + 5), method)
        # a mirrored image gives the mirrored result only if nothing leans to a side
        mirrored = resize(stack.flip(-1, -2), (length, length + 5), method).flip(-1, -2)
        torch.testing.assert_close(there, mirrored, atol=0.02, rtol=0)
        back = resize(there, stack.shape[-2:], method)
        assert np.abs(subpixel_shift(back[0].numpy(), stack[0].numpy())).max() <= 0.035


def test_an_unknown_method_is_named(stack):
    with pytest.raises(ValueError, match="'lanczos'"):
        resize(stack, (40, 40), "lanczos")


@pytest.mark.parametrize("taps", [(1.0,), (1.0, 2.0, 1.0)])
def test_gaussian_noise_has_its_standard_deviation(taps):
    noise = correlated_noise((1, 512, 512), 20.0, taps, torch.Generator().manual_seed(0), torch.device("cpu"))
    assert noise.std() == pytest.approx(20.0, rel=0.02)
    assert abs(noise.mean()) < 0.3


@pytest.mark.parametrize(("hu", "share"), [(-160.0, 0.0), (-60.0, 0.25), (40.0, 0.5), (240.0, 1.0), (900.0, 1.0)])
def test_shot_noise_grows_with_the_root_of_the_brightness(hu, share):
    flat = torch.full((1, 400, 400), hu)
    noisy = poisson_noise(flat, 1.5, SOFT, torch.Generator().manual_seed(0))
    expected = 1.5 * 400.0 * np.sqrt(share / 255.0)
    assert noisy.std() == pytest.approx(expected, rel=0.02, abs=1e-4)
    assert noisy.mean() == pytest.approx(hu, abs=0.5)
