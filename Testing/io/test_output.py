"""An output is there when it is complete, and otherwise nothing is."""

import errno
import os
import shutil
from collections import namedtuple

import pytest

from ctsgan.errors import CTError
from ctsgan.io.output import partial_output, remove_partials, require_space


def names(folder):
    return sorted(os.listdir(folder))


def dicom(path):
    path.write_bytes(bytes(128) + b"DICM")


def test_a_file_appears_when_it_is_complete(tmp_path):
    final = tmp_path / "ct.nii.gz"
    with partial_output(final) as partial:
        assert partial.name.endswith("ct.nii.gz")
        partial.write_bytes(b"voxels")
        assert not final.exists()
        assert all(name.startswith(".") for name in names(tmp_path))
    assert final.read_bytes() == b"voxels"
    assert names(tmp_path) == ["ct.nii.gz"]


def test_a_header_and_its_voxels_appear_together(tmp_path):
    with partial_output(tmp_path / "ct.mhd") as partial:
        partial.write_bytes(b"header")
        partial.with_suffix(".zraw").write_bytes(b"voxels")
    assert names(tmp_path) == ["ct.mhd", "ct.zraw"]


def test_a_folder_appears_when_it_is_complete(tmp_path):
    final = tmp_path / "1.2.840.113619"
    with partial_output(final) as partial:
        assert partial.is_dir()
        dicom(partial / "1")
        assert not final.exists()
    assert names(final) == ["1"]
    assert names(tmp_path) == [final.name]


def fail_half_way(final, error, overwrite=False):
    with partial_output(final, overwrite) as partial:
        (partial / "1" if partial.is_dir() else partial).write_bytes(b"half")
        raise error


@pytest.mark.parametrize("name", ["ct.nii", "new/er/ct.nii", "series", "new/series"])
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_left_when_the_work_fails(tmp_path, name, error):
    with pytest.raises(error):
        fail_half_way(tmp_path / name, error("no"))
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["ct.nii", "series"])
def test_what_was_there_stays_when_the_work_fails(tmp_path, name):
    if name == "series":
        (tmp_path / name).mkdir()
        dicom(tmp_path / name / "old")
    else:
        (tmp_path / name).write_bytes(b"old")
    before = [*tmp_path.rglob("*")]
    with pytest.raises(ValueError, match="no"):
        fail_half_way(tmp_path / name, ValueError("no"), overwrite=True)
    assert [*tmp_path.rglob("*")] == before


@pytest.mark.parametrize("name", ["ct.nii", "new/ct.nii", "series", "new/series"])
def test_all_unfinished_outputs_can_be_removed_at_once(tmp_path, name):
    with partial_output(tmp_path / "other.nii") as other, partial_output(tmp_path / name) as partial:
        (partial / "1" if partial.is_dir() else partial).write_bytes(b"half")
        other.write_bytes(b"half")
        remove_partials()
        assert names(tmp_path) == []
        # the block would end the process here; let it end well instead
        other.parent.mkdir()
        partial.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(b"")


def test_an_output_is_replaced_only_when_that_is_asked_for(tmp_path):
    final = tmp_path / "ct.nii"
    final.write_bytes(b"old")
    with pytest.raises(CTError, match=r"ct\.nii exists; replace it with --overwrite"), partial_output(final):
        pass
    assert final.read_bytes() == b"old"
    with partial_output(final, overwrite=True) as partial:
        partial.write_bytes(b"new")
        assert final.read_bytes() == b"old"
    assert final.read_bytes() == b"new"


def test_voxels_beside_a_header_are_not_replaced_unasked(tmp_path):
    (tmp_path / "ct.zraw").write_bytes(b"of another header")
    with pytest.raises(CTError, match=r"ct\.zraw exists"), partial_output(tmp_path / "ct.mhd"):
        pass


