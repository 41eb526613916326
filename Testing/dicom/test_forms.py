"""A derived series in every form (an image a slice or one for all, compressed, anonymous), of every maker's source."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from pydicom import Dataset, dcmread
from pydicom.uid import EnhancedCTImageStorage, JPEG2000Lossless, JPEGLSLossless, RLELossless

from ctsgan.cli import main
from ctsgan.dicom import read_series, write_series
from ctsgan.dicom.options import LARGEST_BYTES
from ctsgan.errors import CTError
from ctsgan.io.series import COMPRESSIONS, SeriesOptions
from ctsgan.volume import Volume
from dicom.ct_series import as_multi_frame, store_series
from dicom.validators import errors
from dicom.vendors import MAKERS, slices_of

FORMS = [SeriesOptions(*form) for form in itertools.product((False, True), (None, *COMPRESSIONS), (False, True))]

SECRETS = (b"SECRET-ID", b"Secret", b"Petersgraben", b"20221208", b"1.3.12.2.1107")
"""Of the slices: the patient, the hospital's street, the day, the scanner's UIDs."""


def name(form: SeriesOptions) -> str:
    return (
        "-".join(filter(None, ["multi" * form.multi_frame, form.compression, "anonymous" * form.anonymize])) or "plain"
    )


def enhanced(volume: Volume) -> Volume:
    """Each pixel as four of half its size, a little changed."""
    return volume.upscaled(volume.voxels.repeat(2, axis=1).repeat(2, axis=2) + np.int16(1), 2)


def itk_slices(files: list[Path]) -> list[tuple[np.ndarray, np.ndarray]]:
    """SimpleITK's reading of each slice, and where its first pixel is."""
    found = []
    for path in files:
        image = SimpleITK.ReadImage(str(path))
        places = range(image.GetDepth())
        origins = [image.TransformIndexToPhysicalPoint((0, 0, k)) for k in places]
        found += list(zip(SimpleITK.GetArrayFromImage(image), map(np.array, origins), strict=True))
    return found


def require_valid(source: Path, files: list[Path], form: SeriesOptions) -> None:
    """No error of dciodvfy in any file, none of dcentvfy in all of them, with their source where they refer to it."""
    assert [line for path in files for line in errors("dciodvfy", [path])] == []
    assert errors("dcentvfy", files if form.anonymize else [*source.iterdir(), *files]) == []


@pytest.mark.parametrize("form", FORMS, ids=name)
def test_every_form_holds_the_voxels_in_their_place_and_is_valid(
    slices: list[Dataset], tmp_path: Path, form: SeriesOptions
) -> None:
    source = store_series(slices, tmp_path / "source")
    volume = enhanced(read_series(source))
    files = sorted(write_series(volume, tmp_path / "out", description="x2", options=form).iterdir())
    assert len(files) == (1 if form.multi_frame else 6)
    again = read_series(tmp_path / "out")
    np.testing.assert_array_equal(again.voxels, volume.voxels)
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-9)
    for place, (voxels, origin) in enumerate(itk_slices(files)):
        np.testing.assert_array_equal(voxels, volume.voxels[place])
        np.testing.assert_allclose(origin, volume.affine[:3, 3] + place * volume.affine[:3, 2], atol=1e-6)
    by_pydicom = np.concatenate([dcmread(path).pixel_array.reshape(-1, 256, 256) for path in files])
    np.testing.assert_array_equal(by_pydicom, volume.voxels)
    require_valid(source, files, form)


