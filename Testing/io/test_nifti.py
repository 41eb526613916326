"""NIfTI: scale factors, codes, units, memory, and files that are not a CT volume."""

import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from ctsgan.errors import CTError
from ctsgan.geometry import LPS_TO_RAS
from ctsgan.io.files import read_volume, write_volume
from ctsgan.io.nifti import read_nifti
from ctsgan.volume import Volume

SHEARED = np.array([[-0.7, 0, 0, 100], [0, -0.7, 0.8, 50], [0, 0, 2.0, -900], [0, 0, 0, 1.0]])
UPRIGHT = np.diag([-0.7, -0.7, 2.0, 1.0])


@pytest.fixture
def voxels():
    """Along the file's axes: HU of 12 bits."""
    return np.random.default_rng(0).integers(-1024, 3072, (8, 8, 4)).astype(np.int16)


def stored_as(path, stored, slope, intercept, affine=UPRIGHT):
    """A file with exactly these stored numbers and scale factors."""
    image = nib.Nifti1Image(stored, affine)
    image.header.set_slope_inter(slope, intercept)
    header = image.header.copy()
    with open(path, "wb") as file:
        header.write_to(file)
        file.write(stored.tobytes(order="F"))
    return path


def test_a_clinical_ct_converted_by_another_program_is_read_in_its_place(tmp_path, ct_image):
    sitk.WriteImage(ct_image, str(tmp_path / "ct.nii.gz"))
    volume = read_volume(tmp_path / "ct.nii.gz")
    assert volume.voxels.dtype == np.int16
    assert np.array_equal(volume.voxels, sitk.GetArrayViewFromImage(ct_image))
    for index in [(0, 0, 0), (511, 0, 2), (17, 300, 1)]:
        position = volume.affine @ [*index, 1]
        assert np.allclose(position[:3], ct_image.TransformIndexToPhysicalPoint(index), atol=1e-3)


@pytest.mark.parametrize(
    ("stored_type", "slope", "intercept", "expected"),
    [
        (np.int16, 1, 0, np.int16),
        (np.uint16, 1, 0, np.uint16),
        (np.uint16, 1, -1024, np.int16),
        (np.uint16, 1, -32768, np.int16),
        (np.uint8, 16, -1024, np.int16),
        (np.int16, 1, -40000, np.int32),
        (np.uint16, 1000, -1024, np.int32),
        (np.int32, 1, -1024, np.int16),
        (np.uint32, 1, -1024, np.int16),
        (np.int16, 0.1, 0, np.float32),
        (np.float32, 1, -1024, np.float32),
        (np.float64, 2, 0.5, np.float32),
        (np.int32, 2**30, 0, np.float32),
    ],
)
def test_scale_factors_are_applied_and_whole_numbers_stay_integers(tmp_path, stored_type, slope, intercept, expected):
    stored = np.random.default_rng(0).integers(0, 200, (4, 3, 2)).astype(stored_type)
    volume = read_volume(stored_as(tmp_path / "ct.nii", stored, slope, intercept), force=True)
    assert volume.voxels.dtype == expected
    assert np.allclose(volume.voxels.T, stored * float(slope) + intercept, rtol=1e-6)


