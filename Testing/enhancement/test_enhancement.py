"""What enhancement may and may not do to a slice."""

import numpy as np
import pytest
import torch

from ctsgan import enhancement
from ctsgan.enhancement import Settings, default_tile, enhance_slices, held_pixels
from ctsgan.errors import CTError
from ctsgan.models import load_generator, scales
from ctsgan.networks import LightGenerator, SPANGenerator

SPACING = (0.9765625, 0.9765625)
SCALES = scales("light")


@pytest.fixture(scope="module", params=SCALES)
def generator(request):
    return load_generator("light", request.param)


def test_tiles_and_batches_do_not_change_a_voxel_by_more_than_rounding(generator, abdomen):
    whole = enhance_slices(abdomen, SPACING, generator)
    for tile, batch in ((64, 1), (97, 2), (None, 3)):
        other = enhance_slices(abdomen, SPACING, generator, Settings(tile=tile, batch=batch))
        difference = np.abs(other.astype(int) - whole)
        # a sum in another order may fall on the other side of a half HU
        assert difference.max() <= 1
        assert np.mean(difference > 0) < 1e-4


def test_a_region_alone_is_the_same_as_in_the_whole_slice(generator, abdomen):
    settings = Settings()
    whole = enhance_slices(abdomen, SPACING, generator, settings)
    margin = enhancement.region_margin(generator, settings, SPACING)
    rows, columns = slice(70, 90), slice(60, 100)
    around = tuple(
        slice(max(part.start - margin, 0) // 4 * 4, min(part.stop + margin, 160)) for part in (rows, columns)
    )
    keep = tuple(
        slice(part.start - outer.start, part.stop - outer.start)
        for part, outer in zip((rows, columns), around, strict=True)
    )
    alone = enhance_slices(np.ascontiguousarray(abdomen[:, around[0], around[1]]), SPACING, generator, keep=keep)
    s = generator.scale
    inner = whole[:, s * rows.start : s * rows.stop, s * columns.start : s * columns.stop]
    assert np.abs(alone.astype(int) - inner).max() <= 1


@pytest.mark.parametrize("shape", [(1, 16, 16), (2, 17, 33), (1, 1, 1), (1, 5, 90)])
def test_slices_of_any_size_are_enhanced(generator, abdomen, shape):
    slices, rows, columns = shape
    voxels = np.ascontiguousarray(abdomen[:slices, 40 : 40 + rows, 30 : 30 + columns])
    result = enhance_slices(voxels, SPACING, generator)
    assert result.shape == (slices, generator.scale * rows, generator.scale * columns)
    assert result.dtype == np.int16
    assert np.abs(result.astype(int)).max() < 2000


@pytest.mark.parametrize("padding", [-1024, -2000, -3024, -32768])
def test_padding_stays_what_it_was(generator, abdomen, padding):
    voxels = abdomen.copy()
    rows, columns = np.mgrid[:160, :160]
    outside = np.hypot(rows - 79.5, columns - 79.5) > 75
    voxels[:, outside] = padding
    result = enhance_slices(voxels, SPACING, generator)
    s = generator.scale
    deep = np.hypot(rows - 79.5, columns - 79.5) > 78
    assert np.all(result[:, deep.repeat(s, 0).repeat(s, 1)] == padding)
    inside = np.hypot(rows - 79.5, columns - 79.5) < 70
    assert result[:, inside.repeat(s, 0).repeat(s, 1)].min() >= -1100


def test_metal_above_the_scale_is_kept(generator, abdomen):
    voxels = abdomen.astype(np.int16).copy()
    voxels[:, 70:80, 70:80] = 14000
    result = enhance_slices(voxels, SPACING, generator)
    s = generator.scale
    centre = result[:, 73 * s : 77 * s, 73 * s : 77 * s]
    assert np.all(np.abs(centre.astype(int) - 14000) < 150)
    assert np.abs(result[:, : 40 * s].astype(int)).max() < 2000


def test_a_synthetic_flat_image_stays_flat(generator):
    voxels = np.full((1, 40, 40), 37, np.int16)
    assert np.all(enhance_slices(voxels, SPACING, generator) == 37)


def test_floats_stay_floats_and_integers_become_int16(generator, abdomen):
    small = abdomen[:1, :32, :32]
    floats = enhance_slices(small.astype(np.float32), SPACING, generator)
    assert floats.dtype == np.float32
    assert not np.all(floats == np.rint(floats))
    whole = enhance_slices(small.astype(np.int32), SPACING, generator)
    assert whole.dtype == np.int16
    np.testing.assert_array_equal(whole, np.rint(floats).astype(np.int16))


def test_values_beyond_int16_get_int32(abdomen):
    voxels = abdomen[:1].astype(np.int32)
    voxels[0, :8, :8] = 60000
    result = enhance_slices(voxels, SPACING, load_generator("light", 2))
    assert result.dtype == np.int32
    assert result[0, 2, 2] == 60000


def test_the_untrained_light_network_is_interpolation(abdomen):
    network = LightGenerator(2)
    result = enhance_slices(abdomen.astype(np.float32), SPACING, network, Settings(fidelity_mm=None))
    images = torch.from_numpy(abdomen.astype(np.float32))[:, None]
    bicubic = torch.nn.functional.interpolate(images, scale_factor=2.0, mode="bicubic", align_corners=False)
    np.testing.assert_allclose(result[:, 20:-20, 20:-20], bicubic[:, 0, 20:-20, 20:-20], atol=0.01)


class Offset(torch.nn.Module):
    """A network that is wrong by 20 HU everywhere."""

    scale, size_multiple, reach = 2, 1, 2

    def __init__(self):
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, image):
        return torch.nn.functional.interpolate(image, scale_factor=2.0, mode="bilinear") + 20 / 4096


