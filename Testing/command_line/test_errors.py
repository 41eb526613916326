"""Bad input gets one sentence that names it, a non-zero exit, and leaves nothing behind."""

import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
import torch

from ctsgan import models
from ctsgan.cli import main
from ctsgan.io import output as output_module
from ctsgan.io.files import write_volume


def refused(capsys, tmp_path, *arguments):
    """Run ``ctsgan enhance``; the one sentence it was refused with."""
    before = sorted(tmp_path.rglob("*"))
    assert main(["enhance", *map(str, arguments)]) == 1
    assert sorted(tmp_path.rglob("*")) == before
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("ctsgan: ")
    return lines[0]


def nifti(path, voxels):
    nib.save(nib.Nifti1Image(voxels, np.diag([0.7, 0.7, 2.0, 1.0])), path)
    return path


def test_a_missing_file(tmp_path, capsys):
    assert "there is no file" in refused(capsys, tmp_path, tmp_path / "none.nii", tmp_path / "out.nii")


def test_a_volume_that_cannot_be_hu(small_volume, tmp_path, capsys):
    raw = nifti(tmp_path / "raw.nii", (small_volume.voxels.T + 1024).clip(0))
    assert "intercept" in refused(capsys, tmp_path, raw, tmp_path / "out.nii")
    assert main(["enhance", str(raw), str(tmp_path / "out.nii"), "--force"]) == 0


def test_a_colour_image(tmp_path, capsys):
    colour = sitk.Image([32, 32, 4], sitk.sitkVectorUInt8, 3)
    sitk.WriteImage(colour, str(tmp_path / "colour.mha"))
    assert "colour" in refused(capsys, tmp_path, tmp_path / "colour.mha", tmp_path / "out.nii").lower()


def test_a_volume_over_time(small_volume, tmp_path, capsys):
    moving = nifti(tmp_path / "4d.nii", np.stack([small_volume.voxels.T] * 2, axis=-1))
    assert "4" in refused(capsys, tmp_path, moving, tmp_path / "out.nii")


def test_nan(small_volume, tmp_path, capsys):
    voxels = small_volume.voxels.T.astype(np.float32)
    voxels[4:6, 5, 1] = np.nan
    path = nifti(tmp_path / "nan.nii", voxels)
    message = refused(capsys, tmp_path, path, tmp_path / "out.nii")
    assert "2" in message
    assert "--fill" in message
    assert main(["enhance", str(path), str(tmp_path / "out.nii"), "--fill", "-1024"]) == 0


def test_a_truncated_file(small_file, tmp_path, capsys):
    short = tmp_path / "short.nii.gz"
    short.write_bytes(small_file.read_bytes()[:2000])
    assert "short.nii.gz" in refused(capsys, tmp_path, short, tmp_path / "out.nii")


def test_several_series(clinical_volume, tmp_path, capsys):
    import pydicom

    folder = tmp_path / "mixed"
    folder.mkdir()
    for index, name in enumerate(clinical_volume.header["dicom_files"][:4]):
        dataset = pydicom.dcmread(name)
        dataset.SeriesInstanceUID = f"1.2.3.{index % 2}"
        dataset.SeriesNumber = index % 2
        dataset.save_as(folder / f"{index}.dcm")
    message = refused(capsys, tmp_path, folder, tmp_path / "out.nii")
    assert "--series" in message
    assert "1.2.3.1" in message
    arguments = ["enhance", str(folder), str(tmp_path / "out.nii"), "--series", "1.2.3.1", "--roi", "200:232,200:232,:"]
    # every other slice is missing from this series of two, so it is a pair with a wider gap
    assert main(arguments) == 0


def test_missing_slices(clinical_volume, tmp_path, capsys):
    folder = tmp_path / "gap"
    folder.mkdir()
    for index in (0, 1, 2, 4, 5):
        shutil.copy(clinical_volume.header["dicom_files"][index], folder / f"{index}.dcm")
    assert "missing" in refused(capsys, tmp_path, folder, tmp_path / "out.nii")


def test_another_modality(clinical_volume, tmp_path, capsys):
    import pydicom

    folder = tmp_path / "mr"
    folder.mkdir()
    dataset = pydicom.dcmread(clinical_volume.header["dicom_files"][0])
    dataset.Modality = "MR"
    dataset.save_as(folder / "0.dcm")
    assert "MR" in refused(capsys, tmp_path, folder, tmp_path / "out.nii")