def test_a_scale_factor_of_fractions_that_gives_whole_numbers_gives_integers(tmp_path):
    stored = 2 * np.arange(24, dtype=np.int16).reshape(4, 3, 2)
    volume = read_volume(stored_as(tmp_path / "ct.nii", stored, 0.5, -12), force=True)
    assert volume.voxels.dtype == np.int16
    assert np.array_equal(volume.voxels.T, stored // 2 - 12)


def test_big_endian_files_and_nifti2_are_read(tmp_path, voxels):
    header = nib.Nifti1Image(voxels, UPRIGHT).header.as_byteswapped(">")
    content = header.binaryblock + bytes(4) + voxels.astype(">i2").tobytes(order="F")
    (tmp_path / "big.nii.gz").write_bytes(gzip.compress(content))
    nib.save(nib.Nifti2Image(voxels, UPRIGHT), tmp_path / "two.nii")
    for name in ("big.nii.gz", "two.nii"):
        volume = read_volume(tmp_path / name)
        assert volume.voxels.dtype == np.dtype("=i2")
        assert np.array_equal(volume.voxels.T, voxels)


def test_voxels_follow_the_header_where_it_does_not_say_at_which_byte(tmp_path, voxels):
    header = nib.Nifti1Image(voxels, UPRIGHT).header
    header["vox_offset"] = 0
    (tmp_path / "ct.nii").write_bytes(header.binaryblock + bytes(4) + voxels.tobytes(order="F"))
    assert np.array_equal(read_volume(tmp_path / "ct.nii").voxels.T, voxels)


def test_suffixes_in_capitals_are_read_and_written(tmp_path, voxels):
    write_volume(Volume(np.ascontiguousarray(voxels.T), UPRIGHT), tmp_path / "CT.NII.GZ")
    assert (tmp_path / "CT.NII.GZ").read_bytes()[:2] == b"\x1f\x8b"
    assert np.array_equal(read_volume(tmp_path / "CT.NII.GZ").voxels.T, voxels)


@pytest.mark.parametrize(("unit", "millimetres"), [("meter", 1000.0), ("micron", 0.001), ("mm", 1.0), ("unknown", 1.0)])
def test_lengths_are_converted_to_millimetres(tmp_path, voxels, unit, millimetres):
    affine = SHEARED.copy()
    affine[:3] /= millimetres
    image = nib.Nifti1Image(voxels, affine)
    image.header.set_xyzt_units(unit)
    nib.save(image, tmp_path / "ct.nii")
    volume = read_volume(tmp_path / "ct.nii")
    assert np.allclose(volume.affine, LPS_TO_RAS @ SHEARED, rtol=1e-5)
    write_volume(volume, tmp_path / "out.nii")
    assert nib.load(tmp_path / "out.nii").header.get_xyzt_units()[0] == "mm"
    assert np.allclose(nib.load(tmp_path / "out.nii").affine, SHEARED, rtol=1e-5)


@pytest.mark.parametrize(("sform", "qform"), [(1, 1), (2, 1), (4, 2), (0, 1), (2, 0)])
def test_codes_of_the_affines_are_carried_over(tmp_path, voxels, sform, qform):
    image = nib.Nifti1Image(voxels, UPRIGHT)
    image.set_sform(UPRIGHT, sform)
    image.set_qform(UPRIGHT, qform)
    nib.save(image, tmp_path / "ct.nii.gz")
    write_volume(read_volume(tmp_path / "ct.nii.gz"), tmp_path / "out.nii.gz")
    header = nib.load(tmp_path / "out.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (sform, qform)
    assert np.allclose(header.get_best_affine(), UPRIGHT)
    assert np.allclose(header.get_zooms(), [0.7, 0.7, 2.0])


def test_a_place_by_convention_only_becomes_explicit(tmp_path, voxels):
    image = nib.Nifti1Image(voxels, None)
    image.header.set_zooms([0.7, 0.7, 2.0])
    image.header["sform_code"] = image.header["qform_code"] = 0
    nib.save(image, tmp_path / "ct.nii")
    write_volume(read_volume(tmp_path / "ct.nii"), tmp_path / "out.nii")
    written = nib.load(tmp_path / "out.nii")
    assert int(written.header["sform_code"]) == int(written.header["qform_code"]) == 1
    assert np.allclose(written.affine, nib.load(tmp_path / "ct.nii").affine)


def test_a_second_affine_that_says_otherwise_is_not_carried_over(tmp_path, voxels):
    image = nib.Nifti1Image(voxels, UPRIGHT)
    image.set_sform(UPRIGHT, 2)
    image.set_qform(np.diag([0.7, 0.7, 2.0, 1.0]), 1)
    nib.save(image, tmp_path / "ct.nii")
    write_volume(read_volume(tmp_path / "ct.nii"), tmp_path / "out.nii")
    header = nib.load(tmp_path / "out.nii").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (2, 0)


@pytest.mark.parametrize(("sform", "qform"), [(1, 1), (0, 1)])
def test_a_tilted_gantry_is_held_by_the_sform_alone(tmp_path, voxels, sform, qform):
    volume = Volume(
        np.ascontiguousarray(voxels.T),
        LPS_TO_RAS @ SHEARED,
        header={"nifti": {"sform_code": sform, "qform_code": qform}},
    )
    write_volume(volume, tmp_path / "ct.nii.gz")
    header = nib.load(tmp_path / "ct.nii.gz").header
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 0)
    assert np.allclose(header.get_sform(), SHEARED)


def test_other_header_fields_of_the_output_say_how_it_was_made_and_no_more(tmp_path, voxels):
    image = nib.Nifti1Image(voxels, UPRIGHT)
    image.header["descrip"] = b"scanned by someone"
    image.header["cal_min"], image.header["cal_max"] = -160, 240
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"patient's name"))
    nib.save(image, tmp_path / "ct.nii")
    write_volume(read_volume(tmp_path / "ct.nii"), tmp_path / "out.nii", description="ctsgan x2 " + 90 * "µ")
    header = nib.load(tmp_path / "out.nii").header
    assert bytes(header["descrip"]).startswith(b"ctsgan x2 ??")
    assert (float(header["cal_min"]), float(header["cal_max"])) == (-160.0, 240.0)
    assert not header.extensions
    assert header.get_slope_inter() == (None, None)


