"""JPEG on a windowed view: the tensors' own is what the library's file does."""

import numpy as np
import pytest
import torch

from ctsgan.degradation.jpeg import jpeg, jpeg_file, quantisation_table
from ctsgan.metrics import WINDOWS


@pytest.fixture(scope="module")
def stack(clinical_volume):
    """Two slices of 300 x 285 pixels, no multiples of 8."""
    return torch.from_numpy(clinical_volume.voxels[9:11, 110:410, 100:385].astype(np.float32))


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("quality", [30, 60, 95])
def test_both_ways_agree_to_a_third_of_a_grey_value(stack, window, quality):
    low, high = WINDOWS[window]
    grey = (high - low) / 255.0
    tensors, file = jpeg(stack, quality, (low, high)), jpeg_file(stack, quality, (low, high))
    difference = (tensors - file).abs() / grey
    damage = (file - stack).abs()[(stack >= low) & (stack <= high)].mean() / grey
    assert difference.mean() < 0.33
    assert difference.mean() < 0.25 * damage
    # coefficients in the middle between two steps may fall to either side
    assert (difference > 2.0).float().mean() < 0.04


@pytest.mark.parametrize("compress", [jpeg, jpeg_file])
def test_values_outside_the_window_pass_unchanged(stack, compress):
    low, high = WINDOWS["soft"]
    result = compress(stack, 50, (low, high))
    outside = (stack < low) | (stack > high)
    assert outside.float().mean() > 0.1
    torch.testing.assert_close(result[outside], stack[outside], rtol=0, atol=0)
    assert result[~outside].min() >= low
    assert result[~outside].max() <= high


def test_a_lower_quality_does_more_damage(stack):
    window = WINDOWS["soft"]
    damage = [(jpeg(stack, quality, window) - stack).abs().mean() for quality in (95, 75, 50, 30)]
    assert damage == sorted(damage)


def test_tables_scale_as_the_library_scales_them(tmp_path):
    from PIL import Image

    for quality in (10, 30, 50, 77, 95, 100):
        Image.new("L", (8, 8)).save(tmp_path / "q.jpg", quality=quality)
        with Image.open(tmp_path / "q.jpg") as picture:
            assert quantisation_table(quality).int().flatten().tolist() == list(picture.quantization[0])


def test_a_gradient_comes_through(stack):
    image = stack[:, 150:214, 100:164].clone().requires_grad_()
    low, high = WINDOWS["wide"]
    jpeg(image, 60, (low, high)).square().mean().backward()
    expected = 2.0 * image.detach() / image.numel()
    # rounding is passed straight through, so the gradient is about that of doing nothing
    assert torch.corrcoef(torch.stack([image.grad.flatten(), expected.flatten()]))[0, 1] > 0.95
