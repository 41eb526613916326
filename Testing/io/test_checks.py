"""What can be a CT in HU is let through; what cannot is refused with a reason."""

import tracemalloc

import numpy as np
import pytest
import SimpleITK as sitk

from ctsgan.errors import CTError
from ctsgan.io.checks import check_finite, check_hounsfield, check_volume
from ctsgan.io.files import read_volume, write_volume
from ctsgan.volume import Volume


def volume_of(voxels):
    return Volume(np.asarray(voxels), np.eye(4))


def noise(mean, deviation, dtype=np.int16, seed=0):
    return np.random.default_rng(seed).normal(mean, deviation, (6, 20, 20)).astype(dtype)


@pytest.fixture
def ct(ct_image):
    return sitk.GetArrayFromImage(ct_image)


def test_a_clinical_ct_and_its_parts_are_hu(ct):
    check_hounsfield(volume_of(ct))
    check_hounsfield(volume_of(ct.astype(np.float32)))
    check_hounsfield(volume_of(np.clip(ct, -160, 240)))


def test_soft_tissue_brain_and_lung_alone_are_hu():
    check_hounsfield(volume_of(np.clip(noise(40, 60), -150, 300)))
    check_hounsfield(volume_of(noise(35, 12)))
    check_hounsfield(volume_of(noise(-850, 40)))


@pytest.mark.parametrize("padding", [-1025, -2000, -2048, -3024, -8192, -32768])
def test_padding_of_any_value_is_no_reason_to_refuse(ct, padding):
    padded = ct.copy()
    padded[:, :50] = padding
    padded[0] = padding
    check_hounsfield(volume_of(padded))


def test_metal_on_an_extended_scale_is_hu(ct):
    metal = ct.copy()
    metal[1, 200:210, 200:210] = 30710
    check_hounsfield(volume_of(metal))


def refused(voxels, reason):
    with pytest.raises(CTError, match=reason) as caught:
        check_hounsfield(volume_of(voxels))
    assert "--force" in str(caught.value)
    check_hounsfield(volume_of(voxels), force=True)


def test_stored_values_without_rescale_intercept_are_refused(ct):
    lowest, highest = ct.min() + 1024, ct.max() + 1024
    refused(ct + 1024, rf"values {lowest:g} to {highest:g}, not HU: .*without its rescale intercept \(-1024")
    refused((ct + 1024).astype(np.float32), "without its rescale intercept")


def test_stored_values_without_rescale_intercept_are_seen_behind_padding(ct):
    stored = ct + 1024
    stored[:, :50] = -2000
    refused(stored, "without its rescale intercept")


def test_stored_values_with_the_offset_of_unsigned_numbers_are_refused(ct):
    refused((ct.astype(np.int32) + 32768).astype(np.uint16), "32768 added")


def test_pictures_labels_and_scaled_volumes_are_refused(ct):
    refused(np.clip((ct + 160) / 400 * 255, 0, 255).astype(np.uint8), "8-bit picture or labels")
    refused(np.clip((ct + 160) / 400, 0, 1).astype(np.float32), "less than the noise of a CT.*0..1")
    refused(np.clip(ct / 1000, -1, 1).astype(np.float32), "less than the noise of a CT")
    refused((0.0192 * (1 + ct / 1000)).astype(np.float32), "attenuation")
    refused((ct > 200).astype(np.int16), "mask")


def test_values_beyond_sixteen_bits_are_refused(ct):
    refused(ct.astype(np.int32) * 100, "a CT lies within -32768 to 32767")
    wild = ct.astype(np.float32)
    wild[0, 0, 0] = -1e30
    refused(wild, "check its rescale slope and intercept")


def test_empty_volumes_are_refused():
    refused(np.full((3, 8, 8), -1000, np.int16), "every voxel is the same")
    refused(np.where(noise(0, 1) > 0, -2000, -3024), "lies below -1024, as only padding does")


def test_nan_and_infinity_are_counted_and_refused(tmp_path):
    voxels = noise(0, 300, np.float32)
    voxels[1, 2, 3:6] = np.nan
    voxels[4, 0, 0] = -np.inf
    with pytest.raises(CTError, match=r"3 NaN and 1 infinite voxels of 2400.*--fill"):
        check_finite(volume_of(voxels), None)
    write_volume(volume_of(voxels), tmp_path / "ct.nii")
    with pytest.raises(CTError, match=r"ct\.nii has 3 NaN"):
        read_volume(tmp_path / "ct.nii")
    filled = read_volume(tmp_path / "ct.nii", fill=-1024)
    assert np.array_equal(filled.voxels, np.where(np.isfinite(voxels), voxels, -1024))


def test_nan_in_memory_that_cannot_be_changed_is_replaced_in_a_copy():
    voxels = noise(0, 300, np.float32)
    voxels[0, 0, 0] = np.nan
    voxels.flags.writeable = False
    filled = check_finite(volume_of(voxels), -1000.0)
    assert filled.voxels[0, 0, 0] == -1000.0
    assert np.isnan(voxels[0, 0, 0])


def test_finite_volumes_are_handed_on_as_they_are():
    for voxels in (noise(0, 300), noise(0, 300, np.float32)):
        volume = volume_of(voxels)
        assert check_volume(volume, fill=-1024.0) is volume


@pytest.mark.parametrize("fill", [np.nan, np.inf])
def test_a_fill_that_is_no_number_is_refused(fill):
    with pytest.raises(CTError, match="--fill must be a number"):
        check_finite(volume_of(noise(0, 300)), fill)


def test_both_checks_are_made_in_turn():
    voxels = np.clip(noise(100, 50, np.float32), 0, 255)
    voxels[0] = np.nan
    with pytest.raises(CTError, match="NaN"):
        check_volume(volume_of(voxels))
    with pytest.raises(CTError, match="8-bit picture"):
        check_volume(volume_of(voxels), fill=0.0)
    assert np.all(check_volume(volume_of(voxels), force=True, fill=-5.0).voxels >= 0.0)


def test_checks_take_the_memory_of_a_slice():
    voxels = np.tile(np.arange(-2500, 2500, dtype=np.float32).reshape(50, 100), (200, 1, 1))
    voxels[7, 7, 7] = np.nan
    tracemalloc.start()
    try:
        check_volume(volume_of(voxels), fill=0.0)
        assert tracemalloc.get_traced_memory()[1] < 0.05 * voxels.nbytes
    finally:
        tracemalloc.stop()