def test_more_voxels_along_an_axis_than_nifti1_can_count_make_a_nifti2(tmp_path):
    voxels = np.zeros((1, 2, 40000), np.int16)
    voxels[0, 1, -1] = 77
    write_volume(Volume(voxels, np.eye(4)), tmp_path / "ct.nii.gz")
    assert isinstance(nib.load(tmp_path / "ct.nii.gz"), nib.Nifti2Image)
    assert np.array_equal(read_volume(tmp_path / "ct.nii.gz", force=True).voxels, voxels)


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kept", [0.0, 0.002, 0.3, 0.6, 0.99, 0.9999])
def test_a_file_that_is_cut_short_is_noticed(tmp_path, suffix, kept):
    voxels = np.random.default_rng(0).integers(-1024, 3072, (4, 50, 50)).astype(np.int16)
    path = tmp_path / f"ct{suffix}"
    write_volume(Volume(voxels, np.eye(4)), path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(CTError, match=r"ct\.nii(\.gz)? is (damaged, )?cut short.*copy"):
        read_volume(path)


def test_a_flipped_byte_in_a_compressed_file_is_noticed(tmp_path):
    voxels = np.random.default_rng(0).integers(-1024, 3072, (4, 50, 50)).astype(np.int16)
    path = tmp_path / "ct.nii.gz"
    write_volume(Volume(voxels, np.eye(4)), path)
    whole = bytearray(path.read_bytes())
    for place in (len(whole) // 2, len(whole) - 6):
        damaged = bytearray(whole)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(CTError, match="damaged"):
            read_volume(path)


def test_a_header_that_promises_more_than_any_memory_is_noticed(tmp_path, voxels):
    image = nib.Nifti1Image(voxels, UPRIGHT)
    image.header.set_data_shape((32000, 32000, 32000))
    content = image.header.binaryblock + bytes(1000)
    (tmp_path / "ct.nii").write_bytes(content)
    (tmp_path / "ct.nii.gz").write_bytes(gzip.compress(content))
    for name in ("ct.nii", "ct.nii.gz"):
        with pytest.raises(CTError, match="cut short"):
            read_volume(tmp_path / name)


def test_what_is_not_nifti_is_named(tmp_path):
    (tmp_path / "ct.nii").write_bytes(b"no image at all" * 100)
    (tmp_path / "ct.nii.gz").write_bytes(b"no image at all" * 100)
    for name in ("ct.nii", "ct.nii.gz"):
        with pytest.raises(CTError, match=f"{name} is damaged, cut short or not a {name[2:]} file"):
            read_volume(tmp_path / name)


def test_colour_complex_and_several_volumes_are_refused(tmp_path):
    colour = np.zeros((4, 4, 2), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.save(nib.Nifti1Image(colour, UPRIGHT), tmp_path / "rgb.nii")
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 2), np.complex64), UPRIGHT), tmp_path / "complex.nii")
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 2, 3), np.int16), UPRIGHT), tmp_path / "time.nii")
    nib.save(nib.Nifti1Image(np.zeros((4, 4, 2, 1, 3), np.int16), UPRIGHT), tmp_path / "vector.nii")
    for name, seen in [
        ("rgb", "a colour image"),
        ("complex", "complex numbers"),
        ("time", r"4 dimensions \(4 x 4 x 2 x 3\)"),
        ("vector", "5 dimensions"),
    ]:
        with pytest.raises(CTError, match=rf"{name}\.nii .*{seen}"):
            read_volume(tmp_path / f"{name}.nii")


def test_a_volume_without_voxels_is_refused(tmp_path):
    image = nib.Nifti1Image(np.zeros((4, 4, 2), np.int16), UPRIGHT)
    header = image.header.copy()
    header["dim"][3] = 0
    (tmp_path / "ct.nii").write_bytes(header.binaryblock + bytes(4))
    with pytest.raises(CTError, match="no voxels: its size is 4 x 4 x 0"):
        read_volume(tmp_path / "ct.nii")


@pytest.mark.parametrize(
    ("affine", "seen"),
    [
        (np.diag([0.0, 1.0, 1.0, 1.0]), "no usable spacing"),
        (np.diag([np.nan, 1.0, 1.0, 1.0]), "no usable spacing"),
        (np.array([[1.0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "two axes the same direction"),
    ],
)
def test_a_grid_without_extent_is_refused(tmp_path, voxels, affine, seen):
    image = nib.Nifti1Image(voxels, UPRIGHT)
    image.header.set_sform(affine, 1)
    (tmp_path / "ct.nii").write_bytes(image.header.binaryblock + bytes(4) + voxels.tobytes(order="F"))
    with pytest.raises(CTError, match=seen):
        read_volume(tmp_path / "ct.nii")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("file_axes", [(0, 1, 2), (1, 2, 0), (0, 2, 1)])
def test_reading_and_writing_take_little_more_memory_than_the_volume(tmp_path, suffix, file_axes):
    voxels = np.tile(np.arange(-500, 500, dtype=np.int16), (40, 256, 1))[:, :, :256].copy()
    volume = Volume(voxels, np.diag([0.7, 0.7, 2.0, 1.0]), file_axes=file_axes)
    path = tmp_path / f"ct{suffix}"
    write_volume(volume, path)
    read_volume(path)  # whatever libraries keep is kept before it is measured
    tracemalloc.start()
    try:
        write_volume(volume, path, overwrite=True)
        written = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        again = read_nifti(path)
        read = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert np.array_equal(again.voxels, voxels)
    assert written < 0.25 * voxels.nbytes
    assert read < 1.25 * voxels.nbytes
