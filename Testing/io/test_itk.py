"""NRRD, MetaImage and SimpleITK images: what their headers say is kept, damage is noticed."""

import gc
import tracemalloc

import numpy as np
import pytest
import SimpleITK as sitk

from ctsgan.errors import CTError
from ctsgan.io.files import read_volume, write_volume
from ctsgan.io.itk import image_from_volume, volume_from_image
from ctsgan.volume import Volume

SUFFIXES = (".nrrd", ".nhdr", ".mha", ".mhd")
DATA = {".nhdr": (".raw", ".raw.gz"), ".mhd": (".raw", ".zraw")}


def nrrd(path, extra="space: left-posterior-superior\nspace directions: (1,0,0) (0,1,0) (0,0,2)\n", size="4 3 2"):
    header = f"NRRD0004\ntype: short\ndimension: 3\nsizes: {size}\n{extra}endian: little\nencoding: raw\n\n"
    path.write_bytes(header.encode() + (np.arange(24, dtype="<i2") - 12).tobytes())
    return path


def metaimage(path, extra="ElementSpacing = 1 1 2\n"):
    header = f"ObjectType = Image\nNDims = 3\nBinaryData = True\n{extra}DimSize = 4 3 2\nElementType = MET_SHORT\n"
    path.write_bytes(header.encode() + b"ElementDataFile = LOCAL\n" + (np.arange(24, dtype="<i2") - 12).tobytes())
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_keys_of_the_source_are_carried_over_and_geometry_is_the_new_one(tmp_path, ct_image, suffix):
    image = sitk.Image(ct_image)
    keys = {"modality": "CT", "reconstruction kernel": "B70f", "path": "C:\\scans"}
    for key, value in keys.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(tmp_path / f"ct{suffix}"))
    volume = read_volume(tmp_path / f"ct{suffix}")
    enlarged = volume.upscaled(volume.voxels.repeat(2, axis=1).repeat(2, axis=2), 2)
    write_volume(enlarged, tmp_path / f"out{suffix}", description="ctsgan x2")
    written = sitk.ReadImage(str(tmp_path / f"out{suffix}"))
    assert {key: written.GetMetaData(key) for key in keys} == keys
    assert b"ctsgan x2" in (tmp_path / f"out{suffix}").read_bytes()[:1500]
    assert np.allclose(written.GetSpacing(), np.divide(image.GetSpacing(), [2, 2, 1]))
    write_volume(enlarged, tmp_path / "other.nrrd")
    write_volume(enlarged, tmp_path / "other.mha")
    for other in ("other.nrrd", "other.mha"):
        assert sitk.ReadImage(str(tmp_path / other)).GetMetaData("modality") == "CT"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_would_break_a_header_is_not_carried_over(tmp_path, suffix):
    keys = {"DimSize": "9 9 9", "NRRD_type": "double", "a=b": "c", "#a": "b", "a:b": "c", "lines": "1\nDimSize = 9 9 9"}
    volume = Volume(np.arange(24, dtype=np.int16).reshape(2, 3, 4) - 12, np.eye(4), header={"itk": keys})
    write_volume(volume, tmp_path / f"ct{suffix}")
    again = read_volume(tmp_path / f"ct{suffix}")
    assert np.array_equal(again.voxels, volume.voxels)


