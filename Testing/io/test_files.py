"""One way in and one way out for every format: names, folders, and errors that say what to do."""

import errno
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

import ctsgan
from ctsgan.errors import CTError
from ctsgan.io import nifti
from ctsgan.io.files import (
    SUFFIXES,
    check_storable,
    find_volumes,
    is_dicom_folder,
    read_volume,
    split_suffix,
    write_volume,
)
from ctsgan.io.itk import volume_from_image
from ctsgan.io.output import partial_output
from ctsgan.io.series import SeriesOptions
from ctsgan.volume import Volume


@pytest.fixture
def volume():
    return Volume(np.random.default_rng(0).integers(-1024, 3072, (3, 8, 8)).astype(np.int16), np.eye(4))


def dicom(path, preamble=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((bytes(128) + b"DICM" if preamble else b"") + b"\x08\x00\x16\x00UI\x04\x001.2\x00")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("ct.nii", ("ct", ".nii")),
        ("ct.nii.gz", ("ct", ".nii.gz")),
        ("CT.NII.GZ", ("CT", ".nii.gz")),
        ("a.b.nrrd", ("a.b", ".nrrd")),
        ("1.2.840.113619", ("1.2.840.113619", "")),
        ("scan.1.5mm", ("scan.1.5mm", "")),
        ("ct.png", ("ct", ".png")),
        ("ct.gz", ("ct", ".gz")),
        ("series", ("series", "")),
        (".nii", (".nii", "")),
    ],
)
def test_names_are_split_where_a_person_would(name, parts):
    assert split_suffix(Path("some.folder") / name) == parts


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_written_is_read(tmp_path, volume, suffix):
    write_volume(volume, tmp_path / f"ct{suffix}")
    again = read_volume(str(tmp_path / f"ct{suffix}"))
    assert np.array_equal(again.voxels, volume.voxels)
    assert again.source == tmp_path / f"ct{suffix}"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_names_with_spaces_and_letters_of_any_alphabet_are_fine(tmp_path, volume, suffix):
    path = tmp_path / "Ärzte 医院" / f"Müller, J. (2) 患者{suffix}"
    write_volume(volume, path)
    assert np.array_equal(read_volume(path).voxels, volume.voxels)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_volume_is_checked_when_it_is_read(tmp_path, suffix):
    write_volume(Volume(np.arange(256, dtype=np.uint8).reshape(4, 8, 8), np.eye(4)), tmp_path / f"ct{suffix}")
    with pytest.raises(CTError, match=rf"ct{suffix} has values 0 to 255, not HU"):
        read_volume(tmp_path / f"ct{suffix}")
    assert read_volume(tmp_path / f"ct{suffix}", force=True).voxels.dtype == np.uint8


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CTError, match=r"there is no file or folder .*ct\.nii; check the name"):
        read_volume(tmp_path / "ct.nii")


