"""CT images cut from real slices, to be changed as a test needs, and an independent reading of them."""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK
from pydicom import Dataset, dcmread
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    JPEGLosslessSV1,
    generate_uid,
)

SERIES = Path(__file__).parents[2] / "data/totalsegmentator-2.18.0/tests/reference_files/example_ct_dicom"

REFERENCES = (
    "ReferencedStudySequence",
    "ReferencedPerformedProcedureStepSequence",
    "ReferencedImageSequence",
    "SourceImageSequence",
)


def itk_volume(files: Sequence[Path]) -> SimpleITK.Image:
    """SimpleITK's reading of slices in the given order, for comparison."""
    reader = SimpleITK.ImageSeriesReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileNames([str(path) for path in files])
    return reader.Execute()


def set_stored(dataset: Dataset, values: np.ndarray, *, signed: bool = False, bits: int = 16) -> None:
    """Make ``values`` the stored values of an image."""
    dataset.Rows, dataset.Columns = values.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, bits, bits - 1
    dataset.PixelRepresentation = int(signed)
    dataset.add_new("PixelData", "OW", (values.astype(np.int64) & (2**bits - 1)).astype("<u2").tobytes())


def jpeg_lossless(values: np.ndarray, folder: Path) -> bytes:
    """One slice as a lossless JPEG stream, by GDCM."""
    path = folder / "jpeg.dcm"
    writer = SimpleITK.ImageFileWriter()
    writer.SetImageIO("GDCMImageIO")
    writer.UseCompressionOn()
    writer.SetCompressor("JPEG")
    writer.SetFileName(str(path))
    writer.Execute(SimpleITK.GetImageFromArray(values.astype(np.uint16)))
    dataset = dcmread(path)
    path.unlink()
    assert dataset.file_meta.TransferSyntaxUID == JPEGLosslessSV1
    return dataset.PixelData


@functools.cache
def cut_slices() -> tuple[Dataset, ...]:
    """Six neighbouring slices of 128 x 128 real pixels, 2 mm apart and from head to feet, uncompressed."""
    study, series = generate_uid(), generate_uid()
    slices = []
    for path in sorted(SERIES.iterdir())[:6]:
        dataset = dcmread(path)
        hu = SimpleITK.GetArrayFromImage(itk_volume([path]))[0, 200:328, 180:308]
        for keyword in REFERENCES:
            delattr(dataset, keyword)
        dataset.SOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID, dataset.SeriesNumber = study, series, 5
        dataset.PatientID, dataset.PatientName = "SECRET-ID", "Secret^Name"
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        set_stored(dataset, hu + 1024)
        slices.append(dataset)
    return tuple(slices)


def store_series(datasets: Sequence[Dataset], folder: Path, syntax: UID = ExplicitVRLittleEndian) -> Path:
    """Write data sets as files 000, 001, ... in one transfer syntax; gives the folder."""
    folder.mkdir(exist_ok=True)
    for dataset in datasets:
        dataset = copy.deepcopy(dataset)
        stored = np.frombuffer(dataset.PixelData, "<u2").reshape(-1, dataset.Columns)
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        if syntax == ExplicitVRBigEndian:
            dataset = _fresh(dataset)
            dataset.PixelData = stored.astype(">u2").tobytes()
        if syntax == JPEGLosslessSV1:
            dataset.PixelData = jpeg_lossless(stored, folder)
        if syntax.is_encapsulated and syntax != JPEGLosslessSV1:
            dataset.compress(syntax, generate_instance_uid=False)
        else:
            dataset.file_meta.TransferSyntaxUID = syntax
        dataset.save_as(folder / f"{len(list(folder.iterdir())):03d}", enforce_file_format=True)
    return folder


def _fresh(dataset: Dataset) -> Dataset:
    """The same attributes in a data set that was not read in another byte order."""
    result = Dataset()
    result.update({element.tag: element for element in dataset if not element.tag.is_private})
    for element in result:
        if element.VR == "SQ":
            element.value = [_fresh(item) for item in element.value]
    if hasattr(dataset, "file_meta"):
        result.file_meta = dataset.file_meta
    return result


def as_multi_frame(slices: Sequence[Dataset]) -> Dataset:
    """The slices as one Enhanced CT image, frames in the order of the slices."""
    image = copy.deepcopy(slices[0])
    shared, frames = Dataset(), []
    shared.PixelMeasuresSequence = [_moved(image, "PixelSpacing", "SliceThickness")]
    shared.PlaneOrientationSequence = [_moved(image, "ImageOrientationPatient")]
    shared.PixelValueTransformationSequence = [_moved(image, "RescaleIntercept", "RescaleSlope", "RescaleType")]
    shared.CTXRayDetailsSequence = [_moved(image, "KVP")]
    for dataset in slices:
        frame = Dataset()
        frame.PlanePositionSequence = [_moved(copy.deepcopy(dataset), "ImagePositionPatient")]
        frame.FrameVOILUTSequence = [_moved(copy.deepcopy(dataset), "WindowCenter", "WindowWidth")]
        frames.append(frame)
    for keyword in ("ImagePositionPatient", "WindowCenter", "WindowWidth", "SliceLocation"):
        delattr(image, keyword)
    image.SOPClassUID, image.SOPInstanceUID = EnhancedCTImageStorage, generate_uid()
    image.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    image.NumberOfFrames = len(slices)
    image.SharedFunctionalGroupsSequence, image.PerFrameFunctionalGroupsSequence = [shared], frames
    image.PixelData = b"".join(dataset.PixelData for dataset in slices)
    return image


def _moved(dataset: Dataset, *keywords: str) -> Dataset:
    result = Dataset()
    for keyword in keywords:
        result[keyword] = dataset[keyword]
        del dataset[keyword]
    return result