def test_header_and_voxels_in_two_files_find_each_other(tmp_path, ct_image):
    volume = volume_from_image(ct_image)
    for suffix, data_suffixes in DATA.items():
        write_volume(volume, tmp_path / f"my ct{suffix}")
        data = tmp_path / f"my ct{data_suffixes[1]}"
        assert data.exists()
        assert data.name in (tmp_path / f"my ct{suffix}").read_text()
        assert np.array_equal(read_volume(tmp_path / f"my ct{suffix}").voxels, volume.voxels)
        data.unlink()
        with pytest.raises(CTError, match=rf"my ct{suffix} has its voxels in {data.name}, which is not there"):
            read_volume(tmp_path / f"my ct{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.6, 0.99, 0.9999])
def test_a_file_that_is_cut_short_is_noticed(tmp_path, ct_image, suffix, packed, kept):
    path = tmp_path / f"ct{suffix}"
    sitk.WriteImage(ct_image[:, :, :1], str(path), useCompression=packed)
    cut = path.with_name("ct" + DATA[suffix][packed]) if suffix in DATA else path
    whole = cut.read_bytes()
    cut.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(CTError, match=r"ct\.\w+(\.gz)? is (damaged, )?cut short.*copy"):
        read_volume(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("place", [0.3, 0.9, 0.999])
def test_a_flipped_byte_in_a_compressed_file_is_noticed(tmp_path, ct_image, suffix, place):
    path = tmp_path / f"ct{suffix}"
    sitk.WriteImage(ct_image[:, :, :1], str(path), useCompression=True)
    damaged = path.with_name("ct" + DATA[suffix][1]) if suffix in DATA else path
    content = bytearray(damaged.read_bytes())
    content[int(len(content) * place)] ^= 0x10
    damaged.write_bytes(content)
    with pytest.raises(CTError, match="damaged, cut short or not"):
        read_volume(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_not_of_the_format_is_named(tmp_path, suffix):
    (tmp_path / f"ct{suffix}").write_bytes(b"no image\n at all" * 100)
    with pytest.raises(CTError, match=rf"ct{suffix} is damaged, cut short or not a {suffix} file"):
        read_volume(tmp_path / f"ct{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_colour_vectors_and_complex_numbers_are_refused(tmp_path, suffix):
    sitk.WriteImage(sitk.Image([4, 4, 2], sitk.sitkVectorUInt8, 3), str(tmp_path / f"rgb{suffix}"))
    with pytest.raises(CTError, match=rf"rgb{suffix} holds 3 numbers in each voxel"):
        read_volume(tmp_path / f"rgb{suffix}")
    with pytest.raises(CTError, match="the image holds complex"):
        volume_from_image(sitk.Image([4, 4, 2], sitk.sitkComplexFloat32))


def test_a_sequence_with_one_time_point_in_front_is_one_volume(tmp_path):
    header = (
        "NRRD0004\ntype: short\ndimension: 4\nspace: left-posterior-superior\nsizes: 1 4 3 2\n"
        "space directions: none (1,0,0) (0,1,0) (0,0,2)\nkinds: list domain domain domain\nendian: little\n"
        "encoding: raw\n\n"
    )
    path = tmp_path / "ct.seq.nrrd"
    path.write_bytes(header.encode() + (np.arange(24, dtype="<i2") - 12).tobytes())
    assert np.array_equal(read_volume(path).voxels.ravel(), np.arange(24) - 12)


@pytest.mark.parametrize(("unit", "millimetres"), [("um", 0.001), ("mm", 1.0), ("cm", 10.0), ("m", 1000.0)])
def test_lengths_are_converted_to_millimetres(tmp_path, unit, millimetres):
    directions = "space: left-posterior-superior\nspace directions: (1,0,0) (0,1,0) (0,0,2)\nspace origin: (5,6,7)\n"
    units = f'space units: "{unit}" "{unit}" "{unit}"\n'
    for path in (
        nrrd(tmp_path / "ct.nrrd", directions + units),
        metaimage(tmp_path / "ct.mha", f"DistanceUnits = {unit}\nOffset = 5 6 7\nElementSpacing = 1 1 2\n"),
    ):
        volume = read_volume(path)
        assert np.allclose(volume.spacing_mm, np.multiply([1, 1, 2], millimetres))
        assert np.allclose(volume.affine[:3, 3], np.multiply([5, 6, 7], millimetres))


def test_other_spaces_of_nrrd_are_turned_to_lps(tmp_path):
    directions = "space: right-anterior-superior\nspace directions: (1,0,0) (0,1,0) (0,0,2)\nspace origin: (5,6,7)\n"
    volume = read_volume(nrrd(tmp_path / "ct.nrrd", directions))
    assert np.allclose(volume.affine, [[-1, 0, 0, -5], [0, -1, 0, -6], [0, 0, 2, 7], [0, 0, 0, 1]])


def test_a_file_without_spacing_is_refused_or_taken_as_one_millimetre(tmp_path):
    for path in (
        nrrd(tmp_path / "none.nrrd", ""),
        nrrd(tmp_path / "part.nrrd", "spacings: 1 1 nan\n"),
        metaimage(tmp_path / "none.mha", ""),
    ):
        with pytest.raises(CTError, match=rf"there is no spacing in .*{path.name}; .*1 mm with --force"):
            read_volume(path)
        assert np.allclose(read_volume(path, force=True).spacing_mm, 1.0)
    assert np.allclose(read_volume(nrrd(tmp_path / "old.nrrd", "spacings: 1 1 3\n")).spacing_mm, [1, 1, 3])


def test_a_grid_without_extent_or_voxels_is_refused(tmp_path):
    flat = "space: left-posterior-superior\nspace directions: (1,0,0) (0,0,0) (0,0,2)\n"
    with pytest.raises(CTError, match=r"ct\.nrrd"):
        read_volume(nrrd(tmp_path / "ct.nrrd", flat))
    with pytest.raises(CTError, match=r"ct\.nrrd"):
        read_volume(nrrd(tmp_path / "ct.nrrd", size="4 3 0"))


def test_the_volume_of_an_image_looks_at_its_memory_and_keeps_it(ct_image):
    image = sitk.Image(ct_image)
    expected = sitk.GetArrayFromImage(image)
    tracemalloc.start()
    try:
        volume = volume_from_image(image)
        assert tracemalloc.get_traced_memory()[1] < 0.1 * expected.nbytes
    finally:
        tracemalloc.stop()
    del image
    gc.collect()
    others = [np.full_like(expected, 7) for _ in range(8)]
    assert np.array_equal(volume.voxels, expected)
    assert not volume.voxels.flags.writeable
    del others


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_voxels_of_a_file_outlive_the_reader_and_may_be_changed(tmp_path, ct_image, suffix):
    sitk.WriteImage(ct_image, str(tmp_path / f"ct{suffix}"))
    volumes = [read_volume(tmp_path / f"ct{suffix}") for _ in range(3)]
    gc.collect()
    volumes[0].voxels[:] = 7
    for volume in volumes[1:]:
        assert np.array_equal(volume.voxels, sitk.GetArrayViewFromImage(ct_image))


def test_an_image_goes_through_a_volume_unchanged(ct_image):
    turned = sitk.DICOMOrient(ct_image, "PIR")
    again = image_from_volume(volume_from_image(turned))
    assert np.array_equal(sitk.GetArrayViewFromImage(again), sitk.GetArrayViewFromImage(turned))
    assert np.allclose(again.GetSpacing(), turned.GetSpacing())
    assert np.allclose(again.GetOrigin(), turned.GetOrigin())
    assert np.allclose(again.GetDirection(), turned.GetDirection())


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_writing_takes_little_memory(tmp_path, suffix):
    voxels = np.tile(np.arange(-500, 500, dtype=np.int16), (40, 256, 1))[:, :, :256].copy()
    volume = Volume(voxels, np.eye(4))
    write_volume(volume, tmp_path / f"ct{suffix}")
    tracemalloc.start()
    try:
        write_volume(volume, tmp_path / f"ct{suffix}", overwrite=True)
        assert tracemalloc.get_traced_memory()[1] < 0.25 * voxels.nbytes
    finally:
        tracemalloc.stop()
