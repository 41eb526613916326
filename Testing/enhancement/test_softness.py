"""How soft a volume's kernel was, told from its noise, and what a network makes of it."""

import numpy as np
import pytest
import torch
from scipy.stats import norm

from ctsgan import models
from ctsgan.degradation import preset
from ctsgan.degradation.operators import correlated_noise
from ctsgan.enhancement import Settings, enhance_slices
from ctsgan.errors import CTError
from ctsgan.networks import LightGenerator
from ctsgan.softness import STENCILS, UNKNOWN, fitted, measure_softness, monomials, noise_texture, softness_of
from ctsgan.workflow import Request, enhance_volume


def noise(taps, std_hu=10.0):
    generator = torch.Generator().manual_seed(0)
    return correlated_noise((256, 256), std_hu, taps, generator, torch.device("cpu")).numpy()


def variance(stencil, taps):
    """Of the sums that a stencil makes of noise of unit variance, which ``taps`` smoothed along each axis."""
    return np.prod([np.square(np.convolve(axis, taps)).sum() / np.dot(taps, taps) for axis in stencil])


def size_of_normal(standard_deviation):
    """The mean of absolute values that lie within three medians."""
    end = 3 * norm.ppf(0.75)
    return standard_deviation * 2 * (norm.pdf(0) - norm.pdf(end)) / (2 * norm.cdf(end) - 1)


@pytest.mark.parametrize("taps", [(1.0,), (1.0, 1.0, 1.0), (1.0, 2.0, 1.0)])
@pytest.mark.parametrize("std_hu", [12.0, 25.0])
def test_texture_is_that_of_the_autocorrelation(taps, std_hu):
    sizes = [size_of_normal(std_hu * np.sqrt(variance(stencil, taps))) for stencil in STENCILS]
    expected = [*(size / sizes[0] for size in sizes[1:]), sizes[0] / 10]
    np.testing.assert_allclose(noise_texture(np.rint(40 + noise(taps, std_hu))), np.log(expected), atol=0.06)


def test_edges_and_ramps_are_not_taken_for_noise():
    image = 40 + noise((1.0, 2.0, 1.0))
    rows, columns = np.indices(image.shape)
    with_edges = image + rows / 8 - 60 * (columns > 100) - 60 * (np.hypot(rows - 60, columns - 60) < 30)
    np.testing.assert_allclose(noise_texture(with_edges), noise_texture(image), atol=0.08)


@pytest.mark.parametrize("padding", [-1024, 0, 40])
def test_padding_is_not_taken_for_tissue_without_noise(padding):
    image = np.rint(40 + noise((1.0, 2.0, 1.0), std_hu=25.0))
    padded = np.pad(image, ((200, 100), (0, 300)), constant_values=padding)
    np.testing.assert_allclose(noise_texture(padded), noise_texture(image), atol=0.02)


@pytest.mark.parametrize("hu", [-1000.0, -800.0, 900.0])
def test_without_soft_tissue_it_is_not_known(hu):
    assert noise_texture(hu + noise((1.0,))) is None
    assert measure_softness((hu + noise((1.0,)))[None], 2) == UNKNOWN


def test_an_image_without_noise_tells_nothing():
    assert measure_softness(np.full((2, 64, 64), 40, np.int16), 2) == UNKNOWN
    checks = np.indices((64, 64)).sum(axis=0) % 2 * 20
    assert measure_softness(checks[None], 2) == UNKNOWN


def test_monomials_are_the_numbers_and_their_products():
    assert monomials(np.array([2.0, 3.0])).tolist() == [1, 2, 3, 4, 6, 9]


@pytest.mark.parametrize("scale", [2, 4])
def test_softness_is_what_the_fit_says_of_a_texture(scale):
    fit = fitted(scale)
    ends = np.outer([-20.0, 0.0, 20.0], np.ones(len(STENCILS))) * fit["spread"] + fit["mean"]
    values = softness_of(ends, fit)
    soft, sharpened = (np.exp(fit[kind][0]) for kind in ("soft", "sharpened"))
    assert values[1] == pytest.approx((soft - sharpened) / (1 + soft + sharpened))
    assert (np.abs(values) <= 1).all()


def test_a_scale_without_a_fit_is_named():
    with pytest.raises(CTError, match="at x1 noise does not tell how soft a kernel was; train with --tell False"):
        measure_softness(np.zeros((1, 64, 64)), 1)


@pytest.mark.parametrize("factor", [2, 4])
def test_blurred_reduced_and_sharply_reduced_abdomens_are_told_apart(clinical_volume, factor):
    def softness(name):
        chain = preset(name, factor).set_random_state(0)
        slices = [torch.from_numpy(image.astype(np.float32))[None] for image in clinical_volume.voxels[4:7]]
        return measure_softness(torch.cat([chain(image, (0.98, 0.98)) for image in slices]).numpy(), factor)

    assert softness("portable") > 0.75
    assert abs(softness("area")) < 0.5
    assert softness("bicubic") < -0.5


@pytest.fixture
def told():
    torch.manual_seed(0)
    network = LightGenerator(2, features=8, blocks=1, told=True)
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_(std=0.05)
    return network.eval()


def test_a_told_network_is_told_what_was_measured_or_asked_for(told, abdomen):
    spacing = (1.0, 1.0)
    measured = enhance_slices(abdomen, spacing, told)
    np.testing.assert_array_equal(
        measured, enhance_slices(abdomen, spacing, told, Settings(softness=measure_softness(abdomen, 2)))
    )
    soft, sharp = (enhance_slices(abdomen, spacing, told, Settings(softness=value)) for value in (1.0, 0.0))
    assert np.abs(soft.astype(int) - sharp).max() > 5
    tiled = enhance_slices(abdomen, spacing, told, Settings(softness=1.0, tile=64, batch=2))
    assert np.abs(tiled.astype(int) - soft).max() <= 1
    # without a second channel, as an exported network gets it, it takes what it knows
    told.softness = 1.0
    image = torch.rand(1, 1, 32, 24)
    with torch.no_grad():
        torch.testing.assert_close(told(image), told(torch.cat([image, torch.ones_like(image)], dim=1)))
        assert not torch.allclose(told(image), told(torch.cat([image, torch.zeros_like(image)], dim=1)))


def test_a_region_is_told_the_softness_of_its_volume(told, clinical_volume, monkeypatch):
    monkeypatch.setattr(models, "load_generator", lambda *arguments: told)
    whole = enhance_volume(clinical_volume, Request(scale=2))
    part = enhance_volume(clinical_volume, Request(scale=2, roi="200:260,180:240,3:5"))
    np.testing.assert_array_equal(part.voxels, whole.voxels[3:5, 360:480, 400:520])


def test_a_softness_for_a_network_that_takes_none_is_refused(clinical_volume):
    with pytest.raises(CTError, match="model light x1 takes no softness; leave --softness out"):
        enhance_volume(clinical_volume, Request(scale=1, softness=0.5))
