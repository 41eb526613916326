"""``ctsgan enhance`` as its users type it."""

import re
import shutil

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from ctsgan.cli import FORMATS, main
from ctsgan.geometry import upscaled_affine, voxel_spacing
from ctsgan.io.files import SUFFIXES, read_volume, write_volume
from ctsgan.models import scales
from ctsgan.softness import measure_softness


def leftovers(folder):
    return [path for path in folder.rglob("*") if "partial" in path.name]


@pytest.mark.parametrize("scale", scales("light"))
def test_a_volume_comes_out_finer_in_the_same_place(small_file, small_volume, tmp_path, scale, capsys):
    output = tmp_path / "out" / "fine.nii.gz"
    assert main(["enhance", str(small_file), str(output), "--scale", str(scale)]) == 0
    fine = read_volume(output)
    assert fine.voxels.shape == (3, 64 * scale, 48 * scale)
    assert fine.voxels.dtype == np.int16
    np.testing.assert_allclose(fine.affine, upscaled_affine(small_volume.affine, scale), atol=1e-4)
    # the same patient: block means differ from the input by noise and edges only
    blocks = fine.voxels.reshape(3, 64, scale, 48, scale).mean(axis=(2, 4))
    assert abs(blocks.mean() - small_volume.voxels.mean()) < 1
    assert np.corrcoef(blocks.ravel(), small_volume.voxels.ravel())[0, 1] > 0.97
    report = capsys.readouterr().out
    assert report.count("\n") == 1
    assert f"{48 * scale} x {64 * scale} x 3 voxels" in report
    assert not leftovers(tmp_path)


@pytest.mark.parametrize("suffix", [".nii", ".nrrd", ".mha", ".mhd", ".tif"])
def test_every_kind_of_file_gives_the_same_voxels(small_file, small_volume, tmp_path, suffix):
    source = tmp_path / f"in{suffix}"
    write_volume(small_volume, source)
    assert main(["enhance", str(source), str(tmp_path / f"out{suffix}")]) == 0
    assert main(["enhance", str(small_file), str(tmp_path / "expected.nii.gz")]) == 0
    result, expected = read_volume(tmp_path / f"out{suffix}"), read_volume(tmp_path / "expected.nii.gz")
    np.testing.assert_array_equal(result.voxels, expected.voxels)
    np.testing.assert_allclose(result.affine, expected.affine, atol=1e-4)


def test_a_dicom_series_becomes_a_derived_series(clinical_series, clinical_volume, tmp_path):
    few = tmp_path / "series"
    few.mkdir()
    for name in clinical_volume.header["dicom_files"][4:6]:
        shutil.copy(name, few)
    roi = "200:248,200:264,:"
    assert main(["enhance", str(few), str(tmp_path / "derived"), "--roi", roi]) == 0
    assert main(["enhance", str(few), str(tmp_path / "same.nii.gz"), "--roi", roi]) == 0
    derived, same = read_volume(tmp_path / "derived"), read_volume(tmp_path / "same.nii.gz")
    assert derived.voxels.shape == (2, 128, 96)
    np.testing.assert_array_equal(derived.voxels, same.voxels)
    np.testing.assert_allclose(derived.affine, same.affine, atol=1e-3)


def test_the_format_can_be_asked_for(clinical_volume, small_file, tmp_path, capsys):
    series = tmp_path / "series"
    series.mkdir()
    for name in clinical_volume.header["dicom_files"][4:6]:
        shutil.copy(name, series)
    few = ["--scale", "1", "--roi", "100:300,200:264,:"]
    assert main(["enhance", str(series), str(tmp_path / "derived"), "--format", "dicom", *few]) == 0
    assert main(["enhance", str(series), str(tmp_path / "files"), "--format", "nifti", *few]) == 0
    derived, file = read_volume(tmp_path / "derived"), read_volume(tmp_path / "files/series.nii.gz")
    np.testing.assert_array_equal(derived.voxels, file.voxels)
    assert main(["enhance", str(small_file), str(tmp_path / "other.mha"), "--format", "nrrd"]) == 1
    assert "does not have the name of nrrd" in capsys.readouterr().err
    assert main(["enhance", str(small_file), str(tmp_path / "no_study"), "--format", "dicom"]) == 1
    assert "or --new-study for a study without a patient's name" in capsys.readouterr().err


def test_a_file_becomes_a_dicom_study_of_nobody(small_file, tmp_path, capsys):
    assert main(["enhance", str(small_file), str(tmp_path / "study"), "--scale", "1", "--new-study"]) == 0
    assert main(["enhance", str(small_file), str(tmp_path / "same.nii.gz"), "--scale", "1"]) == 0
    study, same = read_volume(tmp_path / "study"), read_volume(tmp_path / "same.nii.gz")
    np.testing.assert_array_equal(study.voxels, same.voxels)
    np.testing.assert_allclose(study.affine, same.affine, atol=1e-3)
    assert main(["enhance", str(small_file), str(tmp_path / "study.nii.gz"), "--new-study"]) == 1
    assert "give a folder" in capsys.readouterr().err


def test_the_formats_are_those_that_can_be_written():
    assert {suffix for names in FORMATS.values() for suffix in names} - {""} == set(SUFFIXES)


