"""``ctsgan degrade`` as its users type it."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest

from ctsgan.cli import DEGRADATIONS, main
from ctsgan.degradation import PRESETS
from ctsgan.geometry import outer_corners, upscaled_affine
from ctsgan.io.files import read_volume, write_volume


def degrade(*arguments):
    return main(["degrade", *map(str, arguments)])


def corners(volume):
    return outer_corners(volume.affine, volume.voxels.shape)


@pytest.mark.parametrize("preset", DEGRADATIONS)
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_a_volume_comes_out_coarser_within_the_same_bounds(small_file, small_volume, tmp_path, preset, scale, capsys):
    output = tmp_path / "out" / "low.nii.gz"
    assert degrade(small_file, output, "--preset", preset, "--scale", scale) == 0
    low = read_volume(output)
    assert low.voxels.shape == (3, 64 // scale, 48 // scale)
    assert low.voxels.dtype == np.int16
    np.testing.assert_allclose(low.spacing_mm, small_volume.spacing_mm * [scale, scale, 1], rtol=1e-5)
    np.testing.assert_allclose(corners(low), corners(small_volume), atol=1e-3)
    # finer again, the grid is the one it came from
    np.testing.assert_allclose(upscaled_affine(low.affine, scale), small_volume.affine, atol=1e-4)
    means = small_volume.voxels.reshape(3, 64 // scale, scale, 48 // scale, scale).mean(axis=(2, 4))
    # the papers' chain leaves little of so small a volume
    assert np.corrcoef(low.voxels.ravel(), means.ravel())[0, 1] > (0.4 if preset == "paper" else 0.7)
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert f"{48 // scale} x {64 // scale} x 3 voxels" in captured.out
    assert captured.err == ""
    assert not [path for path in tmp_path.rglob("*") if "partial" in path.name]


def test_the_choices_are_the_presets():
    assert DEGRADATIONS == PRESETS


def test_area_is_the_mean_over_each_new_pixel(small_file, small_volume, tmp_path):
    assert degrade(small_file, tmp_path / "low.nrrd", "--preset", "area", "--scale", 4) == 0
    means = small_volume.voxels.reshape(3, 16, 4, 12, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(read_volume(tmp_path / "low.nrrd").voxels, means, atol=0.51)


@pytest.mark.parametrize("preset", ["portable", "scanner", "paper"])
def test_the_same_seed_gives_the_same_voxels_and_another_does_not(small_file, tmp_path, preset):
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        assert degrade(small_file, tmp_path / f"{name}.nii", "--preset", preset, "--seed", seed) == 0
    a, b, c = (read_volume(tmp_path / f"{name}.nii").voxels for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert np.any(a != c)


@pytest.mark.parametrize("preset", ["portable", "paper"])
def test_a_slice_is_drawn_from_the_seed_and_its_place_alone(small_volume, tmp_path, preset):
    write_volume(small_volume, tmp_path / "all.nii")
    write_volume(replace(small_volume, voxels=small_volume.voxels[:2].copy()), tmp_path / "two.nii")
    for name in ("all", "two"):
        assert degrade(tmp_path / f"{name}.nii", tmp_path / f"{name}_low.nii", "--preset", preset) == 0
    whole, part = (read_volume(tmp_path / f"{name}_low.nii").voxels for name in ("all", "two"))
    np.testing.assert_array_equal(whole[:2], part)


def test_what_fills_no_new_pixel_is_left_out_and_said(small_volume, tmp_path, capsys):
    odd = replace(small_volume, voxels=np.ascontiguousarray(small_volume.voxels[:, :63, :46]))
    write_volume(odd, tmp_path / "odd.nii")
    assert degrade(tmp_path / "odd.nii", tmp_path / "low.nii", "--preset", "area", "--scale", 4) == 0
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "the last 2 columns and 3 rows" in message
    low = read_volume(tmp_path / "low.nii")
    means = odd.voxels[:, :60, :44].reshape(3, 15, 4, 11, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(low.voxels, means, atol=0.51)
    np.testing.assert_allclose(corners(low)[0], corners(odd)[0], atol=1e-3)


def test_a_dicom_series_becomes_a_derived_series_that_says_it_was_degraded(clinical_volume, tmp_path):
    few = tmp_path / "series"
    few.mkdir()
    for name in clinical_volume.header["dicom_files"][4:6]:
        shutil.copy(name, few)
    for scale, code in ((2, "Spatial resampling"), (1, "Smoothing")):
        output = tmp_path / f"derived{scale}"
        assert degrade(few, output, "--preset", "portable", "--scale", scale, "--seed", 3) == 0
        assert (
            degrade(few, tmp_path / f"same{scale}.nii.gz", "--preset", "portable", "--scale", scale, "--seed", 3) == 0
        )
        derived, same = read_volume(output), read_volume(tmp_path / f"same{scale}.nii.gz")
        assert derived.voxels.shape == (2, 512 // scale, 512 // scale)
        np.testing.assert_array_equal(derived.voxels, same.voxels)
        np.testing.assert_allclose(derived.affine, same.affine, atol=1e-3)
        image = pydicom.dcmread(output / "00001.dcm")
        assert image.SeriesDescription.endswith("degraded")
        assert f"degraded portable x{scale} seed 3" in image.DerivationDescription
        assert image.DerivationCodeSequence[0].CodeMeaning == code
        assert image.ContributingEquipmentSequence[-1].ContributionDescription == "Degradation of CT slices"


def test_values_beyond_a_ct_are_taken_as_its_limits(small_volume, tmp_path):
    voxels = small_volume.voxels.copy()
    voxels[:, :8, :8], voxels[:, 8:16, :8] = -3024, 9000
    write_volume(replace(small_volume, voxels=voxels), tmp_path / "in.nii")
    assert degrade(tmp_path / "in.nii", tmp_path / "low.nii", "--preset", "area") == 0
    low = read_volume(tmp_path / "low.nii").voxels
    assert np.all(low[:, :4, :4] == -1024)
    assert np.all(low[:, 4:8, :4] == 3071)


def test_degraded_and_enhanced_a_volume_is_where_it_was(small_file, small_volume, tmp_path):
    assert degrade(small_file, tmp_path / "low.nii", "--preset", "area") == 0
    assert main(["enhance", str(tmp_path / "low.nii"), str(tmp_path / "fine.nii"), "--scale", "2"]) == 0
    fine = read_volume(tmp_path / "fine.nii")
    assert fine.voxels.shape == small_volume.voxels.shape
    np.testing.assert_allclose(fine.affine, small_volume.affine, atol=1e-4)


def refused(capsys, tmp_path, *arguments):
    before = sorted(tmp_path.rglob("*"))
    assert degrade(*arguments) == 1
    assert sorted(tmp_path.rglob("*")) == before
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("ctsgan: ")
    return lines[0]


def test_errors_are_one_sentence_and_leave_nothing(small_file, small_volume, tmp_path, capsys):
    output = tmp_path / "low.nii"
    assert "there is no file" in refused(capsys, tmp_path, tmp_path / "none.nii", output)
    assert ".nii" in refused(capsys, tmp_path, small_file, tmp_path / "low.jpeg2")
    assert "is the input" in refused(capsys, tmp_path, small_file, small_file, "--overwrite")
    output.write_bytes(b"precious")
    assert "--overwrite" in refused(capsys, tmp_path, small_file, output)
    assert output.read_bytes() == b"precious"
    assert degrade(small_file, output, "--overwrite", "--preset", "area") == 0
    assert read_volume(output).voxels.shape == (3, 32, 24)


def test_a_slice_smaller_than_a_new_pixel(small_volume, tmp_path, capsys):
    thin = np.ascontiguousarray(small_volume.voxels[:, :, :3].transpose(2, 1, 0))
    nib.save(nib.Nifti1Image(thin, np.diag([1.0, 1.0, 2.0, 1.0])), tmp_path / "thin.nii")
    assert "smaller --scale" in refused(capsys, tmp_path, tmp_path / "thin.nii", tmp_path / "low.nii", "--scale", "4")


@pytest.mark.parametrize("options", [["--preset", "photograph"], ["--scale", "3"], ["--seed", "-1"]])
def test_options_that_are_not_offered(small_file, tmp_path, options):
    with pytest.raises(SystemExit) as status:
        degrade(small_file, tmp_path / "low.nii", *options)
    assert status.value.code == 2


def test_slicer_reads_its_progress_lines(small_file, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "monai_bundle")}
    command = [sys.executable, "-m", "ctsgan", "degrade", small_file, tmp_path / "low.nrrd", "--progress", "slicer"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.count("<filter-progress>") == 3
    assert "<filter-progress>1.0000</filter-progress>" in result.stdout
    assert "<filter-end>" in result.stdout


def test_of_a_folder_every_volume_comes_out_as_if_it_were_alone(small_file, tmp_path, capsys):
    folder = tmp_path / "volumes"
    (folder / "deeper").mkdir(parents=True)
    for name in ("a.nii.gz", "deeper/b.nii.gz"):
        (folder / name).write_bytes(small_file.read_bytes())
    (folder / "broken.nii.gz").write_bytes(b"nothing")
    options = ["--preset", "scanner", "--seed", "3"]
    assert degrade(folder, tmp_path / "out", *options, "--recursive") == 1
    assert "1 of 3 volumes were not degraded: broken.nii.gz" in capsys.readouterr().err
    assert degrade(small_file, tmp_path / "alone.nii.gz", *options) == 0
    alone = read_volume(tmp_path / "alone.nii.gz")
    for name in ("a.nii.gz", "deeper/b.nii.gz"):
        np.testing.assert_array_equal(read_volume(tmp_path / "out" / name).voxels, alone.voxels)
