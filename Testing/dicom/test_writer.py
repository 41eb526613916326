"""An enhanced volume becomes a derived CT series: same patient, same place, whole HU, valid DICOM."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless

from ctsgan import __version__
from ctsgan.dicom import read_series, write_series
from ctsgan.errors import CTError
from ctsgan.geometry import cropped_affine
from ctsgan.io.series import SeriesOptions
from ctsgan.volume import Volume
from dicom.ct_series import REFERENCES, as_multi_frame, itk_volume, store_series
from dicom.validators import errors


def twice_as_fine(volume: Volume) -> Volume:
    """Each pixel as four of half its size."""
    return volume.upscaled(volume.voxels.repeat(2, axis=1).repeat(2, axis=2), 2)


def files_of(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


@pytest.fixture
def source(slices: list[Dataset], tmp_path: Path) -> Volume:
    return read_series(store_series(slices, tmp_path / "source"))


@pytest.fixture
def written(source: Volume, tmp_path: Path) -> Dataset:
    """The first slice of the source at twice the resolution."""
    folder = write_series(
        twice_as_fine(source), tmp_path / "out", description="enhanced x2", derivation="model light, strength low"
    )
    return dcmread(files_of(folder)[0])


class TestPlace:
    def same_place(self, volume: Volume, folder: Path) -> None:
        """What is written is read again with the same voxels within a thousandth of a millimetre."""
        again = read_series(folder)
        np.testing.assert_array_equal(again.voxels, volume.voxels)
        np.testing.assert_allclose(again.affine, volume.affine, atol=1e-6)
        if volume.slice_origins is None:
            assert again.slice_origins is None
        else:
            np.testing.assert_allclose(again.slice_origins, volume.slice_origins, atol=1e-6)

    def test_finer_pixels_cover_what_the_source_covers(self, source: Volume, tmp_path: Path) -> None:
        volume = twice_as_fine(source)
        folder = write_series(volume, tmp_path / "out", description="x2")
        self.same_place(volume, folder)
        fine, coarse = itk_volume(files_of(folder)), itk_volume(source.header["dicom_files"])
        for corner in ((-0.5, -0.5, 0.0), (127.5, -0.5, 3.0), (-0.5, 127.5, 5.0)):
            finer = (2 * corner[0] + 0.5, 2 * corner[1] + 0.5, corner[2])
            np.testing.assert_allclose(
                fine.TransformContinuousIndexToPhysicalPoint(finer),
                coarse.TransformContinuousIndexToPhysicalPoint(corner),
                atol=1e-3,
            )

    def test_a_tilted_gantry_stays_tilted(self, slices: list[Dataset], tmp_path: Path) -> None:
        for dataset in slices:
            x, y, z = dataset.ImagePositionPatient
            dataset.ImagePositionPatient = [x, y + 0.2679 * z, z]
        volume = twice_as_fine(read_series(store_series(slices, tmp_path / "source")))
        self.same_place(volume, write_series(volume, tmp_path / "out", description="x2"))

    def test_uneven_slices_stay_uneven(self, slices: list[Dataset], tmp_path: Path) -> None:
        for dataset, height in zip(slices, [0.0, 2.0, 4.0, 6.0, 9.0, 12.0], strict=True):
            dataset.ImagePositionPatient[2] = height
        volume = twice_as_fine(read_series(store_series(slices, tmp_path / "source")))
        assert volume.slice_origins is not None
        self.same_place(volume, write_series(volume, tmp_path / "out", description="x2"))

    def test_an_oblique_series_with_odd_numbers_fits_decimal_strings(
        self, slices: list[Dataset], tmp_path: Path
    ) -> None:
        c, s = np.cos(0.3), np.sin(0.3)
        for number, dataset in enumerate(slices):
            dataset.PixelSpacing = ["0.7031253", "0.3333333"]
            dataset.ImageOrientationPatient = [f"{value:.10f}" for value in (c, s, 0, 0, 0, -1)]
            dataset.ImagePositionPatient = [f"{value:.8f}" for value in (-100 - number * s, 7 + number * c, 1 / 3)]
        volume = twice_as_fine(read_series(store_series(slices, tmp_path / "source")))
        folder = write_series(volume, tmp_path / "out", description="x2")
        self.same_place(volume, folder)
        first = dcmread(files_of(folder)[0])
        for keyword in ("PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient"):
            assert all(len(str(value)) <= 16 for value in first[keyword].value)

    def test_a_part_of_the_source_refers_to_its_slices(self, source: Volume, tmp_path: Path) -> None:
        part = replace(
            source,
            voxels=np.ascontiguousarray(source.voxels[2:4, 10:50, 20:100]),
            affine=cropped_affine(source.affine, (20, 10, 2)),
        )
        folder = write_series(part, tmp_path / "out", description="part")
        self.same_place(part, folder)
        for path, origin in zip(files_of(folder), source.header["dicom_files"][2:4], strict=True):
            image, original = dcmread(path), dcmread(origin)
            assert image.SourceImageSequence[0].ReferencedSOPInstanceUID == original.SOPInstanceUID
            assert image.InstanceNumber == original.InstanceNumber
            assert "ReconstructionDiameter" not in image

    def test_floats_are_rounded(self, source: Volume, tmp_path: Path) -> None:
        volume = replace(source, voxels=source.voxels + np.float32(0.4))
        folder = write_series(volume, tmp_path / "out", description="x1")
        np.testing.assert_array_equal(read_series(folder).voxels, source.voxels)


class TestAttributes:
    def test_it_is_a_new_series_of_the_same_study(self, written: Dataset, source: Volume) -> None:
        original = dcmread(source.header["dicom_files"][0])
        for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID", "StudyDate", "KVP"):
            assert written[keyword] == original[keyword]
        for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
            assert written[keyword].value.startswith("2.25.")
        assert written.SOPClassUID == CTImageStorage
        assert written.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert written.SeriesNumber == 1005
        assert written.SeriesDescription == "CT Body 3.0 enhanced x2"
        assert written.SeriesDate + written.SeriesTime > original.SeriesDate + original.SeriesTime
        assert written.AcquisitionDate == original.AcquisitionDate

    def test_it_says_what_it_was_made_from_and_how(self, written: Dataset, source: Volume) -> None:
        original = dcmread(source.header["dicom_files"][0])
        assert written.ImageType == ["DERIVED", "SECONDARY", "AXIAL"]
        assert written.DerivationDescription == f"CTsGANEnhance {__version__}: model light, strength low"
        assert written.DerivationCodeSequence[0].CodeValue == "113085"
        reference = written.SourceImageSequence[0]
        assert reference.ReferencedSOPInstanceUID == original.SOPInstanceUID
        assert reference.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
        equipment = written.ContributingEquipmentSequence[-1]
        assert equipment.PurposeOfReferenceCodeSequence[0].CodeValue == "109102"
        assert equipment.SoftwareVersions == __version__

    def test_the_pixels_are_hu(self, written: Dataset) -> None:
        assert (written.RescaleSlope, written.RescaleIntercept, written.RescaleType) == (1, 0, "HU")
        assert (written.BitsAllocated, written.BitsStored, written.HighBit, written.PixelRepresentation) == (
            16,
            16,
            15,
            1,
        )
        assert (written.Rows, written.Columns) == (256, 256)
        assert list(written.WindowCenter) == [40, 300]

    def test_nothing_private_or_stale_is_handed_on(self, written: Dataset) -> None:
        def private(dataset: Dataset) -> list[object]:
            found = [element.tag for element in dataset if element.tag.is_private]
            return found + [tag for e in dataset if e.VR == "SQ" for item in e.value for tag in private(item)]

        assert private(written) == []
        for keyword in ("SmallestImagePixelValue", "LargestImagePixelValue", "PixelPaddingValue", *REFERENCES[:3]):
            assert keyword not in written

    def test_pixels_of_the_same_size_are_not_called_resampled(self, source: Volume, tmp_path: Path) -> None:
        image = dcmread(files_of(write_series(source, tmp_path / "out", description="x1"))[0])
        assert image.DerivationCodeSequence[0].CodeValue == "113086"

    def test_a_window_is_given_where_the_source_has_none(self, slices: list[Dataset], tmp_path: Path) -> None:
        for dataset in slices:
            del dataset.WindowCenter, dataset.WindowWidth
        volume = read_series(store_series(slices, tmp_path / "source"))
        image = dcmread(files_of(write_series(volume, tmp_path / "out", description="x1"))[0])
        assert (image.WindowCenter, image.WindowWidth) == (40, 400)

    def test_what_was_lossy_stays_lossy(self, slices: list[Dataset], tmp_path: Path) -> None:
        for dataset in slices:
            dataset.LossyImageCompression, dataset.LossyImageCompressionRatio = "01", "8.5"
            dataset.LossyImageCompressionMethod = "ISO_15444_1"
        volume = read_series(store_series(slices, tmp_path / "source"))
        image = dcmread(files_of(write_series(volume, tmp_path / "out", description="x1"))[0])
        assert (image.LossyImageCompression, image.LossyImageCompressionRatio) == ("01", 8.5)
        assert image.LossyImageCompressionMethod == "ISO_15444_1"

    def test_names_in_any_script_survive(self, slices: list[Dataset], tmp_path: Path) -> None:
        for dataset in slices:
            dataset.PatientName = "Müller^Jörg"
        volume = read_series(store_series(slices, tmp_path / "source", ImplicitVRLittleEndian))
        for number, description in enumerate(("plain", "schärfer 清晰")):
            folder = write_series(volume, tmp_path / f"out{number}", description=description)
            image = dcmread(files_of(folder)[0])
            assert image.PatientName == "Müller^Jörg"
            assert image.SeriesDescription.endswith(description)

    def test_long_descriptions_are_cut_to_what_the_attributes_hold(self, source: Volume, tmp_path: Path) -> None:
        folder = write_series(source, tmp_path / "out", description="d" * 80, derivation="e" * 2000)
        image = dcmread(files_of(folder)[0])
        assert len(image.SeriesDescription) == 64
        assert len(image.DerivationDescription) == 1024

    def test_numbers_out_of_form_in_the_source_are_mended_or_dropped(
        self, slices: list[Dataset], tmp_path: Path
    ) -> None:
        for dataset in slices:
            dataset.DistanceSourceToPatient, dataset.Exposure = "595.000000000001", 987654
        folder = store_series(slices, tmp_path / "source")
        for path in folder.iterdir():
            content = path.read_bytes()
            for good, bad in (
                (b"1085.6", b"1o85,6"),
                (b"987654", b"98.7.4"),
                (b"\x10\x00595.000000000001", b"\x12\x00595.00000000000123"),
            ):
                assert good in content
                content = content.replace(good, bad)
            path.write_bytes(content)
        out = write_series(read_series(folder), tmp_path / "out", description="x1")
        image = dcmread(files_of(out)[0])
        assert "DistanceSourceToDetector" not in image
        assert "Exposure" not in image
        assert len(str(image.DistanceSourceToPatient)) <= 16
        assert image.DistanceSourceToPatient == pytest.approx(595.0)
        assert errors("dciodvfy", files_of(out)[:1]) == []

    def test_times_are_in_the_time_zone_of_the_source(self, slices: list[Dataset], tmp_path: Path) -> None:
        for dataset in slices:
            dataset.TimezoneOffsetFromUTC = "-1100"
        volume = read_series(store_series(slices, tmp_path / "source"))
        west = dcmread(files_of(write_series(volume, tmp_path / "out", description="x1"))[0])
        for dataset in slices:
            dataset.TimezoneOffsetFromUTC = "+1400"
        volume = read_series(store_series(slices, tmp_path / "source2"))
        east = dcmread(files_of(write_series(volume, tmp_path / "out2", description="x1"))[0])
        assert east.SeriesDate > west.SeriesDate


class TestMultiFrameSource:
    def test_frames_become_single_images(self, slices: list[Dataset], tmp_path: Path) -> None:
        folder = store_series([as_multi_frame(slices)], tmp_path / "source", JPEG2000Lossless)
        volume = twice_as_fine(read_series(folder))
        out = write_series(volume, tmp_path / "out", description="x2")
        again = read_series(out)
        np.testing.assert_array_equal(again.voxels, volume.voxels)
        np.testing.assert_allclose(again.affine, volume.affine, atol=1e-6)
        images = [dcmread(path) for path in files_of(out)]
        assert [image.SourceImageSequence[0].ReferencedFrameNumber for image in images] == [6, 5, 4, 3, 2, 1]
        assert [image.InstanceNumber for image in images] == [1, 2, 3, 4, 5, 6]
        assert images[0].KVP == 120
        assert errors("dciodvfy", files_of(out)[:1]) == []


class TestValidators:
    def test_dciodvfy_finds_no_error_in_the_enhanced_real_series(self, real_series: Path, tmp_path: Path) -> None:
        volume = twice_as_fine(read_series(real_series))
        folder = write_series(volume, tmp_path / "out", description="enhanced x2", derivation="model light")
        assert len(files_of(folder)) == 20
        for path in files_of(folder)[::6]:
            assert errors("dciodvfy", [path]) == []
        assert errors("dcentvfy", files_of(folder)) == []

    @pytest.mark.parametrize("part", [None, "CHEST", "KNEE"])
    def test_dciodvfy_agrees_whatever_the_body_part(
        self, slices: list[Dataset], tmp_path: Path, part: str | None
    ) -> None:
        dataset = slices[0]
        dataset.Laterality = ""
        dataset.BodyPartExamined = part
        volume = read_series(store_series([dataset], tmp_path / "source"))
        assert errors("dciodvfy", files_of(write_series(volume, tmp_path / "out", description="x1"))) == []

    def test_an_identity_removed_nobody_says_how_is_valid(self, slices: list[Dataset], tmp_path: Path) -> None:
        dataset = slices[0]
        dataset.PatientIdentityRemoved, dataset.DeidentificationMethod = "YES", ""
        volume = read_series(store_series([dataset], tmp_path / "source"))
        files = files_of(write_series(volume, tmp_path / "out", description="x1"))
        assert errors("dciodvfy", files) == []
        assert dcmread(files[0]).DeidentificationMethod == "Not stated by the source images"

    def test_dcentvfy_finds_source_and_output_consistent(self, source: Volume, tmp_path: Path) -> None:
        folder = write_series(twice_as_fine(source), tmp_path / "out", description="enhanced x2")
        assert errors("dcentvfy", [*source.header["dicom_files"], *files_of(folder)]) == []


class TestWithoutDicomSource:
    NEW_STUDY = SeriesOptions(new_study=True)

    @pytest.fixture
    def foreign(self, source: Volume) -> Volume:
        """The voxels and place of the source, read from a format that knows nothing else."""
        return Volume(source.voxels, source.affine)

    def test_it_is_a_study_of_its_own_without_a_patient(self, foreign: Volume, tmp_path: Path) -> None:
        folder = write_series(foreign, tmp_path / "out", description="enhanced", options=self.NEW_STUDY)
        files = [dcmread(path) for path in files_of(folder)]
        assert (
            len({(image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID) for image in files}) == 1
        )
        assert all(str(image.PatientName) == image.PatientID == "" for image in files)
        assert "SourceImageSequence" not in files[0]
        assert [image.InstanceNumber for image in files] == list(range(1, len(files) + 1))

    def test_it_is_read_in_the_same_place(self, foreign: Volume, tmp_path: Path) -> None:
        again = read_series(write_series(foreign, tmp_path / "out", description="enhanced", options=self.NEW_STUDY))
        np.testing.assert_array_equal(again.voxels, foreign.voxels)
        np.testing.assert_allclose(again.affine, foreign.affine, atol=1e-6)

    @pytest.mark.parametrize("multi_frame", [False, True])
    def test_dciodvfy_finds_no_error(self, foreign: Volume, tmp_path: Path, multi_frame: bool) -> None:
        options = SeriesOptions(new_study=True, multi_frame=multi_frame)
        files = files_of(write_series(foreign, tmp_path / "out", description="enhanced", options=options))
        assert errors("dciodvfy", [files[0]]) == []
        assert errors("dcentvfy", files) == []


class TestRefusals:
    def test_a_volume_that_is_not_from_dicom(self, tmp_path: Path) -> None:
        with pytest.raises(CTError, match="needs a DICOM input"):
            write_series(Volume(np.zeros((2, 4, 4), np.int16), np.eye(4)), tmp_path / "out", description="x1")

    def test_a_source_that_is_not_ct(self, slices: list[Dataset], tmp_path: Path) -> None:
        for dataset in slices:
            dataset.Modality = "MR"
        volume = read_series(store_series(slices, tmp_path / "source"), force=True)
        with pytest.raises(CTError, match="DICOM output is for CT"):
            write_series(volume, tmp_path / "out", description="x1")

    @pytest.mark.parametrize("value", [32768.0, -32769.0, np.nan])
    def test_values_beyond_int16_and_nothing_is_left(self, source: Volume, tmp_path: Path, value: float) -> None:
        voxels = source.voxels.astype(np.float32)
        voxels[-1, 0, 0] = value
        with pytest.raises(CTError, match="-32768 to 32767 HU"):
            write_series(replace(source, voxels=voxels), tmp_path / "out", description="x1")
        assert [path.name for path in tmp_path.iterdir()] == ["source"]

    def test_an_output_that_exists(self, source: Volume, tmp_path: Path) -> None:
        first = write_series(source, tmp_path / "out", description="x1")
        with pytest.raises(CTError):
            write_series(source, first, description="x1")
        write_series(twice_as_fine(source), first, description="x2", overwrite=True)
        assert read_series(first).voxels.shape == (6, 256, 256)

    def test_an_output_that_would_replace_its_input(self, source: Volume) -> None:
        before = {path: path.read_bytes() for path in files_of(source.source)}
        with pytest.raises(CTError, match="holds the input"):
            write_series(source, source.source, description="x1", overwrite=True)
        assert {path: path.read_bytes() for path in files_of(source.source)} == before

    def test_a_source_that_is_gone(self, source: Volume, tmp_path: Path) -> None:
        source.header["dicom_files"][3].unlink()
        with pytest.raises(CTError, match="cannot be read now"):
            write_series(source, tmp_path / "out", description="x1")
        assert not (tmp_path / "out").exists()


def test_the_source_is_left_as_it_was(source: Volume, tmp_path: Path) -> None:
    before = copy.deepcopy(source)
    write_series(source, tmp_path / "out", description="x1")
    np.testing.assert_array_equal(source.voxels, before.voxels)
    assert source.header["dicom_files"] == before.header["dicom_files"]