@pytest.mark.parametrize("maker", MAKERS)
@pytest.mark.parametrize("multi_frame", [False, True], ids=["classic", "multi"])
def test_sources_of_every_maker_give_valid_series(tmp_path: Path, maker: str, multi_frame: bool) -> None:
    source = store_series(slices_of(maker), tmp_path / "source", MAKERS[maker][1])
    options = ["--scale", "1", "--roi", "0:64,0:64,1:4", "--force", "--progress", "none"]
    form = ["--multi-frame"] * multi_frame
    assert main(["enhance", str(source), str(tmp_path / "out"), *options, *form]) == 0
    assert main(["enhance", str(source), str(tmp_path / "out.nrrd"), *options]) == 0
    files = sorted((tmp_path / "out").iterdir())
    require_valid(source, files, SeriesOptions(multi_frame))
    expected = SimpleITK.ReadImage(str(tmp_path / "out.nrrd"))
    voxels = SimpleITK.GetArrayFromImage(expected)
    for place, (found, origin) in enumerate(itk_slices(files)):
        np.testing.assert_array_equal(found, voxels[place])
        np.testing.assert_allclose(origin, expected.TransformIndexToPhysicalPoint((0, 0, place)), atol=1e-4)
    image = dcmread(files[0])
    assert image.PatientName == "Secret^Name"
    assert image.Manufacturer.lower() == maker.lower() or maker == "GE"
    content = files[0].read_bytes()
    assert content.count(b"Secret^Name") == 1
    assert b"GEMS" not in content


@pytest.mark.parametrize("kind", ["tilted", "uneven", "multi-frame", "no UIDs"])
@pytest.mark.parametrize(
    "form", [SeriesOptions(multi_frame=True, compression="jpeg-ls"), SeriesOptions(anonymize=True)]
)
def test_sources_of_every_shape_give_valid_series(
    slices: list[Dataset], tmp_path: Path, kind: str, form: SeriesOptions
) -> None:
    for number, dataset in enumerate(slices):
        x, y, z = dataset.ImagePositionPatient
        if kind == "tilted":
            dataset.ImagePositionPatient = [x, y + 0.2679 * z, z]
        if kind == "uneven":
            dataset.ImagePositionPatient[2] = [0.0, 2.0, 4.0, 6.0, 9.0, 12.0][number]
        if kind == "no UIDs":
            dataset.StudyInstanceUID = dataset.SeriesInstanceUID = ""
    source = store_series([as_multi_frame(slices)] if kind == "multi-frame" else slices, tmp_path / "source")
    volume = enhanced(read_series(source))
    files = sorted(write_series(volume, tmp_path / "out", description="x2", options=form).iterdir())
    again = read_series(tmp_path / "out")
    np.testing.assert_array_equal(again.voxels, volume.voxels)
    np.testing.assert_allclose(again.affine, volume.affine, atol=1e-9)
    if volume.slice_origins is not None:
        np.testing.assert_allclose(again.slice_origins, volume.slice_origins, atol=1e-9)
    assert [line for path in files for line in errors("dciodvfy", [path])] == []


def test_one_image_refers_to_every_slice_it_was_made_from(slices: list[Dataset], tmp_path: Path) -> None:
    volume = enhanced(read_series(store_series(slices, tmp_path / "source")))
    folder = write_series(volume, tmp_path / "out", description="x2", options=SeriesOptions(multi_frame=True))
    image = dcmread(folder / "00001.dcm")
    assert image.SOPClassUID == EnhancedCTImageStorage
    frames = image.PerFrameFunctionalGroupsSequence
    sources = [frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID for frame in frames]
    assert sources == [dataset.SOPInstanceUID for dataset in slices[::-1]]
    evidence = image.SourceImageEvidenceSequence[0].ReferencedSeriesSequence[0]
    assert evidence.SeriesInstanceUID == slices[0].SeriesInstanceUID
    assert [item.ReferencedSOPInstanceUID for item in evidence.ReferencedSOPSequence] == sources


@pytest.mark.parametrize(
    ("compression", "syntax"), [("jpeg-ls", JPEGLSLossless), ("jpeg-2000", JPEG2000Lossless), ("rle", RLELossless)]
)
def test_a_compressed_series_is_smaller(slices: list[Dataset], tmp_path: Path, compression: str, syntax: str) -> None:
    volume = read_series(store_series(slices, tmp_path / "source"))
    sizes = {}
    for asked in (None, compression):
        out = tmp_path / f"{asked}"
        folder = write_series(volume, out, description="x1", options=SeriesOptions(compression=asked))
        sizes[asked] = sum(path.stat().st_size for path in folder.iterdir())
    assert dcmread(folder / "00001.dcm").file_meta.TransferSyntaxUID == syntax
    assert sizes[compression] < 0.8 * sizes[None]


