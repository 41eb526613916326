"""A folder of CT slices becomes one volume in HU at its place, or a message that says why it cannot."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.encaps import encapsulate
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from ctsgan.dicom import list_series, read_series
from ctsgan.errors import CTError
from dicom.ct_series import as_multi_frame, itk_volume, set_stored, store_series

SYNTAXES = (
    ImplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLosslessSV1,
    JPEG2000Lossless,
)


def expected_hu(slices: list[Dataset]) -> np.ndarray:
    """HU of uncompressed slices from head to feet, ordered from feet to head."""
    stored = [np.frombuffer(dataset.PixelData, "<u2").reshape(128, 128) for dataset in slices]
    return np.stack(stored[::-1]).astype(int) - 1024


def test_the_real_series_is_read_as_simpleitk_reads_it(real_series: Path) -> None:
    volume = read_series(real_series)
    reference = itk_volume(volume.header["dicom_files"])
    assert volume.voxels.dtype == np.int16
    np.testing.assert_array_equal(volume.voxels, _voxels(reference))
    for index in ((0, 0, 0), (511, 0, 0), (0, 511, 0), (0, 0, 19), (100, 200, 10)):
        point = reference.TransformContinuousIndexToPhysicalPoint([float(i) for i in index])
        np.testing.assert_allclose((volume.affine @ [*index, 1])[:3], point, atol=1e-6)
    assert volume.slice_origins is None
    assert volume.header["window"] == (40.0, 300.0)


def _voxels(image: object) -> np.ndarray:
    import SimpleITK

    return SimpleITK.GetArrayFromImage(image)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
def test_every_encoding_gives_the_same_hu(slices: list[Dataset], tmp_path: Path, syntax: str) -> None:
    folder = store_series(slices, tmp_path / "series", syntax)
    assert dcmread(folder / "000").file_meta.TransferSyntaxUID == syntax
    volume = read_series(folder)
    np.testing.assert_array_equal(volume.voxels, expected_hu(slices))
    assert volume.voxels.dtype == np.int16


def test_jpeg_ls_gives_the_same_hu(slices: list[Dataset], tmp_path: Path) -> None:
    pytest.importorskip("jpeg_ls", reason="pyjpegls, which encodes JPEG-LS, is not installed")
    folder = store_series(slices, tmp_path / "series", JPEGLSLossless)
    np.testing.assert_array_equal(read_series(folder).voxels, expected_hu(slices))


def test_slices_are_ordered_by_position_not_by_name_or_number(slices: list[Dataset], tmp_path: Path) -> None:
    forward = read_series(store_series(slices, tmp_path / "forward"))
    for number, dataset in enumerate(slices):
        dataset.InstanceNumber = 100 - number
    shuffled = read_series(store_series([slices[i] for i in (3, 0, 5, 1, 4, 2)], tmp_path / "shuffled"))
    np.testing.assert_array_equal(shuffled.voxels, forward.voxels)
    np.testing.assert_array_equal(shuffled.affine, forward.affine)
    assert np.all(np.diff(forward.header["dicom_positions"][:, 2]) == 2.0)


class TestStoredValues:
    def test_signed_12_bits_are_extended(self, slices: list[Dataset], tmp_path: Path) -> None:
        hu = expected_hu(slices)[::-1].clip(-2048, 2047)
        for dataset, values in zip(slices, hu, strict=True):
            set_stored(dataset, values, signed=True, bits=12)
            dataset.RescaleIntercept = 0
        np.testing.assert_array_equal(read_series(store_series(slices, tmp_path / "s")).voxels, hu[::-1])

    def test_bits_above_bits_stored_are_not_part_of_the_value(self, slices: list[Dataset], tmp_path: Path) -> None:
        expected = expected_hu(slices)
        for dataset in slices:
            stored = np.frombuffer(dataset.PixelData, "<u2")
            dataset.BitsStored, dataset.HighBit = 12, 11
            dataset.PixelData = (stored | 0x5000).tobytes()
        np.testing.assert_array_equal(read_series(store_series(slices, tmp_path / "s")).voxels, expected)

    @pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEG2000Lossless], ids=lambda syntax: syntax.name)
    def test_half_hu_steps_stay_floats(self, slices: list[Dataset], tmp_path: Path, syntax: str) -> None:
        hu = expected_hu(slices) / 2.0
        for dataset in slices:
            dataset.RescaleSlope, dataset.RescaleIntercept = "0.5", "-512"
        volume = read_series(store_series(slices, tmp_path / "s", syntax))
        assert volume.voxels.dtype == np.float32
        np.testing.assert_array_equal(volume.voxels, hu)

    def test_each_slice_has_its_own_rescale(self, slices: list[Dataset], tmp_path: Path) -> None:
        expected = expected_hu(slices)
        for number, dataset in enumerate(slices):
            set_stored(dataset, expected[::-1][number] + 2000 + number)
            dataset.RescaleIntercept = -2000 - number
        np.testing.assert_array_equal(read_series(store_series(slices, tmp_path / "s")).voxels, expected)

    def test_values_beyond_int16_are_kept(self, slices: list[Dataset], tmp_path: Path) -> None:
        stored = expected_hu(slices)[::-1][2] + 1024
        stored[3, 4] = 65535
        set_stored(slices[2], stored)
        volume = read_series(store_series(slices, tmp_path / "s"))
        assert volume.voxels.dtype == np.int32
        assert volume.voxels[3, 3, 4] == 65535 - 1024
        np.testing.assert_array_equal(volume.voxels[4:], expected_hu(slices)[4:])

    def test_padding_keeps_its_rescaled_value(self, slices: list[Dataset], tmp_path: Path) -> None:
        hu = expected_hu(slices)[::-1]
        hu[:, :10] = -2000
        for dataset, values in zip(slices, hu, strict=True):
            set_stored(dataset, values, signed=True)
            dataset.RescaleIntercept = -10
            dataset.add_new("PixelPaddingValue", "SS", -2000)
        assert np.all(read_series(store_series(slices, tmp_path / "s")).voxels[:, :10] == -2010)


class TestPlaces:
    def test_gantry_tilt_leaves_a_sheared_affine(self, slices: list[Dataset], tmp_path: Path) -> None:
        for dataset in slices:
            x, y, z = dataset.ImagePositionPatient
            dataset.ImagePositionPatient = [x, y + 0.25 * z, z]
        volume = read_series(store_series(slices, tmp_path / "s"))
        np.testing.assert_allclose(volume.affine[:3, 2], [0.0, 0.5, 2.0], atol=1e-9)
        assert volume.slice_origins is None

    def test_uneven_slices_keep_their_places(self, slices: list[Dataset], tmp_path: Path) -> None:
        heights = [0.0, 2.0, 4.0, 6.0, 9.0, 12.0]
        for dataset, height in zip(slices, heights, strict=True):
            dataset.ImagePositionPatient[2] = height
        volume = read_series(store_series(slices, tmp_path / "s"))
        np.testing.assert_array_equal(volume.slice_origins[:, 2], heights)
        np.testing.assert_allclose(volume.affine[:3, 2], [0.0, 0.0, 2.4])

    def test_rounded_positions_are_even(self, slices: list[Dataset], tmp_path: Path) -> None:
        for number, dataset in enumerate(slices):
            dataset.ImagePositionPatient[2] = round(number * 0.6667, 2)
        assert read_series(store_series(slices, tmp_path / "s")).slice_origins is None

    def test_pixel_spacing_is_rows_before_columns(self, slices: list[Dataset], tmp_path: Path) -> None:
        for dataset in slices:
            dataset.PixelSpacing = [0.5, 0.75]
            dataset.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
            dataset.ImagePositionPatient = [dataset.ImagePositionPatient[2], 0, 0]
        volume = read_series(store_series(slices, tmp_path / "s"))
        np.testing.assert_allclose(volume.affine[:3, 0], [0.0, 0.75, 0.0])
        np.testing.assert_allclose(volume.affine[:3, 1], [0.0, 0.0, -0.5])
        np.testing.assert_allclose(volume.affine[:3, 2], [-2.0, 0.0, 0.0])

    def test_a_single_slice_is_as_thick_as_it_says(self, slices: list[Dataset], tmp_path: Path) -> None:
        folder = store_series(slices[:1], tmp_path / "s")
        assert read_series(folder).voxels.shape == (1, 128, 128)
        np.testing.assert_allclose(read_series(folder).spacing_mm, [0.9765625, 0.9765625, 3.0])
        np.testing.assert_array_equal(read_series(folder / "000").voxels, read_series(folder).voxels)

    @settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        angles=st.tuples(*[st.floats(-3.0, 3.0)] * 3),
        spacing=st.tuples(*[st.floats(0.1, 8.0)] * 3),
        origin=st.tuples(*[st.floats(-900.0, 900.0)] * 3),
    )
    def test_any_orientation_lies_where_simpleitk_puts_it(
        self, slices: list[Dataset], tmp_path: Path, angles: tuple, spacing: tuple, origin: tuple
    ) -> None:
        shutil.rmtree(tmp_path / "s", ignore_errors=True)
        rotation = np.eye(3)
        for axis, angle in enumerate(angles):
            turn = np.eye(3)
            others = [other for other in range(3) if other != axis]
            turn[np.ix_(others, others)] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
            rotation = rotation @ turn
        for number, dataset in enumerate(slices[:3]):
            dataset.PixelSpacing = [f"{spacing[0]:.8f}", f"{spacing[1]:.8f}"]
            dataset.ImageOrientationPatient = [f"{cosine:.10f}" for cosine in rotation[:, :2].T.ravel()]
            place = np.array(origin) + number * spacing[2] * rotation[:, 2]
            dataset.ImagePositionPatient = [f"{coordinate:.8f}" for coordinate in place]
        volume = read_series(store_series(slices[:3], tmp_path / "s"))
        reference = itk_volume(volume.header["dicom_files"])
        for index in ((0, 0, 0), (127, 0, 0), (0, 127, 2), (127, 127, 1)):
            point = reference.TransformContinuousIndexToPhysicalPoint([float(i) for i in index])
            np.testing.assert_allclose((volume.affine @ [*index, 1])[:3], point, atol=1e-3)


class TestWhatIsNotOneStack:
    def test_missing_slices_are_named(self, slices: list[Dataset], tmp_path: Path) -> None:
        folder = store_series(slices[:2] + slices[4:], tmp_path / "s")
        with pytest.raises(CTError, match=r"2 slices are missing \(at -772.50, -770.50 mm\)"):
            read_series(folder)
        volume = read_series(folder, force=True)
        np.testing.assert_array_equal(volume.slice_origins[:, 2], [-776.5, -774.5, -768.5, -766.5])

    def test_a_position_that_occurs_twice_is_named(self, slices: list[Dataset], tmp_path: Path) -> None:
        second_phase = copy.deepcopy(slices[2:4])
        for dataset in second_phase:
            dataset.SOPInstanceUID = generate_uid()
        with pytest.raises(CTError, match=r"2 positions hold more than one slice \(at -772.50, -770.50 mm\)"):
            read_series(store_series(slices + second_phase, tmp_path / "s"), force=True)

    @pytest.mark.parametrize(
        ("keyword", "value"),
        [
            ("ImageOrientationPatient", [0, 1, 0, 0, 0, -1]),
            ("PixelSpacing", [0.5, 0.5]),
            ("Rows", 64),
        ],
    )
    def test_mixed_slices_are_refused(self, slices: list[Dataset], tmp_path: Path, keyword: str, value: object) -> None:
        setattr(slices[3], keyword, value)
        if keyword == "Rows":
            slices[3].PixelData = slices[3].PixelData[: 64 * 128 * 2]
        with pytest.raises(CTError, match=f"several .*{keyword}"):
            read_series(store_series(slices, tmp_path / "s"))

    @pytest.mark.parametrize(
        "keyword",
        ["ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "RescaleSlope", "BitsAllocated"],
    )
    def test_a_missing_attribute_is_named(self, slices: list[Dataset], tmp_path: Path, keyword: str) -> None:
        folder = store_series(slices, tmp_path / "s")
        damaged = dcmread(folder / "003")
        delattr(damaged, keyword)
        damaged.save_as(folder / "003")
        with pytest.raises(CTError, match=f"{keyword}.* 003"):
            read_series(folder)

    def test_numbers_that_are_none_are_named(self, slices: list[Dataset], tmp_path: Path) -> None:
        slices[1].ImagePositionPatient = [0, 0]
        with pytest.raises(CTError, match="ImagePositionPatient in 001 is not 3 numbers"):
            read_series(store_series(slices, tmp_path / "s"))

    def test_directions_must_be_at_right_angles(self, slices: list[Dataset], tmp_path: Path) -> None:
        for dataset in slices:
            dataset.ImageOrientationPatient = [1, 0, 0, 1, 0, 0]
        with pytest.raises(CTError, match="ImageOrientationPatient"):
            read_series(store_series(slices, tmp_path / "s"))

    @pytest.mark.parametrize("keyword", ["PatientID", "StudyInstanceUID", "FrameOfReferenceUID"])
    def test_mixed_patients_and_studies_are_refused_without_naming_them(
        self, slices: list[Dataset], tmp_path: Path, keyword: str
    ) -> None:
        setattr(slices[0], keyword, "1.2.3")
        with pytest.raises(CTError, match=keyword) as caught:
            read_series(store_series(slices, tmp_path / "s"))
        assert "1.2.3" not in str(caught.value)
        assert "SECRET" not in str(caught.value).upper()

    def test_colour_is_refused(self, slices: list[Dataset], tmp_path: Path) -> None:
        slices[0].SamplesPerPixel, slices[0].PhotometricInterpretation = 3, "RGB"
        with pytest.raises(CTError, match="SamplesPerPixel 3"):
            read_series(store_series(slices, tmp_path / "s"))


class TestWhatIsNotCT:
    def test_the_modality_that_was_seen_is_named(self, slices: list[Dataset], tmp_path: Path) -> None:
        for dataset in slices:
            dataset.Modality = "MR"
        folder = store_series(slices, tmp_path / "s")
        with pytest.raises(CTError, match="not CT but MR"):
            read_series(folder)
        np.testing.assert_array_equal(read_series(folder, force=True).voxels, expected_hu(slices))

    def test_values_that_are_not_hu_are_refused(self, slices: list[Dataset], tmp_path: Path) -> None:
        for dataset in slices:
            dataset.RescaleType = "Z_EFF"
        with pytest.raises(CTError, match="RescaleType is Z_EFF"):
            read_series(store_series(slices, tmp_path / "s"))

    def test_forced_slices_without_rescale_are_their_stored_values(self, slices: list[Dataset], tmp_path: Path) -> None:
        for dataset in slices:
            del dataset.RescaleSlope, dataset.RescaleIntercept
        volume = read_series(store_series(slices, tmp_path / "s"), force=True)
        np.testing.assert_array_equal(volume.voxels, expected_hu(slices) + 1024)


class TestFolders:
    @pytest.fixture
    def two(self, slices: list[Dataset], tmp_path: Path) -> Path:
        """Series 5 with six slices and series 6 with three."""
        store_series(slices, tmp_path / "s")
        for dataset in slices:
            dataset.SeriesInstanceUID, dataset.SeriesNumber, dataset.SeriesDescription = "1.2.3.4", 6, "lung"
        return store_series(slices[:3], tmp_path / "s")

    def test_one_of_several_series_must_be_chosen(self, two: Path) -> None:
        with pytest.raises(CTError, match=r"2 series.*--series.*number 5.*6 slices.*1.2.3.4 \(number 6, lung, CT, 3"):
            read_series(two)

    @pytest.mark.parametrize("choice", ["6", 6, "1.2.3.4"])
    def test_a_series_is_chosen_by_number_or_uid(self, two: Path, choice: str | int) -> None:
        volume = read_series(two, series=choice)
        assert len(volume.voxels) == 3
        assert volume.header["series_uid"] == "1.2.3.4"

    def test_a_series_that_is_not_there_is_refused(self, two: Path) -> None:
        with pytest.raises(CTError, match="no series 7; choose with --series from"):
            read_series(two, series="7")

    def test_series_are_listed(self, two: Path) -> None:
        assert [(found.number, found.slices) for found in list_series(two)] == [("5", 6), ("6", 3)]

    def test_the_only_ct_among_other_modalities_is_taken(self, two: Path, slices: list[Dataset]) -> None:
        for path in two.iterdir():
            dataset = dcmread(path)
            if dataset.SeriesNumber == 6:
                dataset.Modality = "PT"
                dataset.save_as(path)
        assert len(read_series(two).voxels) == 6

    def test_localizers_are_no_part_of_a_volume(self, slices: list[Dataset], tmp_path: Path) -> None:
        slices[0].ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        slices[0].ImageOrientationPatient = [0, 1, 0, 0, 0, -1]
        assert len(read_series(store_series(slices, tmp_path / "s")).voxels) == 5
        with pytest.raises(CTError, match="only localizers"):
            read_series(store_series(slices[:1], tmp_path / "only"))

    def test_other_files_are_passed_over(self, slices: list[Dataset], tmp_path: Path) -> None:
        folder = store_series(slices[:3], tmp_path / "s")
        store_series(slices[3:], folder / "deeper")
        (folder / "notes.txt").write_text("not DICOM")
        (folder / "empty").touch()
        (folder / "DICOMDIR").write_bytes((folder / "000").read_bytes())
        report = dcmread(folder / "000")
        for keyword in ("Rows", "Columns", "PixelData"):
            delattr(report, keyword)
        report.SOPClassUID, report.Modality, report.SeriesInstanceUID = "1.2.840.10008.5.1.4.1.1.88.67", "SR", "1.2.9"
        report.save_as(folder / "report")
        assert len(read_series(folder).voxels) == 6

    def test_files_without_a_preamble_are_read(self, slices: list[Dataset], tmp_path: Path) -> None:
        folder = store_series(slices, tmp_path / "s")
        for path in folder.iterdir():
            path.write_bytes(path.read_bytes()[132:])
        np.testing.assert_array_equal(read_series(folder).voxels, expected_hu(slices))

    def test_a_folder_without_dicom_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(CTError, match="no DICOM images"):
            read_series(tmp_path)
        with pytest.raises(CTError, match="not there"):
            read_series(tmp_path / "nowhere")


class TestDamage:
    @pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.name)
    @pytest.mark.parametrize("lost", [64, 5000])
    def test_a_truncated_file_is_named(self, slices: list[Dataset], tmp_path: Path, syntax: str, lost: int) -> None:
        folder = store_series(slices, tmp_path / "s", syntax)
        content = (folder / "002").read_bytes()
        (folder / "002").write_bytes(content[:-lost])
        with pytest.raises(CTError, match="002"):
            read_series(folder)

    @pytest.mark.parametrize("syntax", [RLELossless, JPEGLosslessSV1, JPEG2000Lossless], ids=lambda syntax: syntax.name)
    def test_a_truncated_frame_is_named(self, slices: list[Dataset], tmp_path: Path, syntax: str) -> None:
        from pydicom.encaps import get_frame

        folder = store_series(slices, tmp_path / "s", syntax)
        dataset = dcmread(folder / "002")
        frame = get_frame(dataset.PixelData, 0, number_of_frames=1)
        dataset.PixelData = encapsulate([frame[: len(frame) // 4 * 2]])
        dataset.save_as(folder / "002")
        with pytest.raises(CTError, match="002"):
            read_series(folder)

    def test_too_few_pixels_are_named(self, slices: list[Dataset], tmp_path: Path) -> None:
        folder = store_series(slices, tmp_path / "s")
        dataset = dcmread(folder / "002")
        dataset.PixelData = dataset.PixelData[:-2000]
        dataset.save_as(folder / "002")
        with pytest.raises(CTError, match="pixel data of 002 is truncated"):
            read_series(folder)

    def test_an_encoding_that_nothing_decodes_is_named(self, slices: list[Dataset], tmp_path: Path) -> None:
        folder = store_series(slices, tmp_path / "s", JPEG2000Lossless)
        for path in folder.iterdir():
            dataset = dcmread(path)
            dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.102"
            dataset.save_as(path)
        with pytest.raises(CTError, match=r"MPEG-4 AVC.*1\.2\.840\.10008\.1\.2\.4\.102"):
            read_series(folder)


class TestMultiFrame:
    @pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, JPEG2000Lossless], ids=lambda syntax: syntax.name)
    def test_frames_are_slices(self, slices: list[Dataset], tmp_path: Path, syntax: str) -> None:
        classic = read_series(store_series(slices, tmp_path / "classic"))
        volume = read_series(store_series([as_multi_frame(slices)], tmp_path / "s", syntax))
        np.testing.assert_array_equal(volume.voxels, classic.voxels)
        np.testing.assert_array_equal(volume.affine, classic.affine)
        assert volume.header["dicom_frames"] == [5, 4, 3, 2, 1, 0]
        assert volume.header["window"] == classic.header["window"]

    def test_frames_may_differ_in_rescale(self, slices: list[Dataset], tmp_path: Path) -> None:
        expected = expected_hu(slices)
        set_stored(slices[1], expected[4] + 1500)
        image = as_multi_frame(slices)
        shared = image.SharedFunctionalGroupsSequence[0]
        for number, groups in enumerate(image.PerFrameFunctionalGroupsSequence):
            groups.PixelValueTransformationSequence = copy.deepcopy(shared.PixelValueTransformationSequence)
            if number == 1:
                groups.PixelValueTransformationSequence[0].RescaleIntercept = -1500
        del shared.PixelValueTransformationSequence
        np.testing.assert_array_equal(read_series(store_series([image], tmp_path / "s")).voxels, expected)
