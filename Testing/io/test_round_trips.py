"""Whatever a file's axes, type and place, each voxel keeps its value and its position through reading and writing."""

from itertools import pairwise

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ctsgan.errors import CTError
from ctsgan.io.files import read_volume, write_volume
from ctsgan.volume import Volume

TYPES = (np.int16, np.uint16, np.int32, np.float32)
FORMATS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd")

many = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
numbers = st.integers(min_value=0, max_value=2**32 - 1)


@st.composite
def files(draw, sheared=True):
    """(voxels along the file's axes 0, 1, 2; LPS affine): flipped, oblique, sheared, slices along any axis."""
    random = np.random.default_rng(draw(numbers))
    size = np.array([draw(st.integers(2, 9)) for _ in range(3)])
    spacing = np.array([draw(st.floats(0.05, 5.0)) for _ in range(3)])
    slices = draw(st.integers(0, 2))
    if draw(st.booleans()):
        # square slices, which are found whatever axis they are along
        others = [axis for axis in range(3) if axis != slices]
        size[others], spacing[others] = size[others[0]], spacing[others[0]]
    rotation, _ = np.linalg.qr(random.normal(size=(3, 3)))
    if draw(st.booleans()):
        rotation = np.eye(3)[random.permutation(3)] * random.choice([-1.0, 1.0], 3)
    affine = np.eye(4)
    affine[:3, :3] = rotation * spacing
    if sheared and draw(st.booleans()):
        affine[:3, slices] += affine[:3, (slices + 1) % 3] * draw(st.floats(-0.6, 0.6))
    affine[:3, 3] = random.uniform(-1500.0, 1500.0, 3)
    dtype = np.dtype(draw(st.sampled_from(TYPES)))
    lowest, highest = (0, 65535) if dtype == np.uint16 else (-32768, 32767)
    voxels = random.integers(lowest, highest + 1, size).astype(dtype)
    if dtype.kind == "f":
        voxels += random.random(size, dtype=np.float32)
    return voxels, affine


def assert_every_voxel_is_in_its_place(volume, voxels, affine):
    assert volume.voxels.flags.c_contiguous
    column, row, slice_ = volume.file_axes
    assert np.array_equal(volume.voxels, voxels.transpose(slice_, row, column))
    # a NIfTI affine is kept in 32 bits
    assert np.allclose(volume.affine[:, [0, 1, 2]], affine[:, [column, row, slice_]], atol=1e-5)
    assert np.allclose(volume.affine[:3, 3], affine[:3, 3], atol=1e-3)


@many
@given(file=files())
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti_of_nibabel_is_read_and_written_as_it_is(tmp_path, suffix, file):
    voxels, affine = file
    to_ras = np.diag([-1.0, -1.0, 1.0, 1.0])
    source, target = tmp_path / f"source{suffix}", tmp_path / f"target{suffix}"
    nib.save(nib.Nifti1Image(voxels, to_ras @ affine), source)
    volume = read_volume(source, force=True)
    assert_every_voxel_is_in_its_place(volume, voxels, affine)
    assert volume.voxels.dtype == voxels.dtype
    write_volume(volume, target, overwrite=True)
    written = nib.load(target)
    assert written.get_data_dtype() == voxels.dtype
    assert np.array_equal(np.asanyarray(written.dataobj), voxels)
    assert np.allclose(to_ras @ written.affine, affine, rtol=1e-5, atol=1e-3)


@many
@given(file=files())
@pytest.mark.parametrize("suffix", [".nrrd", ".nhdr", ".mha", ".mhd"])
def test_nrrd_and_metaimage_of_simpleitk_are_read_and_written_as_they_are(tmp_path, suffix, file):
    voxels, affine = file
    source, target = tmp_path / f"source{suffix}", tmp_path / f"target{suffix}"
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image = sitk.GetImageFromArray(voxels.T)
    image.SetSpacing(spacing)
    image.SetOrigin(affine[:3, 3])
    image.SetDirection((affine[:3, :3] / spacing).ravel())
    sitk.WriteImage(image, str(source), useCompression=len(voxels) % 2 == 0)
    volume = read_volume(source, force=True)
    assert_every_voxel_is_in_its_place(volume, voxels, affine)
    assert volume.voxels.dtype == voxels.dtype
    write_volume(volume, target, overwrite=True)
    written = sitk.ReadImage(str(target))
    assert np.array_equal(sitk.GetArrayViewFromImage(written).T, voxels)
    assert np.allclose(written.GetSpacing(), spacing, rtol=1e-12)
    assert np.allclose(written.GetOrigin(), affine[:3, 3], rtol=1e-12)
    assert np.allclose(written.GetDirection(), image.GetDirection(), atol=1e-12)


@many
@given(file=files())
@pytest.mark.parametrize("suffix", [".tif", ".tiff"])
def test_tiff_gives_back_voxels_spacing_and_place(tmp_path, suffix, file):
    voxels, affine = file
    volume = Volume(np.ascontiguousarray(voxels.T), affine)
    write_volume(volume, tmp_path / f"ct{suffix}", overwrite=True)
    again = read_volume(tmp_path / f"ct{suffix}", force=True)
    assert again.voxels.dtype == volume.voxels.dtype
    assert np.array_equal(again.voxels, volume.voxels)
    assert np.array_equal(again.affine, affine)


