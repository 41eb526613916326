"""TIFF stacks: spacing from ImageJ's description or the resolution, and pages that are no CT."""

import contextlib
import json
import struct
import zlib

import numpy as np
import pytest
import SimpleITK as sitk
import tifffile

from ctsgan.errors import CTError
from ctsgan.io import tiff
from ctsgan.io.files import read_volume, write_volume
from ctsgan.io.itk import volume_from_image
from ctsgan.volume import Volume

IMAGEJ = "ImageJ=1.54f\nimages={0}\nslices={0}\n"


@pytest.fixture
def voxels():
    return np.random.default_rng(0).integers(-1024, 3072, (5, 24, 16)).astype(np.int16)


def test_a_clinical_ct_goes_through_a_stack_unchanged(tmp_path, ct_image):
    volume = volume_from_image(ct_image)
    write_volume(volume, tmp_path / "ct.tif", description="ctsgan x2")
    again = read_volume(tmp_path / "ct.tif")
    assert again.voxels.dtype == np.int16
    assert np.array_equal(again.voxels, volume.voxels)
    assert np.array_equal(again.affine, volume.affine)


def test_other_programs_see_slices_and_pixel_size(tmp_path, ct_image):
    write_volume(volume_from_image(ct_image), tmp_path / "ct.tif", description="ctsgan x2")
    with tifffile.TiffFile(tmp_path / "ct.tif") as file:
        assert file.is_imagej
        assert file.series[0].axes == "ZYX"
        assert file.imagej_metadata["unit"] == "cm"
        assert file.imagej_metadata["spacing"] * 10 == pytest.approx(ct_image.GetSpacing()[2])
        assert file.pages.first.software == "ctsgan x2"
    other = sitk.ReadImage(str(tmp_path / "ct.tif"))
    assert np.array_equal(sitk.GetArrayViewFromImage(other), sitk.GetArrayViewFromImage(ct_image))
    assert other.GetSpacing()[:2] == pytest.approx(ct_image.GetSpacing()[:2])


@pytest.mark.parametrize(
    ("unit", "millimetres"), [("mm", 1.0), ("cm", 10.0), ("um", 0.001), ("\\u00B5m", 0.001), ("inch", 25.4)]
)
def test_spacing_of_imagej_stacks_is_read(tmp_path, voxels, unit, millimetres):
    stored = (voxels.astype(np.int32) + 1024).astype(np.uint16)
    metadata = {"unit": unit, "spacing": 2.5, "axes": "ZYX"}
    tifffile.imwrite(tmp_path / "ct.tif", stored, imagej=True, resolution=(2.0, 4.0), metadata=metadata)
    volume = read_volume(tmp_path / "ct.tif", force=True)
    assert np.array_equal(volume.voxels, stored)
    assert np.allclose(volume.affine, np.diag([0.5 * millimetres, 0.25 * millimetres, 2.5 * millimetres, 1.0]))


def test_a_slice_spacing_that_imagej_left_out_is_one_unit(tmp_path, voxels):
    description = IMAGEJ.format(5) + "unit=mm\n"
    tifffile.imwrite(tmp_path / "ct.tif", voxels, description=description, metadata=None, resolution=(2.0, 2.0))
    assert np.allclose(read_volume(tmp_path / "ct.tif").spacing_mm, [0.5, 0.5, 1.0])


def test_signed_numbers_that_imagej_stored_as_unsigned_are_hu_again(tmp_path, voxels):
    stored = (voxels.astype(np.int32) + 32768).astype(np.uint16)
    description = IMAGEJ.format(5) + "unit=mm\nspacing=2.0\ncf=0\nc0=-32768.0\nc1=1.0\nvunit=HU\n"
    tifffile.imwrite(tmp_path / "ct.tif", stored, description=description, metadata=None, resolution=(2.0, 2.0))
    volume = read_volume(tmp_path / "ct.tif")
    assert volume.voxels.dtype == np.int16
    assert np.array_equal(volume.voxels, voxels)


