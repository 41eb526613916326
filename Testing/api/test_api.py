"""``from ctsgan import enhance``."""

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from monai.data import MetaTensor

import ctsgan.enhancement  # noqa: F401 - the function below must not be hidden by a module
from ctsgan import CTError, enhance
from ctsgan.enhancement import enhance_slices
from ctsgan.models import load_generator


@pytest.fixture(scope="module")
def voxels(clinical_volume):
    return np.ascontiguousarray(clinical_volume.voxels[8:10, 200:240, 150:198])


@pytest.fixture(scope="module")
def expected(voxels):
    return enhance_slices(voxels, (0.9, 0.8), load_generator("light", 2))


def test_an_array_comes_back_finer(voxels, expected):
    np.testing.assert_array_equal(enhance(voxels, (3.0, 0.9, 0.8), scale=2), expected)
    np.testing.assert_array_equal(enhance(voxels, (0.9, 0.8), scale=2), expected)


def test_one_slice_comes_back_as_one_slice(voxels, expected):
    result = enhance(voxels[0], 0.85)
    assert result.shape == expected.shape[1:]


def test_a_simpleitk_image_keeps_its_place(voxels, expected):
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.8, 0.9, 3.0))
    image.SetOrigin((-100.0, 50.0, 7.0))
    image.SetDirection((0, 1, 0, -1, 0, 0, 0, 0, 1))
    result = enhance(image, scale=2)
    np.testing.assert_array_equal(sitk.GetArrayViewFromImage(result), expected)
    assert result.GetSpacing() == pytest.approx((0.4, 0.45, 3.0))
    assert result.GetDirection() == pytest.approx(image.GetDirection())
    outer = [image.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, 0)) for image in (image, result)]
    assert outer[0] == pytest.approx(outer[1])


def test_a_metatensor_keeps_its_place(voxels, expected):
    affine = torch.tensor([[-0.8, 0, 0, 5], [0, -0.9, 0, 6], [0, 0, 3, 7], [0, 0, 0, 1]], dtype=torch.float64)
    tensor = MetaTensor(torch.from_numpy(voxels.transpose(2, 1, 0).copy())[None], affine=affine)
    result = enhance(tensor, scale=2)
    np.testing.assert_array_equal(result[0].numpy().transpose(2, 1, 0), expected)
    corner = torch.tensor([-0.5, -0.5, 0, 1], dtype=torch.float64)
    np.testing.assert_allclose(result.affine @ corner, affine @ corner)


def test_other_options_are_passed_on(voxels):
    assert enhance(voxels, 0.85, scale=4, roi="8:24,:,1:").shape == (1, 160, 64)


def test_what_is_not_a_ct_is_refused(voxels):
    with pytest.raises(CTError, match="intercept"):
        enhance(voxels.clip(-1024) + 1024, 0.85)


def test_an_array_needs_a_spacing_and_an_image_has_one(voxels):
    with pytest.raises(TypeError, match="needs its spacing"):
        enhance(voxels)
    with pytest.raises(TypeError, match="carries its own"):
        enhance(sitk.GetImageFromArray(voxels), 0.8)
    with pytest.raises(TypeError, match="not 4D"):
        enhance(voxels[None], 0.8)


def test_a_metatensor_of_several_channels_is_refused(voxels):
    tensor = MetaTensor(torch.zeros(2, 8, 8, 4))
    with pytest.raises(TypeError, match="one channel"):
        enhance(tensor)


def test_filling_does_not_touch_the_callers_array(voxels):
    given = voxels.astype(np.float32)
    given[0, 3, 3] = np.nan
    result = enhance(given, 0.85, fill=-1024)
    assert np.isfinite(result).all()
    assert np.isnan(given[0, 3, 3])
