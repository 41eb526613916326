"""Lesions that are put into sharp patches."""

import numpy as np
import torch

from ctsgan.data import PatchBatches, RandLesions, find_sources, load_slices
from ctsgan.degradation import preset
from ctsgan.intensity import from_network_range

SPACING = (0.8, 0.5)
LIVER = torch.full((1, 200, 320), 60.0)


def one(seed, **settings):
    """What a single lesion adds to liver."""
    ranges = {"count": (1, 1), "diameter_mm": (10.0, 10.0), "contrast_hu": (20.0, 20.0), "edge_mm": (0.3, 0.3)}
    return (RandLesions(**ranges | settings).set_random_state(seed)(LIVER, SPACING) - LIVER)[0]


def diameters_mm(added):
    inside = added.abs() > added.abs().max() / 2
    return [mm * int(inside.any(dim=axis).sum()) for axis, mm in ((1, SPACING[0]), (0, SPACING[1]))]


def whole(seeds, **settings):
    """Those that no edge of the slice cuts."""
    drawn = [one(seed, **settings) for seed in seeds]
    return [added for added in drawn if not any(added.select(axis, end).any() for axis in (0, 1) for end in (0, -1))]


def test_a_round_lesion_has_its_contrast_and_its_size_in_mm():
    lesions = whole(range(12), axis_ratio=1.0)
    assert len(lesions) > 4
    for added in lesions:
        assert abs(added.abs().max().item() - 20.0) < 0.01
        np.testing.assert_allclose(diameters_mm(added), 10.0, atol=0.9)


def test_an_oval_keeps_its_area():
    lesions = whole(range(24), axis_ratio=3.0)
    areas = [added.abs().sum().item() / 20.0 * SPACING[0] * SPACING[1] for added in lesions]
    np.testing.assert_allclose(areas, np.pi * 5.0**2, rtol=0.02)
    assert max(max(diameters_mm(added)) for added in lesions) > 13.0


def test_half_of_them_are_darker():
    signs = [torch.sign(one(seed).sum()).item() for seed in range(40)]
    assert 10 < signs.count(-1.0) < 30


def test_there_are_as_many_as_are_asked_for():
    sizes = {"diameter_mm": (1.5, 1.5), "axis_ratio": 1.0}
    found = [one(seed, count=(6, 6), **sizes).abs().sum() / one(seed, **sizes).abs().sum() for seed in range(20)]
    assert 3 < np.median(found) <= 6.1


def test_air_gets_none():
    slice_hu = LIVER.clone()
    slice_hu[..., 160:] = -1000.0
    lesions = RandLesions(count=(40, 40)).set_random_state(0)(slice_hu, SPACING) - slice_hu
    assert lesions[..., :160].abs().max() > 8
    assert not lesions[..., 160:].any()


def test_patches_get_them_before_they_are_degraded(dataset):
    volumes = load_slices(find_sources(dataset, "train"))
    settings = {"patch_size": 16, "batch_size": 4, "coarser_prob": 0.0, "softer_prob": 0.0}
    lesions = RandLesions(count=(5, 5), contrast_hu=(100.0, 100.0), prob=0.5)
    plain, with_lesions = (
        PatchBatches(volumes, preset("area", 4), lesions=put_in, **settings).batch(3) for put_in in (None, lesions)
    )
    assert not torch.equal(plain["label"], with_lesions["label"])
    means = from_network_range(torch.nn.functional.avg_pool2d(with_lesions["label"], 4))
    assert (means.round() - from_network_range(with_lesions["image"])).abs().max() <= 1.0
