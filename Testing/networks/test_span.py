"""SPAN for CT begins with what SPAN for photographs does."""

from __future__ import annotations

import pytest
import torch

from ctsgan.evaluation.methods.span import ColourSpan
from ctsgan.filters import footprint_mean
from ctsgan.models import load_generator
from ctsgan.networks import SPANGenerator, from_larger_scale, from_span
from ctsgan.softness import with_softness


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("told", [False, True])
def test_ct_is_done_to_as_a_grey_picture_is(scale, told, span_for_photographs):
    mean, convolutions = span_for_photographs(scale, 8)
    network = SPANGenerator(scale, features=8, told=told)
    network.load_state_dict(from_span(mean, convolutions, network))
    image = torch.rand(1, 1, 60, 56)
    with torch.no_grad():
        ours, theirs = network(image), ColourSpan(mean, convolutions, scale)(image)
    # beyond the edges of a slice is water, beyond those of a picture its mean colour
    inside = (..., *(slice(network.reach * scale, -network.reach * scale),) * 2)
    assert theirs[inside].std() > 1e-3
    torch.testing.assert_close(ours[inside], theirs[inside], rtol=0, atol=1e-5)


def test_another_size_is_refused(span_for_photographs):
    with pytest.raises(ValueError, match=r"body.entrance is \(12, 1, 3, 3\), not \(8, 1, 3, 3\)"):
        from_span(*span_for_photographs(2, 8), SPANGenerator(2, features=12))


@pytest.mark.parametrize("scales", [(4, 2), (4, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("told", [(False, False), (True, True), (True, False), (False, True)])
def test_a_smaller_scale_begins_with_means_over_footprints(scales, told):
    large, small = (SPANGenerator(scale, 8, 2, is_told) for scale, is_told in zip(scales, told, strict=True))
    small.load_state_dict(from_larger_scale(large.state_dict(), small))
    image = torch.rand(1, 1, 30, 28)
    with torch.no_grad():
        expected = footprint_mean(
            large(with_softness(image, torch.ones(1)) if told[0] else image), scales[0] // scales[1]
        )
        result = small(with_softness(image, torch.ones(1)) if told[1] else image)
    # beyond the edges of a slice it is not the softness that is told, but 0
    inside = (..., *(slice(small.reach * scales[1], -small.reach * scales[1]),) * 2)
    torch.testing.assert_close(result[inside], expected[inside], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "network",
    [SPANGenerator(4, 8, 2), SPANGenerator(1, 12, 2), SPANGenerator(1, 8, 3), SPANGenerator(1, 8, 2, True, True)],
    ids=["larger scale", "more features", "more blocks", "experts"],
)
def test_no_other_generator_begins_so(network):
    assert from_larger_scale(SPANGenerator(2, 8, 2).state_dict(), network) is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_mixed_precision_changes_nothing(dtype):
    """As shipped: a step from metal to air comes out as it does in float32."""
    network = load_generator("full", 2)
    image = torch.full((1, 1, 48, 48), 0.25)
    image[..., 10:24, 10:24], image[..., 24:38, 10:24] = 1.0, 0.0
    told = with_softness(image, torch.zeros(1))
    with torch.no_grad():
        expected = network(told)
        with torch.autocast("cpu", dtype):
            torch.testing.assert_close(network(told), expected, rtol=0, atol=1e-6)