class TestAnonymous:
    @pytest.fixture(params=[False, True], ids=["classic", "multi"])
    def anonymous(self, slices: list[Dataset], tmp_path: Path, request: pytest.FixtureRequest) -> list[Dataset]:
        """A series with the name once more deep inside a sequence."""
        for dataset in slices:
            dataset.RequestAttributesSequence[0].RequestedProcedureDescription = "of Secret^Name"
            dataset.PatientBirthDate, dataset.PatientAge = "20221208", "050Y"
        volume = read_series(store_series(slices, tmp_path / "source"))
        form = SeriesOptions(multi_frame=request.param, anonymize=True)
        folder = write_series(volume, tmp_path / "out", description="x1", derivation="model light", options=form)
        return [dcmread(path) for path in sorted(folder.iterdir())]

    def test_nothing_says_who_where_or_when(self, anonymous: list[Dataset], tmp_path: Path) -> None:
        for path in (tmp_path / "out").iterdir():
            content = path.read_bytes()
            assert [secret for secret in SECRETS if secret in content] == []

    def test_it_says_that_it_is_and_what_was_done(self, anonymous: list[Dataset]) -> None:
        for image in anonymous:
            assert image.PatientIdentityRemoved == "YES"
            assert image.DeidentificationMethodCodeSequence[0].CodeValue == "113100"
            assert "model light" in image.DerivationDescription

    def test_images_stay_one_series_of_one_study(
        self, anonymous: list[Dataset], slices: list[Dataset], tmp_path: Path
    ) -> None:
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
            (uid,) = {image[keyword].value for image in anonymous}
            assert uid.startswith("2.25.")
            assert uid != slices[0][keyword].value

    def test_text_in_the_pixels_is_refused(self, slices: list[Dataset], tmp_path: Path) -> None:
        for dataset in slices:
            dataset.BurnedInAnnotation = "YES"
        volume = read_series(store_series(slices, tmp_path / "source"))
        with pytest.raises(CTError, match="burnt into their pixels"):
            write_series(volume, tmp_path / "out", description="x1", options=SeriesOptions(anonymize=True))
        assert not (tmp_path / "out").exists()


class TestRefusals:
    @pytest.mark.parametrize("option", [["--multi-frame"], ["--compress", "rle"], ["--anonymize"]])
    def test_forms_are_for_dicom_output(self, slices: list[Dataset], tmp_path: Path, capsys, option: list[str]) -> None:
        source = store_series(slices, tmp_path / "source")
        assert main(["enhance", str(source), str(tmp_path / "out.nii.gz"), "--progress", "none", *option]) == 1
        assert "is not DICOM" in capsys.readouterr().err
        assert not (tmp_path / "out.nii.gz").exists()

    def test_more_pixels_than_one_image_holds(self, slices: list[Dataset], tmp_path: Path) -> None:
        volume = read_series(store_series(slices, tmp_path / "source"))
        rows = LARGEST_BYTES // (6 * 128 * 2) + 1
        huge = Volume(np.broadcast_to(np.int16(0), (6, rows, 128)), volume.affine, header=volume.header)
        with pytest.raises(CTError, match="4 GiB"):
            write_series(huge, tmp_path / "out", description="x1", options=SeriesOptions(multi_frame=True))

    def test_what_is_not_installed_is_named_before_anything_is_done(
        self, slices: list[Dataset], tmp_path: Path, capsys, monkeypatch
    ) -> None:
        monkeypatch.setattr("ctsgan.dicom.options.find_spec", lambda name: None)
        source = store_series(slices, tmp_path / "source")
        assert main(["enhance", str(source), str(tmp_path / "out"), "--anonymize", "--progress", "none"]) == 1
        assert "ctsgan[dicom]" in capsys.readouterr().err