@pytest.mark.parametrize(("unit", "millimetres"), [("INCH", 25.4), ("CENTIMETER", 10.0)])
def test_resolution_gives_the_pixel_size_of_a_slice_of_any_program(tmp_path, voxels, unit, millimetres):
    tifffile.imwrite(tmp_path / "ct.tif", voxels[0], resolution=(20.0, 40.0), resolutionunit=unit)
    volume = read_volume(tmp_path / "ct.tif")
    assert volume.voxels.shape == (1, 24, 16)
    assert np.allclose(volume.spacing_mm[:2], [millimetres / 20, millimetres / 40])


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"resolution": (2.0, 2.0), "resolutionunit": "NONE"},
        {"resolution": (72.0, 72.0), "resolutionunit": "INCH"},
        {"resolution": (96.0, 96.0), "resolutionunit": "INCH"},
        {"description": IMAGEJ.format(5) + "spacing=2.0\n", "metadata": None, "resolutionunit": "NONE"},
        {"description": IMAGEJ.format(5) + "unit=pixel\n", "metadata": None, "resolution": (2.0, 2.0)},
    ],
)
def test_pixels_of_unknown_size_are_refused_or_taken_as_one_millimetre(tmp_path, voxels, options):
    tifffile.imwrite(tmp_path / "ct.tif", voxels, photometric="minisblack", **options)
    with pytest.raises(
        CTError, match=r"there is no pixel size in .*ct\.tif; save it with one, or take 1 mm with --force"
    ):
        read_volume(tmp_path / "ct.tif")
    volume = read_volume(tmp_path / "ct.tif", force=True)
    assert np.array_equal(volume.voxels, voxels)
    assert np.allclose(volume.affine, np.eye(4))