def test_an_output_that_cannot_be_made(small_file, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert "cannot be made" in refused(capsys, tmp_path, small_file, tmp_path / "file" / "out.nii")


def test_an_output_of_no_known_kind(small_file, tmp_path, capsys):
    assert ".nii" in refused(capsys, tmp_path, small_file, tmp_path / "out.jpeg2")


def test_a_full_disk(small_file, tmp_path, capsys, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(output_module.shutil, "disk_usage", lambda path: usage._replace(free=1000))
    assert "make room" in refused(capsys, tmp_path, small_file, tmp_path / "out.nii")


def test_a_device_that_is_not_there(small_file, tmp_path, capsys):
    assert "cuda:7" in refused(capsys, tmp_path, small_file, tmp_path / "out.nii", "--device", "cuda:7")
    assert "abacus" in refused(capsys, tmp_path, small_file, tmp_path / "out.nii", "--device", "abacus")


def test_no_memory(small_file, tmp_path, capsys, monkeypatch):
    from ctsgan.networks import LightGenerator

    def starved(self, image):
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(LightGenerator, "forward", starved)
    assert "--roi" in refused(capsys, tmp_path, small_file, tmp_path / "out.nii")


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_no_memory_for_the_weights(small_file, tmp_path, capsys, monkeypatch, error):
    def starved(*_):
        raise error

    monkeypatch.setattr(models, "load_weights", starved)
    assert "out of memory; close" in refused(capsys, tmp_path, small_file, tmp_path / "out.nii")


def test_an_error_that_is_not_of_memory_is_not_hidden(small_file, tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("a defect")

    monkeypatch.setattr(models, "load_weights", broken)
    with pytest.raises(RuntimeError, match="a defect"):
        main(["enhance", str(small_file), str(tmp_path / "out.nii")])


def test_models_scales_and_strengths_that_are_not_offered(small_file, tmp_path, capsys):
    output = tmp_path / "out.nii"
    assert "light" in refused(capsys, tmp_path, small_file, output, "--model", "heavy")
    (scale,) = models.scales("ctsgan")
    paper = ("--model", "ctsgan", "--scale")
    assert "second-stage" in refused(capsys, tmp_path, small_file, output, *paper, str(scale), "--strength", "high")
    assert f"--scale {scale}" in refused(capsys, tmp_path, small_file, output, *paper, "1")
    assert "0 to 1" in refused(capsys, tmp_path, small_file, output, "--strength", "7")
    with pytest.raises(SystemExit) as exit_status:
        main(["enhance", str(small_file), str(output), "--scale", "3"])
    assert exit_status.value.code == 2


@pytest.mark.parametrize("roi", ["1:2", "5:4,:,:", "60:,:,:", "a:b,:,:"])
def test_a_region_that_is_none(small_file, tmp_path, capsys, roi):
    assert "--roi" in refused(capsys, tmp_path, small_file, tmp_path / "out.nii", "--roi", roi)


def test_a_spacing_that_is_none(small_file, tmp_path, capsys):
    assert "--spacing" in refused(capsys, tmp_path, small_file, tmp_path / "out.nii", "--spacing", "-1")


def test_model_files_missing_damaged_or_of_another_scale(small_file, tmp_path, capsys, monkeypatch):
    folder = tmp_path / "models"
    shutil.copytree(models.models_folder(), folder)
    monkeypatch.setattr(models, "models_folder", lambda: folder)
    output = tmp_path / "out.nii"
    weights = folder / "light_x2.pt"
    content = bytearray(weights.read_bytes())
    content[5000] ^= 1
    weights.write_bytes(content)
    assert "damaged" in refused(capsys, tmp_path, small_file, output)
    shutil.copy(folder / "light_x4.pt", weights)
    assert "damaged" in refused(capsys, tmp_path, small_file, output)
    weights.unlink()
    assert "missing" in refused(capsys, tmp_path, small_file, output)
    catalogue = folder / "models.json"
    catalogue.write_text("{")
    assert "catalogue" in refused(capsys, tmp_path, small_file, output)


def test_uneven_slices_into_a_format_that_cannot_hold_them(small_volume, tmp_path, capsys):
    origins = small_volume.affine[:3, 3] + np.array([0.0, 1.0, 2.5])[:, None] * small_volume.affine[:3, 2]
    with pytest.raises(Exception, match="uneven"):
        write_volume(replace(small_volume, slice_origins=origins), tmp_path / "uneven.nii")