@pytest.mark.parametrize("name", ["ct.png", "ct", "ct.nii.bz2"])
def test_an_unknown_kind_is_answered_with_the_known_ones(tmp_path, volume, name):
    (tmp_path / name).write_bytes(b"what" * 100)
    with pytest.raises(
        CTError, match=rf"{name} is not of a kind that can be read: \.nii \.nii\.gz .*\.tiff, or a DICOM"
    ):
        read_volume(tmp_path / name)
    if split_suffix(name)[1]:
        with pytest.raises(
            CTError, match=r"is not of a kind that can be written: \.nii .*\.tiff, or a folder for DICOM"
        ):
            write_volume(volume, tmp_path / name, overwrite=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_without_permission_is_named(tmp_path, volume, suffix, monkeypatch):
    def forbidden(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    write_volume(volume, tmp_path / f"ct{suffix}")
    read_volume(tmp_path / f"ct{suffix}")
    monkeypatch.setattr("builtins.open", forbidden)
    monkeypatch.setattr("io.open", forbidden)
    with pytest.raises(CTError, match=rf"ct{suffix} cannot be read: permission denied"):
        read_volume(tmp_path / f"ct{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_existing_output_is_replaced_only_when_that_is_asked_for(tmp_path, volume, suffix):
    write_volume(volume, tmp_path / f"ct{suffix}")
    other = Volume(volume.voxels[:2] - 7, volume.affine)
    with pytest.raises(CTError, match="exists; replace it with --overwrite"):
        write_volume(other, tmp_path / f"ct{suffix}")
    write_volume(other, tmp_path / f"ct{suffix}", overwrite=True)
    assert np.array_equal(read_volume(tmp_path / f"ct{suffix}").voxels, other.voxels)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_written_in_the_place_of_an_output_to_come_is_right_when_it_is_there(tmp_path, volume, suffix):
    with partial_output(tmp_path / f"ct{suffix}") as partial:
        write_volume(volume, partial)
        assert not [name for name in os.listdir(tmp_path) if not name.startswith(".")]
    assert np.array_equal(read_volume(tmp_path / f"ct{suffix}").voxels, volume.voxels)
    assert all(name.startswith("ct.") for name in os.listdir(tmp_path))


def test_a_write_error_is_one_sentence_with_the_name_the_user_gave(tmp_path, volume, monkeypatch):
    for number, words in [(errno.EIO, "input/output error"), (errno.ENOSPC, "no space left on device")]:

        def broken(volume, path, number=number, **_):
            path.write_bytes(b"half")
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(nifti, "write_nifti", broken)
        wanted = rf"^{tmp_path}/ct\.nii could not be written: {words}"
        with pytest.raises(CTError, match=wanted):
            write_volume(volume, tmp_path / "ct.nii")
        with pytest.raises(CTError, match=wanted), partial_output(tmp_path / "ct.nii") as partial:
            write_volume(volume, partial)
        assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_uneven_slices_are_refused_where_a_format_cannot_hold_them(tmp_path, volume, suffix):
    even = np.array([[0.0, 0.0, k] for k in range(3)])
    check_storable(Volume(volume.voxels, volume.affine, slice_origins=even), tmp_path / f"ct{suffix}")
    uneven = Volume(volume.voxels, volume.affine, slice_origins=even * [[1], [1], [1.5]])
    with pytest.raises(CTError, match=r"slices at uneven distances \(up to 1\.00 mm off\); give a folder for DICOM"):
        write_volume(uneven, tmp_path / f"ct{suffix}")
    check_storable(replace(uneven, header={"dicom_files": ["1", "2", "3"]}), tmp_path / "series")


def test_volumes_of_a_folder_are_found_in_order(tmp_path, volume):
    for name in ("b.nii.gz", "a.nrrd", ".hidden.nii", "c.mhd", "notes.txt", "d.TIF"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "c.zraw").write_bytes(b"")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "e.mha").write_bytes(b"")
    dicom(tmp_path / "series" / "1")
    dicom(tmp_path / "series" / "deeper" / "1")
    dicom(tmp_path / ".d.partial-1" / "1")
    found = [str(path.relative_to(tmp_path)) for path in find_volumes(tmp_path)]
    assert found == ["a.nrrd", "b.nii.gz", "c.mhd", "d.TIF"]
    found = [str(path.relative_to(tmp_path)) for path in find_volumes(tmp_path, recursive=True)]
    assert found == ["a.nrrd", "b.nii.gz", "c.mhd", "d.TIF", "series", "sub/e.mha"]


def test_dicom_folders_are_known_by_their_files(tmp_path, ct_folder):
    assert is_dicom_folder(ct_folder)
    dicom(tmp_path / "plain" / "IM0001")
    dicom(tmp_path / "old" / "IM0001", preamble=False)
    dicom(tmp_path / "disc" / "DICOMDIR")
    dicom(tmp_path / "above" / "series" / "IM0001")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes").write_bytes(b"\x08\x00 but no DICOM" * 20)
    (tmp_path / "other" / "ct.nii").write_bytes(bytes(128) + b"DICM")
    (tmp_path / "empty").mkdir()
    answers = {folder.name: is_dicom_folder(folder) for folder in tmp_path.iterdir()}
    assert answers == {"plain": True, "old": True, "disc": True, "above": False, "other": False, "empty": False}


def test_a_folder_of_volumes_is_not_one(tmp_path, volume):
    write_volume(volume, tmp_path / "a.nii")
    write_volume(volume, tmp_path / "b.nii")
    with pytest.raises(CTError, match=r"is a folder of 2 volumes, not one; give one of them, such as .*a\.nii"):
        read_volume(tmp_path)


def test_a_dicom_series_and_one_of_its_files_are_volumes(tmp_path, ct_folder, ct_image):
    volume = read_volume(ct_folder)
    assert np.array_equal(volume.voxels[:3], sitk.GetArrayViewFromImage(ct_image))
    assert np.allclose(volume.affine, volume_from_image(ct_image).affine, atol=1e-3)
    first = sorted(ct_folder.iterdir())[0]
    shutil.copy(first, tmp_path / "slice.dcm")
    assert read_volume(tmp_path / "slice.dcm").voxels.shape == (1, *volume.voxels.shape[1:])


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    def forbidden(path, *_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr("os.scandir", forbidden)
    monkeypatch.setattr("pathlib.Path.iterdir", forbidden)
    assert not is_dicom_folder(tmp_path)
    with pytest.raises(CTError, match=f"{tmp_path} cannot be read: permission denied"):
        find_volumes(tmp_path)
    with pytest.raises(CTError, match=f"{tmp_path} cannot be read: permission denied"):
        read_volume(tmp_path)


def test_a_folder_without_any_volume_is_refused(tmp_path):
    with pytest.raises(CTError):
        read_volume(tmp_path)


def test_the_libraries_of_the_formats_are_imported_only_when_they_are_needed():
    heavy = {"torch", "monai", "nibabel", "SimpleITK", "tifffile", "pydicom"}
    program = f"import sys, ctsgan.io.files; print(*({heavy} & {{*sys.modules}}))"
    package = {"PYTHONPATH": str(Path(ctsgan.__file__).parents[1])}
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ, **package}
    )
    assert answer.stdout.strip() == ""


def test_a_volume_from_dicom_becomes_a_series_in_a_folder(tmp_path, ct_folder):
    volume = read_volume(ct_folder)
    write_volume(volume, tmp_path / "new" / "series", description="ctsgan x1")
    again = read_volume(tmp_path / "new" / "series")
    assert np.array_equal(again.voxels, volume.voxels)
    assert np.allclose(again.affine, volume.affine, atol=1e-5)
    with pytest.raises(CTError, match="exists"):
        write_volume(volume, tmp_path / "new" / "series")
    with partial_output(tmp_path / "new" / "series", overwrite=True, source=ct_folder) as partial:
        write_volume(volume, partial)
    assert np.array_equal(read_volume(tmp_path / "new" / "series").voxels, volume.voxels)
    assert os.listdir(tmp_path / "new") == ["series"]


def test_a_volume_from_another_format_does_not_become_dicom(tmp_path, volume):
    with pytest.raises(CTError, match=r"series would be a DICOM series, which needs a DICOM input; .* \.nii \.nii\.gz"):
        write_volume(volume, tmp_path / "series")
    assert os.listdir(tmp_path) == []


def test_unless_a_study_of_its_own_is_asked_for(tmp_path, volume, ct_folder):
    write_volume(volume, tmp_path / "series", options=SeriesOptions(new_study=True))
    again = read_volume(tmp_path / "series", force=True)
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-4)
    with pytest.raises(CTError, match="has a study, which --new-study would lose"):
        write_volume(read_volume(ct_folder), tmp_path / "another", options=SeriesOptions(new_study=True))