def test_a_series_is_replaced_as_a_whole(tmp_path):
    final = tmp_path / "series"
    final.mkdir()
    dicom(final / "old")
    with pytest.raises(CTError, match=r"series exists; replace it with --overwrite"), partial_output(final):
        pass
    with partial_output(final, overwrite=True) as partial:
        dicom(partial / "new")
        assert names(final) == ["old"]
    assert names(final) == ["new"]
    assert names(tmp_path) == ["series"]


@pytest.mark.parametrize("content", ["letter.txt", "folder/1"])
def test_a_folder_with_anything_but_dicom_is_never_replaced(tmp_path, content):
    final = tmp_path / "home"
    (final / content).parent.mkdir(parents=True)
    (final / content).write_text("dear")
    dicom(final / "1")
    with (
        pytest.raises(CTError, match=r"home holds \w+(\.txt)?, not only DICOM files"),
        partial_output(final, overwrite=True),
    ):
        pass
    assert (final / content).read_text() == "dear"


def test_an_empty_folder_is_no_output_yet(tmp_path):
    (tmp_path / "series").mkdir()
    with partial_output(tmp_path / "series") as partial:
        dicom(partial / "1")
    assert names(tmp_path / "series") == ["1"]


def test_the_input_is_not_replaced(tmp_path):
    source = tmp_path / "ct.nii"
    source.write_bytes(b"the patient")
    (tmp_path / "link.nii").symlink_to(source)
    for final in (source, tmp_path / "x" / ".." / "ct.nii", tmp_path / "link.nii"):
        with pytest.raises(CTError, match="is the input"), partial_output(final, overwrite=True, source=source):
            pass
    series = tmp_path / "all" / "series"
    series.mkdir(parents=True)
    dicom(series / "1")
    for final in (series, tmp_path / "all"):
        with pytest.raises(CTError, match="is the input"), partial_output(final, overwrite=True, source=series):
            pass
    assert source.read_bytes() == b"the patient"
    assert names(series) == ["1"]


def test_an_output_may_lie_beside_its_input_or_in_its_folder(tmp_path):
    dicom(tmp_path / "1")
    with partial_output(tmp_path / "enhanced", source=tmp_path) as partial:
        dicom(partial / "1")
    assert names(tmp_path) == ["1", "enhanced"]


def test_files_and_folders_do_not_replace_each_other(tmp_path):
    (tmp_path / "ct.nii").mkdir()
    (tmp_path / "series").write_bytes(b"")
    with pytest.raises(CTError, match=r"ct\.nii is a folder"), partial_output(tmp_path / "ct.nii", overwrite=True):
        pass
    with pytest.raises(CTError, match="series is a file"), partial_output(tmp_path / "series", overwrite=True):
        pass


def test_a_place_where_nothing_can_be_made_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with (
        pytest.raises(CTError, match=r"cannot be made: .*choose another folder"),
        partial_output(tmp_path / "file/ct.nii"),
    ):
        pass
    long = tmp_path / "new" / ("x" * 250 + ".nii")
    with pytest.raises(CTError, match="cannot be made: file name too long"), partial_output(long):
        pass
    assert names(tmp_path) == ["file"]


def test_a_folder_without_permission_is_named(tmp_path, monkeypatch):
    def forbidden(*_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("pathlib.Path.mkdir", forbidden)
    with pytest.raises(CTError, match="cannot be made: permission denied"), partial_output(tmp_path / "ct.nii"):
        pass


def test_a_full_disk_is_named(tmp_path):
    with (
        pytest.raises(CTError, match=r"ct\.nii could not be written: no space left"),
        partial_output(tmp_path / "ct.nii"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert names(tmp_path) == []


def test_room_on_the_disk_is_looked_at_first(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**12, 10**12 - 3 * 10**9, 3 * 10**9))
    require_space(tmp_path / "not" / "yet" / "ct.nii", 3 * 10**9)
    with pytest.raises(CTError, match=r"3\.00 GB free, and up to 20 GB are needed; make room"):
        require_space(tmp_path / "not" / "yet" / "ct.nii", 20 * 10**9)
