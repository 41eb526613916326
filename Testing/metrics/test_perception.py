"""Perceptual metrics beside other implementations of them."""

import importlib.util

import numpy as np
import pytest
import skimage.data
import torch
from monai.metrics.fid import get_fid_score

from ctsgan.errors import CTError
from ctsgan.filters import gaussian_blur
from ctsgan.metrics import body_centre, fid_vgg, niqe, niqe_of_picture, perception, st_lpips, vgg_features


def blurred(image: np.ndarray, sigma: float) -> np.ndarray:
    return gaussian_blur(torch.from_numpy(image), sigma, (1.0, 1.0)).numpy()


@pytest.fixture(scope="module")
def patch(abdomen):
    """96 x 96 pixels of a liver, HU."""
    return abdomen[0][:96, :96].astype(float)


@pytest.mark.parametrize(("picture", "expected"), [("camera", 3.0962), ("moon", 9.1121), ("brick", 9.4796)])
def test_niqe_of_photographs_is_that_of_basicsr_to_1_percent(picture, expected):
    """BasicSR's implementation, which gives the authors' MATLAB value of their test picture to five digits."""
    assert niqe_of_picture(getattr(skimage.data, picture)()) == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(("window", "expected"), [("wide", 5.5543), ("soft", 3.7353)])
def test_niqe_of_ct_is_that_of_basicsr_to_1_percent(clinical_volume, window, expected):
    assert niqe(clinical_volume.voxels[10], window) == pytest.approx(expected, rel=0.01)


def test_niqe_says_what_size_it_needs():
    with pytest.raises(ValueError, match="two blocks"):
        niqe(np.zeros((100, 100)))


@pytest.mark.parametrize(("window", "expected"), [("wide", 0.1033837), ("soft", 0.2688475)])
def test_shift_tolerant_lpips_is_that_of_its_authors(patch, window, expected):
    """The package's own program, run once on the same two images."""
    assert st_lpips(blurred(patch, 1.0), patch, window) == pytest.approx(expected, rel=1e-3)
    assert st_lpips(patch, patch, window) == 0


def test_lpips_is_taken_from_the_middle_of_the_body():
    body = np.zeros((512, 512), bool)
    body[200:300, 10:100] = True
    rows, columns = body_centre(body)
    assert (rows.start, rows.stop) == (154, 346)
    assert (columns.start, columns.stop) == (0, 192)


def test_fid_is_that_of_monai():
    generator = np.random.default_rng(0)
    first, second = (generator.normal(size=(n, 20)) @ generator.normal(size=(20, 20)) for n in (300, 200))
    expected = float(get_fid_score(torch.from_numpy(first), torch.from_numpy(second)))
    assert fid_vgg(first, second) == pytest.approx(expected, rel=1e-6)


def test_fid_with_fewer_images_than_features_is_finite_and_zero_for_the_same():
    few = np.random.default_rng(0).normal(size=(10, 100))
    assert fid_vgg(few, few) == pytest.approx(0, abs=1e-9)
    assert fid_vgg(few, few + 1) == pytest.approx(100)


def test_fid_of_blurred_ct_grows_with_the_blur(abdomen):
    image = abdomen[0][:128, :128].astype(float)
    own, little, much = (vgg_features([x]) for x in (image, blurred(image, 0.7), blurred(image, 2.0)))
    assert own.shape == (4, 512)
    assert 0 < fid_vgg(little, own) < fid_vgg(much, own)


def test_patches_outside_the_mask_are_left_out(patch):
    mask = np.zeros((96, 96), bool)
    mask[:32, :64] = True
    assert vgg_features([patch], patch=32, masks=[mask]).shape == (2, 512)
    with pytest.raises(ValueError, match="no patch"):
        vgg_features([patch], patch=32, masks=[~np.ones_like(mask)])


def test_missing_weights_are_named_with_the_command_that_gets_them(monkeypatch):
    perception.shift_tolerant_vgg.cache_clear()
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CTError, match=r"pip install --no-deps stlpips_pytorch==0\.0\.2"):
        st_lpips(np.zeros((64, 64)), np.zeros((64, 64)))


def test_other_weights_than_those_of_published_figures_are_refused(monkeypatch, tmp_path):
    perception.shift_tolerant_vgg.cache_clear()
    file = tmp_path / "vgg.pth"
    file.write_bytes(b"other")
    monkeypatch.setattr(perception, "packaged_weights", lambda: file)
    with pytest.raises(CTError, match="not the weight file"):
        vgg_features([np.zeros((64, 64))])