@many
@given(file=files(), suffixes=st.permutations(FORMATS))
def test_a_volume_may_change_its_format(tmp_path, file, suffixes):
    voxels, affine = file
    paths = [tmp_path / f"ct{suffix}" for suffix in suffixes]
    write_volume(Volume(np.ascontiguousarray(voxels.T), affine), paths[0], overwrite=True)
    for source, target in pairwise(paths):
        write_volume(read_volume(source, force=True), target, overwrite=True)
    assert_every_voxel_is_in_its_place(read_volume(paths[-1], force=True), voxels, affine)


@pytest.mark.parametrize("slices", [0, 1, 2])
@pytest.mark.parametrize("suffix", FORMATS)
def test_slices_are_found_along_any_axis_of_the_file_and_stored_along_it_again(tmp_path, ct_image, suffix, slices):
    order = [[2, 0, 1], [0, 2, 1], [0, 1, 2]][slices]
    stored = sitk.PermuteAxes(ct_image, order)
    sitk.WriteImage(stored, str(tmp_path / f"source{suffix}"))
    volume = read_volume(tmp_path / f"source{suffix}")
    assert volume.file_axes[2] == slices
    assert np.array_equal(volume.voxels, sitk.GetArrayViewFromImage(ct_image))
    assert np.allclose(volume.spacing_mm, ct_image.GetSpacing(), atol=1e-5)
    enlarged = volume.upscaled(volume.voxels.repeat(2, axis=1).repeat(2, axis=2), 2)
    write_volume(enlarged, tmp_path / f"target{suffix}")
    written = sitk.ReadImage(str(tmp_path / f"target{suffix}"))
    assert [size * (1 if axis == slices else 2) for axis, size in enumerate(stored.GetSize())] == [*written.GetSize()]
    assert np.allclose(written.GetDirection(), stored.GetDirection(), atol=1e-5)
    # the corner of the image stays where it is
    corner = [-0.5] * 3
    assert np.allclose(
        written.TransformContinuousIndexToPhysicalPoint(corner),
        stored.TransformContinuousIndexToPhysicalPoint(corner),
        atol=1e-3,
    )


@pytest.mark.parametrize("suffix", [*FORMATS, ".tif"])
@pytest.mark.parametrize("shape", [(1, 16, 16), (1, 12, 16), (2, 1, 3), (1, 1, 1)])
def test_a_single_slice_row_or_voxel_is_a_volume_too(tmp_path, suffix, shape):
    voxels = np.arange(np.prod(shape), dtype=np.int16).reshape(shape) - 20
    write_volume(Volume(voxels, np.diag([0.5, 0.5, 3.0, 1.0])), tmp_path / f"ct{suffix}")
    again = read_volume(tmp_path / f"ct{suffix}", force=True)
    assert np.array_equal(again.voxels, voxels)
    assert np.allclose(again.spacing_mm, [0.5, 0.5, 3.0])


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_two_dimensional_file_is_one_slice(tmp_path, ct_image, suffix):
    flat = ct_image[:, :, 1]
    sitk.WriteImage(flat, str(tmp_path / f"ct{suffix}"))
    volume = read_volume(tmp_path / f"ct{suffix}")
    assert volume.voxels.shape == (1, flat.GetSize()[1], flat.GetSize()[0])
    assert np.array_equal(volume.voxels[0], sitk.GetArrayViewFromImage(flat))
    assert np.allclose(volume.spacing_mm[:2], flat.GetSpacing())


@pytest.mark.parametrize("suffix", FORMATS)
def test_one_time_point_is_a_volume_and_two_are_not(tmp_path, ct_image, suffix):
    one = sitk.JoinSeries([ct_image])
    sitk.WriteImage(one, str(tmp_path / f"one{suffix}"))
    volume = read_volume(tmp_path / f"one{suffix}")
    assert np.array_equal(volume.voxels, sitk.GetArrayViewFromImage(ct_image))
    assert np.allclose(volume.spacing_mm, ct_image.GetSpacing(), atol=1e-5)
    sitk.WriteImage(sitk.JoinSeries([ct_image, ct_image]), str(tmp_path / f"two{suffix}"))
    with pytest.raises(CTError, match=rf"two\{suffix} has 4 dimensions .*save one time point"):
        read_volume(tmp_path / f"two{suffix}")


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha", ".tif"])
def test_doubles_are_read_as_single_precision(tmp_path, suffix):
    voxels = np.random.default_rng(0).normal(0.0, 300.0, (3, 8, 8))
    write_volume(Volume(voxels, np.eye(4)), tmp_path / f"ct{suffix}")
    again = read_volume(tmp_path / f"ct{suffix}")
    assert again.voxels.dtype == np.float32
    assert np.array_equal(again.voxels, voxels.astype(np.float32))


@pytest.mark.parametrize("suffix", [*FORMATS, ".tif"])
def test_parts_of_an_array_and_half_precision_are_written(tmp_path, suffix):
    voxels = np.random.default_rng(0).normal(0.0, 300.0, (6, 8, 8)).astype(np.float16)[::2, :, 1:-1]
    write_volume(Volume(voxels, np.diag([1.0, 2.0, 3.0, 1.0])), tmp_path / f"ct{suffix}")
    again = read_volume(tmp_path / f"ct{suffix}")
    assert np.array_equal(again.voxels, voxels.astype(np.float32))