def test_a_folder_in_another_format_and_no_volume_over_another(small_volume, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    write_volume(small_volume, tmp_path / "in/a.nii.gz")
    write_volume(small_volume, tmp_path / "in/b.mha")
    arguments = ["enhance", str(tmp_path / "in"), str(tmp_path / "out"), "--scale", "1", "--format", "nrrd"]
    assert main(arguments) == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.nrrd", "b.nrrd"]
    shutil.copy(tmp_path / "in/b.mha", tmp_path / "in/a.mha")
    assert main([*arguments, "--overwrite"]) == 1
    assert "several volumes would become" in capsys.readouterr().err


def test_an_asked_spacing_is_met(small_file, small_volume, tmp_path):
    output = tmp_path / "fine.nrrd"
    assert main(["enhance", str(small_file), str(output), "--spacing", "0.35"]) == 0
    image = sitk.ReadImage(str(output))
    assert image.GetSpacing()[:2] == pytest.approx((0.35, 0.35))
    extent = 48 * voxel_spacing(small_volume.affine)[0]
    assert abs(image.GetWidth() * 0.35 - extent) <= 0.175
    assert abs(sitk.GetArrayViewFromImage(image).mean() - small_volume.voxels.mean()) < 3


def test_a_region_alone_is_the_same_as_in_the_whole(small_file, tmp_path):
    assert main(["enhance", str(small_file), str(tmp_path / "whole.nii")]) == 0
    assert main(["enhance", str(small_file), str(tmp_path / "part.nii"), "--roi", "10:30,20:,1:2"]) == 0
    whole, part = nib.load(tmp_path / "whole.nii"), nib.load(tmp_path / "part.nii")
    expected = whole.slicer[20:60, 40:, 1:2]
    assert np.abs(np.asarray(part.dataobj).astype(int) - np.asarray(expected.dataobj)).max() <= 1
    np.testing.assert_allclose(part.affine, expected.affine, atol=1e-4)


def test_the_header_says_how_soft_the_kernel_was(small_file, small_volume, tmp_path):
    def said(*options):
        output = tmp_path / "fine.mha"
        assert main(["enhance", str(small_file), str(output), "--overwrite", *options]) == 0
        return re.search(r" softness (-?\d\.\d\d)", output.read_bytes()[:2000].decode("ascii", "replace"))

    # the whole volume's, whatever is computed
    measured = f"{measure_softness(small_volume.voxels, 2):.2f}"
    assert said()[1] == said("--roi", "10:30,20:,1:2")[1] == measured
    assert said("--softness", "0.7")[1] == "0.70"
    assert said("--softness", "-0.3")[1] == "-0.30"
    assert said("--scale", "1") is None


def test_a_sagittally_stored_volume_stays_so(small_volume, tmp_path):
    image = nib.Nifti1Image(
        np.ascontiguousarray(np.pad(small_volume.voxels, ((0, 0), (0, 0), (0, 16)), mode="edge")),
        np.array([[0, 0, 0.9, 0], [0, 0.9, 0, 0], [3.0, 0, 0, 0], [0, 0, 0, 1]]),
    )
    nib.save(image, tmp_path / "sagittal.nii")
    assert main(["enhance", str(tmp_path / "sagittal.nii"), str(tmp_path / "fine.nii")]) == 0
    fine = nib.load(tmp_path / "fine.nii")
    assert fine.shape == (3, 128, 128)
    assert fine.header.get_zooms() == pytest.approx((3.0, 0.45, 0.45))


def test_a_folder_goes_on_after_a_bad_volume(small_file, tmp_path, capsys):
    folder = tmp_path / "many"
    (folder / "deeper").mkdir(parents=True)
    shutil.copy(small_file, folder / "b.nii.gz")
    shutil.copy(small_file, folder / "deeper" / "c.nii.gz")
    (folder / "a.nii.gz").write_bytes(b"this is no volume")
    output = tmp_path / "out"
    assert main(["enhance", str(folder), str(output), "--recursive"]) == 1
    assert sorted(path.name for path in output.rglob("*.nii.gz")) == ["b.nii.gz", "c.nii.gz"]
    errors = capsys.readouterr().err
    assert "1 of 3 volumes were not enhanced: a.nii.gz" in errors
    assert not leftovers(tmp_path)


def test_an_output_is_not_replaced_unasked(small_file, tmp_path, capsys):
    output = tmp_path / "there.nii.gz"
    output.write_bytes(b"precious")
    assert main(["enhance", str(small_file), str(output)]) == 1
    assert output.read_bytes() == b"precious"
    assert "--overwrite" in capsys.readouterr().err
    assert main(["enhance", str(small_file), str(output), "--overwrite"]) == 0
    assert read_volume(output).voxels.shape == (3, 128, 96)


def test_fidelity_and_tiles_are_passed_on(small_file, tmp_path):
    for name, options in (("a", []), ("b", ["--tile", "32", "--batch", "2"]), ("c", ["--fidelity", "off"])):
        assert main(["enhance", str(small_file), str(tmp_path / f"{name}.nii"), *options]) == 0
    a, b, c = (read_volume(tmp_path / f"{name}.nii").voxels.astype(int) for name in "abc")
    assert np.abs(a - b).max() <= 1
    assert np.any(a != c)