def test_slice_spacing_of_imagej_is_in_the_unit_of_the_resolution_if_it_names_none(tmp_path, voxels):
    description = IMAGEJ.format(5) + "spacing=0.2\n"
    options = {"metadata": None, "resolution": (20.0, 20.0), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(tmp_path / "ct.tif", voxels, photometric="minisblack", description=description, **options)
    assert np.allclose(read_volume(tmp_path / "ct.tif").spacing_mm, [0.5, 0.5, 2.0])


def test_slices_at_unknown_distances_are_refused_or_taken_as_one_millimetre_apart(tmp_path, voxels):
    tifffile.imwrite(
        tmp_path / "ct.tif", voxels, photometric="minisblack", resolution=(20.0, 20.0), resolutionunit="CENTIMETER"
    )
    with pytest.raises(CTError, match="there is no slice spacing in"):
        read_volume(tmp_path / "ct.tif")
    assert np.allclose(read_volume(tmp_path / "ct.tif", force=True).spacing_mm, [0.5, 0.5, 1.0])


@pytest.mark.parametrize("change", ["size", "spacing", "damage"])
def test_the_place_is_forgotten_when_another_program_has_changed_the_pixels(tmp_path, voxels, change):
    affine = np.diag([0.5, 0.5, 2.0, 1.0])
    affine[:3, 3] = [10.0, 20.0, 30.0]
    write_volume(Volume(voxels, affine), tmp_path / "ct.tif")
    description = tifffile.TiffFile(tmp_path / "ct.tif").pages.first.description
    kept, resolution = voxels, 20.0
    if change == "size":
        kept = np.ascontiguousarray(voxels[:, 4:])
    elif change == "spacing":
        resolution = 40.0
    else:
        description = description.replace("]]", "]")
    tifffile.imwrite(
        tmp_path / "changed.tif",
        kept,
        description=description,
        metadata=None,
        resolution=(resolution, resolution),
        resolutionunit="CENTIMETER",
    )
    volume = read_volume(tmp_path / "changed.tif")
    assert np.array_equal(volume.voxels, kept)
    assert np.allclose(volume.affine, np.diag([10.0 / resolution, 10.0 / resolution, 2.0, 1.0]))


@pytest.mark.parametrize("kind", ["zlib", "big endian", "tiles", "bigtiff", "doubles"])
def test_other_layouts_are_read(tmp_path, voxels, kind):
    options = {
        "zlib": {"compression": "zlib"},
        "big endian": {"byteorder": ">"},
        "tiles": {"tile": (16, 16)},
        "bigtiff": {"bigtiff": True},
        "doubles": {"dtype": np.float64},
    }[kind]
    tifffile.imwrite(
        tmp_path / "ct.tif", voxels.astype(options.pop("dtype", np.int16)), photometric="minisblack", **options
    )
    volume = read_volume(tmp_path / "ct.tif", force=True)
    assert volume.voxels.dtype == (np.float32 if kind == "doubles" else np.int16)
    assert volume.voxels.flags.c_contiguous
    assert np.array_equal(volume.voxels, voxels)


def test_more_than_four_gigabytes_make_a_bigtiff(tmp_path, voxels, monkeypatch):
    monkeypatch.setattr(tiff, "CLASSIC_LIMIT", voxels.nbytes - 1)
    write_volume(Volume(voxels, np.diag([0.5, 0.5, 2.0, 1.0])), tmp_path / "ct.tif")
    with tifffile.TiffFile(tmp_path / "ct.tif") as file:
        assert file.is_bigtiff
    again = read_volume(tmp_path / "ct.tif")
    assert np.array_equal(again.voxels, voxels)
    assert np.array_equal(again.spacing_mm, [0.5, 0.5, 2.0])


def test_pictures_and_several_volumes_are_refused(tmp_path, voxels):
    eight = np.zeros((5, 24, 16), np.uint8)
    write = tifffile.imwrite
    write(tmp_path / "rgb.tif", np.zeros((5, 24, 16, 3), np.uint8), photometric="rgb")
    write(tmp_path / "planes.tif", np.zeros((3, 24, 16), np.uint16), photometric="rgb", planarconfig="separate")
    write(tmp_path / "palette.tif", eight[0], photometric="palette", colormap=np.zeros((3, 256), np.uint16))
    write(tmp_path / "bits.tif", eight.astype(bool), photometric="minisblack")
    write(tmp_path / "channels.tif", np.zeros((5, 3, 24, 16), np.uint16), imagej=True, metadata={"axes": "ZCYX"})
    write(tmp_path / "time.tif", np.zeros((2, 5, 24, 16), np.uint16), imagej=True, metadata={"axes": "TZYX"})
    with tifffile.TiffWriter(tmp_path / "sizes.tif") as file:
        file.write(voxels, photometric="minisblack")
        file.write(voxels[:, :8], photometric="minisblack")
    for name, seen in [
        ("rgb", "is a colour image"),
        ("planes", "is a colour image"),
        ("palette", "is a colour image"),
        ("bits", "does not hold plain numbers of 8 bits or more"),
        ("channels", "has 3 channels"),
        ("time", "has 4 dimensions"),
        ("sizes", "has pages of 2 different sizes or types"),
    ]:
        with pytest.raises(CTError, match=rf"{name}\.tif {seen}"):
            read_volume(tmp_path / f"{name}.tif", force=True)


@pytest.mark.parametrize("kind", ["own", "imagej", "plain", "zlib"])
@pytest.mark.parametrize("kept", [0.0, 0.005, 0.3, 0.6, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_noticed(tmp_path, voxels, kind, kept, caplog):
    path = tmp_path / "ct.tif"
    if kind == "own":
        write_volume(Volume(voxels, np.eye(4)), path)
    elif kind == "imagej":
        tifffile.imwrite(path, voxels.view(np.uint16), imagej=True, metadata={"axes": "ZYX"})
    else:
        compression = None if kind == "plain" else kind
        tifffile.imwrite(path, voxels, photometric="minisblack", compression=compression)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    if kind != "zlib" and kept > 0.9:
        # only the end of the last page's own directory is missing, all voxels are there
        with contextlib.suppress(CTError):
            assert np.array_equal(read_volume(path, force=True).voxels.view(np.int16), voxels)
    else:
        with pytest.raises(CTError, match=r"ct\.tif (is damaged, cut short|has \d+ of its 5 slices)"):
            read_volume(path, force=True)
    assert not caplog.records


def test_a_stack_without_some_of_its_slices_is_noticed(tmp_path, voxels):
    description = IMAGEJ.format(5) + "unit=mm\n"
    tifffile.imwrite(tmp_path / "ct.tif", voxels[:4], photometric="minisblack", description=description, metadata=None)
    with pytest.raises(CTError, match=r"ct\.tif (has 4 of its 5 slices|is damaged, cut short)"):
        read_volume(tmp_path / "ct.tif", force=True)


def test_a_flipped_byte_in_a_compressed_page_is_noticed(tmp_path, voxels):
    tifffile.imwrite(tmp_path / "ct.tif", voxels, photometric="minisblack", compression="zlib")
    content = bytearray((tmp_path / "ct.tif").read_bytes())
    content[len(content) // 2] ^= 0x10
    (tmp_path / "ct.tif").write_bytes(content)
    with pytest.raises(CTError, match="damaged"):
        read_volume(tmp_path / "ct.tif", force=True)


def test_a_compression_that_needs_another_package_is_named(tmp_path):
    # one page of 8 x 8 16-bit zeros that says it is LZW
    data = zlib.compress(bytes(128))
    tags = [(256, 8), (257, 8), (258, 16), (259, 5), (262, 1), (273, 8), (277, 1), (278, 8), (279, len(data))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    start = 8 + len(data)
    content = struct.pack("<2sHI", b"II", 42, start) + data + struct.pack("<H", len(tags)) + entries + bytes(4)
    (tmp_path / "ct.tif").write_bytes(content)
    with pytest.raises(CTError, match=r"ct\.tif (is compressed .* imagecodecs|is damaged)"):
        read_volume(tmp_path / "ct.tif", force=True)


def test_the_line_with_the_place_is_plain_json(tmp_path, voxels):
    write_volume(Volume(voxels, np.diag([0.5, 0.5, 2.0, 1.0])), tmp_path / "ct.tif")
    with tifffile.TiffFile(tmp_path / "ct.tif") as file:
        lines = dict(line.split("=", 1) for line in file.pages.first.description.splitlines())
    place = json.loads(lines["ctsgan"])
    assert place == {"affine_lps_mm": np.diag([0.5, 0.5, 2.0, 1.0]).tolist(), "size": [16, 24, 5]}
