"""SPAN for CT begins with what SPAN for photographs does."""

from __future__ import annotations

import pytest
import torch

from ctsgan.evaluation.methods.span import ColourSpan
from ctsgan.models import load_generator
from ctsgan.networks import SPANGenerator, from_span
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
