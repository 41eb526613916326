"""Which slices are compared with which."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from ctsgan.cli import main
from ctsgan.errors import CTError
from ctsgan.evaluation.pairs import degraded_pairs
from ctsgan.evaluation.sources import every_nth, find_sources, thinned
from ctsgan.geometry import cropped_affine
from ctsgan.io.files import read_volume, write_volume


def test_the_input_of_a_slice_does_not_depend_on_which_others_are_measured(crops):
    volume = crops["left.nii.gz"]
    (alone,) = degraded_pairs(volume, "left.nii.gz", "portable", 2, [1])
    _, after = degraded_pairs(volume, "left.nii.gz", "portable", 2, [0, 1])
    np.testing.assert_array_equal(alone.low, after.low)
    assert alone.fingerprint == after.fingerprint
    (other,) = degraded_pairs(volume, "another.nii.gz", "portable", 2, [1])
    assert (other.low != alone.low).any()


def test_references_are_cut_to_whole_pixels_of_the_input(crops):
    odd = replace(crops["left.nii.gz"], voxels=crops["left.nii.gz"].voxels[:, :95, :110].copy())
    (pair,) = degraded_pairs(odd, "odd", "area", 4, [0])
    assert pair.low.shape == (23, 27)
    assert pair.reference.shape == (92, 108)
    means = pair.reference.reshape(23, 4, 27, 4).mean(axis=(1, 3))
    np.testing.assert_allclose(pair.low, means, atol=0.51)
    np.testing.assert_allclose(pair.spacing_mm, 4 * odd.spacing_mm[1::-1])


def test_every_volume_is_looked_at_and_knows_its_patient(references):
    sources, files, scale = find_sources(references, 2)
    assert scale == 2
    assert [(source.name, source.patient, source.slices) for source in sources] == [
        ("left.nii.gz", "A", 2),
        ("low.nii.gz", "A", 2),
        ("right.nii.gz", "B", 2),
    ]
    assert all(len(file["sha256"]) == 64 and file["skipped"] is None for file in files)


def test_slices_are_thinned_evenly(references):
    sources, _, _ = find_sources(references, 2)
    assert [indices for _, indices in thinned(every_nth(sources, 1), None)] == [[0, 1]] * 3
    assert [indices for _, indices in thinned(every_nth(sources, 2), None)] == [[0]] * 3
    found = thinned(every_nth(sources, 1), 3)
    assert [(source.name, indices) for source, indices in found] == [
        ("left.nii.gz", [1]),
        ("low.nii.gz", [1]),
        ("right.nii.gz", [1]),
    ]


def test_a_series_of_dicom_files_is_one_reference(clinical_volume, tmp_path):
    series = tmp_path / "series"
    series.mkdir()
    for name in clinical_volume.header["dicom_files"][4:6]:
        shutil.copy(name, series)
    ((source,), _, _) = find_sources(series, 4)
    assert (source.name, source.slices) == ("series", 2)
    (pair,) = source.pairs(["area"], 4, [1])
    np.testing.assert_array_equal(pair.reference, np.clip(read_volume(series).voxels[1], -1024, 3071))


@pytest.fixture
def lows(references, tmp_path):
    """The references as another scanner shows them, with half the pixels, in another format."""
    folder = tmp_path / "lows"
    folder.mkdir()
    for path in references.glob("*.nii.gz"):
        low = folder / path.name.replace(".nii.gz", ".nrrd")
        assert main(["degrade", str(path), str(low), "--preset", "portable", "--scale", "2"]) == 0
    return folder


def test_measured_pairs_say_their_scale(references, lows):
    sources, _, scale = find_sources(references, None, lows)
    assert scale == 2
    (pair,) = sources[0].pairs(["paired"], 2, [1])
    np.testing.assert_array_equal(pair.low, read_volume(lows / "left.nrrd").voxels[1])
    np.testing.assert_array_equal(pair.reference, read_volume(references / "left.nii.gz").voxels[1])
    np.testing.assert_allclose(
        pair.spacing_mm, 2 * read_volume(references / "left.nii.gz").spacing_mm[1::-1], rtol=1e-5
    )


def spoil(lows, what):
    path = lows / "low.nrrd"
    volume = read_volume(path)
    if what == "slices":
        volume = replace(volume, voxels=volume.voxels[:1].copy())
    if what == "grid":
        volume = replace(volume, voxels=volume.voxels[:, :, :40].copy())
    if what == "place":
        volume = replace(volume, affine=cropped_affine(volume.affine, (1, 0, 0)))
    if what == "order":
        turned = volume.affine.copy()
        turned[:3, 3] += turned[:3, 2]
        turned[:3, 2] *= -1
        volume = replace(volume, affine=turned)
    path.unlink()
    write_volume(volume, lows / ("other.nrrd" if what == "name" else "low.nrrd"))


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("slices", "1 and 2 slices"),
        ("grid", "not one, two or four to one"),
        ("place", "corners lie up to"),
        ("order", "corners lie up to"),
        ("name", "no volume for"),
    ],
)
def test_the_first_pair_that_does_not_fit_is_named(references, lows, what, message):
    spoil(lows, what)
    with pytest.raises(CTError, match=message) as caught:
        find_sources(references, None, lows)
    assert str(references / "low.nii.gz") in str(caught.value)


def test_pairs_of_another_scale_than_asked_are_refused(references, lows):
    with pytest.raises(CTError, match="say x2, not x4"):
        find_sources(references, 4, lows)