def test_fidelity_puts_regional_means_back(abdomen):
    wrong = enhance_slices(abdomen, SPACING, Offset(), Settings(fidelity_mm=None))
    right = enhance_slices(abdomen, SPACING, Offset(), Settings(fidelity_mm=10.0))
    assert abs(wrong.mean() - abdomen.mean()) > 15
    assert abs(right.mean() - abdomen.mean()) < 0.2


def test_held_pixels_are_flat_or_below_air():
    image = torch.randn(1, 1, 12, 12) * 20
    image[..., :4, :4] = -1024
    image[..., 8, 8] = -1500
    held = held_pixels(image)[0, 0]
    assert held[0, 0]
    assert held[2, 2]
    assert held[8, 8]
    assert held.sum() == 10


def test_memory_running_out_is_answered_with_smaller_tiles(monkeypatch, abdomen):
    generator = load_generator("light", 2)
    expected = enhance_slices(abdomen, SPACING, generator)
    forward = LightGenerator.forward

    def limited(self, image):
        # the window is wider than the tile by the network's reach on both sides
        if image.shape[-1] > 160:
            raise torch.OutOfMemoryError("out of memory")
        return forward(self, image)

    monkeypatch.setattr(LightGenerator, "forward", limited)
    result = enhance_slices(abdomen, SPACING, generator, Settings(batch=2))
    assert np.abs(result.astype(int) - expected).max() <= 1


def test_no_memory_at_all_is_one_sentence(monkeypatch, abdomen):
    def starved(self, image):
        raise MemoryError

    monkeypatch.setattr(LightGenerator, "forward", starved)
    with pytest.raises(CTError, match="out of memory even with tiles of 80 pixels"):
        enhance_slices(abdomen, SPACING, LightGenerator(2))


def test_other_errors_are_not_taken_for_lack_of_memory(monkeypatch, abdomen):
    def broken(self, image):
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(LightGenerator, "forward", broken)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        enhance_slices(abdomen, SPACING, LightGenerator(2))


def test_progress_counts_slices(abdomen):
    seen = []
    enhance_slices(abdomen, SPACING, LightGenerator(2), Settings(batch=2), progress=lambda *x: seen.append(x))
    assert seen == [(2, 3), (3, 3)]


def test_half_precision_stays_within_one_hu(abdomen):
    generator = load_generator("light", 2)
    exact = enhance_slices(abdomen.astype(np.float32), SPACING, generator)
    half = enhance_slices(abdomen.astype(np.float32), SPACING, generator, Settings(dtype=torch.bfloat16))
    assert np.sqrt(np.mean((half - exact) ** 2)) < 1.0


def test_tiles_are_for_what_the_body_is_large_on():
    light, span = LightGenerator(2), SPANGenerator(2, 8, told=True, experts=True, light_in_doubt=True)
    assert light.size_multiple == span.size_multiple == 2
    assert default_tile(light, (1024, 600)) is None
    assert default_tile(light, (1025, 600)) == 1024
    assert default_tile(span, (512, 512)) is None
    assert default_tile(span, (600, 512)) == 512
