"""What the discriminator promises: a logit a pixel, bounded slopes, an eye for soft tissue."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from ctsgan.intensity import to_network_range
from ctsgan.networks import UNetDiscriminator


@pytest.fixture
def discriminator() -> UNetDiscriminator:
    torch.manual_seed(0)
    return UNetDiscriminator(features=8)


@pytest.fixture
def slices(abdomen) -> torch.Tensor:
    """Two slices of real CT in the networks' range, unlike in rows and columns."""
    return to_network_range(torch.from_numpy(abdomen[:2, None, :96, :64]).float())


@pytest.mark.parametrize("skip", [True, False])
def test_every_pixel_has_a_logit(slices, skip):
    with torch.no_grad():
        logits = UNetDiscriminator(features=8, skip=skip)(slices)
    assert logits.shape == slices.shape
    assert logits.isfinite().all()
    assert logits.std() > 0


def test_sides_that_do_not_halve_three_times_are_refused(discriminator):
    with pytest.raises(ValueError, match="multiples of 8, got 36 x 40"):
        discriminator(torch.zeros(1, 1, 36, 40))


def test_spectral_norms_come_to_one(discriminator, slices):
    with torch.no_grad():
        for _ in range(40):
            discriminator.train()(slices)
    normalised = [module for module in discriminator.modules() if parametrize.is_parametrized(module)]
    assert len(normalised) == 8
    for conv in normalised:
        assert torch.linalg.matrix_norm(conv.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_all_but_the_first_and_the_last_convolution_are_normalised(discriminator):
    plain = [
        name
        for name, module in discriminator.named_modules()
        if isinstance(module, nn.Conv2d) and not parametrize.is_parametrized(module)
    ]
    assert plain == ["entrance", "exit"]


def test_evaluation_leaves_the_estimate_of_the_norms_alone(discriminator, slices):
    before = {name: value.clone() for name, value in discriminator.state_dict().items()}
    discriminator.eval()(slices)
    assert all(torch.equal(value, before[name]) for name, value in discriminator.state_dict().items())


def test_ten_hu_count_more_in_soft_tissue_than_in_bone(discriminator):
    def change(hu: float) -> float:
        even = torch.full((1, 1, 32, 32), hu)
        with torch.no_grad():
            one, other = (discriminator.eval()(to_network_range(image)) for image in (even, even + 10.0))
        return (other - one).abs().mean().item()

    assert change(40.0) > 5 * change(1200.0) > 0


def test_without_skips_less_of_the_detail_arrives(slices):
    """The way round the coarse levels is what tells one pixel from the next."""
    torch.manual_seed(0)
    discriminator = UNetDiscriminator(features=8).eval()
    image = slices.clone().requires_grad_()

    def sharpness() -> float:
        (gradient,) = torch.autograd.grad(discriminator(image)[0, 0, 48, 32], image)
        near = gradient[0, 0, 44:53, 28:37].abs().sum()
        return (near / gradient.abs().sum()).item()

    with_skips = sharpness()
    discriminator.skip = False
    assert sharpness() < with_skips
