"""Slices as one Enhanced CT image (PS3.3 A.38): the frames share what is the same in all of them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

from pydicom import Dataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.sr.codedict import codes
from pydicom.uid import EnhancedCTImageStorage, generate_uid

from .headers import FLATTENED_GROUPS, text, texts

TYPE = ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"]

SLICE_ATTRIBUTES = (
    # said by functional groups
    "PixelSpacing",
    "SliceThickness",
    "SpacingBetweenSlices",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "SliceLocation",
    "RescaleSlope",
    "RescaleIntercept",
    "RescaleType",
    "WindowCenter",
    "WindowWidth",
    "WindowCenterWidthExplanation",
    "VOILUTFunction",
    "SourceImageSequence",
    "AnatomicRegionSequence",
    "Laterality",
    "ImageLaterality",
    # of one measured slice, which an image of all of them cannot say
    "AcquisitionDate",
    "AcquisitionTime",
    "AcquisitionNumber",
    "AcquisitionDateTime",
    "IrradiationEventUID",
    "PatientOrientation",
    "ImagesInAcquisition",
    "TemporalPositionIdentifier",
)

ABSENT_REGION = codes.SCT.EntireBody
"""Where BodyPartExamined is not a region of CID 4030."""

DEVICE = ("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions")
"""What an enhanced image must say of the device that measured it."""

UNKNOWN = "UNKNOWN"

NO_DATE = "19000101"
"""Stands for a date that was removed where one must be."""


def _item(**attributes: object) -> DicomSequence:
    """A sequence of one item."""
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return DicomSequence([item])


def _moved(image: Dataset, *keywords: str) -> DicomSequence:
    """A sequence of one item with those of the attributes that the image has."""
    item = Dataset()
    for keyword in keywords:
        if text(image, keyword):
            item[keyword] = image[keyword]
    return DicomSequence([item])


def _region(image: Dataset) -> DicomSequence:
    """Anatomic region: the source's code, or that of the body part it names."""
    if image.get("AnatomicRegionSequence"):
        return image.AnatomicRegionSequence
    named = text(image, "BodyPartExamined").replace(" ", "").lower()
    found = next((name for name in codes.cid4030.dir() if name.lower() == named), None)
    code = getattr(codes.cid4030, found) if found else ABSENT_REGION
    return _item(CodeValue=code.value, CodingSchemeDesignator=code.scheme_designator, CodeMeaning=code.meaning)


def _laterality(image: Dataset) -> str:
    return text(image, "ImageLaterality") or text(image, "Laterality") or "U"


def _shared_groups(image: Dataset) -> Dataset:
    shared = Dataset()
    shared.PixelMeasuresSequence = _moved(image, "PixelSpacing", "SliceThickness", "SpacingBetweenSlices")
    shared.PlaneOrientationSequence = _moved(image, "ImageOrientationPatient")
    shared.PixelValueTransformationSequence = _moved(image, "RescaleIntercept", "RescaleSlope", "RescaleType")
    shared.FrameAnatomySequence = _item(FrameLaterality=_laterality(image), AnatomicRegionSequence=_region(image))
    shared.CTImageFrameTypeSequence = _item(
        FrameType=TYPE,
        PixelPresentation="MONOCHROME",
        VolumetricProperties="VOLUME",
        VolumeBasedCalculationTechnique="NONE",
    )
    return shared


def _frame_groups(image: Dataset, place: int, referring: bool) -> Dataset:
    """What is said of one frame; ``place`` counts from 1 along the stack, ``referring`` to its source or not."""
    frame = Dataset()
    frame.FrameContentSequence = _item(DimensionIndexValues=[place], StackID="1", InStackPositionNumber=place)
    frame.PlanePositionSequence = _moved(image, "ImagePositionPatient")
    frame.FrameVOILUTSequence = _moved(image, "WindowCenter", "WindowWidth", "WindowCenterWidthExplanation")
    if referring:
        frame.DerivationImageSequence = _item(
            DerivationDescription=image.DerivationDescription,
            DerivationCodeSequence=image.DerivationCodeSequence,
            SourceImageSequence=image.SourceImageSequence,
        )
    events = texts(image, "IrradiationEventUID")
    frame.IrradiationEventIdentificationSequence = _item(IrradiationEventUID=events or generate_uid(prefix=None))
    return frame


def _evidence(images: Sequence[Dataset], series_uid: str) -> DicomSequence:
    """The source images by study and series, each once however many of its frames are referred to."""
    references = {
        reference.ReferencedSOPInstanceUID: reference.ReferencedSOPClassUID
        for image in images
        for reference in image.get("SourceImageSequence", [])
    }
    items = [_item(ReferencedSOPClassUID=kind, ReferencedSOPInstanceUID=uid)[0] for uid, kind in references.items()]
    series = _item(SeriesInstanceUID=series_uid, ReferencedSOPSequence=items)
    return _item(StudyInstanceUID=images[0].StudyInstanceUID, ReferencedSeriesSequence=series)


def _dimensions() -> Dataset:
    """One dimension: the place in the stack."""
    dimensions, organization = Dataset(), generate_uid(prefix=None)
    dimensions.DimensionOrganizationSequence = _item(DimensionOrganizationUID=organization)
    dimensions.DimensionIndexSequence = _item(
        DimensionOrganizationUID=organization,
        DimensionIndexPointer=0x00209057,  # InStackPositionNumber
        FunctionalGroupPointer=0x00209111,  # FrameContentSequence
    )
    return dimensions


def as_enhanced_ct(slices: Iterable[Dataset], source_series_uid: str) -> Dataset:
    """CT images of one series, in the order of their places, as one Enhanced CT image.

    Args:
        slices: as :mod:`ctsgan.dicom.writer` makes them: derived, int16, all with the same rescale. They lose their
            pixels.
        source_series_uid: of the series that they refer to; without it ('') the image refers to none.

    Returns:
        A data set without file meta information; its pixel data are a stream, so that those of the whole series are
        in memory once, and are not compressed.
    """
    images, pixels = [], io.BytesIO()
    for image in slices:
        pixels.write(image.pop("PixelData").value)
        images.append(image)
    first = images[0]
    result = Dataset()
    result.update({element.tag: element for element in first if element.keyword not in SLICE_ATTRIBUTES})
    for keyword in FLATTENED_GROUPS:
        result.pop(keyword, None)
    for keyword in DEVICE:
        if not text(result, keyword):
            setattr(result, keyword, UNKNOWN)
    result.SOPClassUID, result.InstanceNumber = EnhancedCTImageStorage, 1
    result.ImageType, result.PixelPresentation = TYPE, "MONOCHROME"
    result.VolumetricProperties, result.VolumeBasedCalculationTechnique = "VOLUME", "NONE"
    result.ContentQualification, result.PresentationLUTShape = "RESEARCH", "IDENTITY"
    result.AcquisitionContextSequence = []
    result.update(_dimensions())
    referring = bool(source_series_uid) and "SourceImageSequence" in first
    if referring:
        result.SourceImageEvidenceSequence = _evidence(images, source_series_uid)
    if not text(result, "ContentDate"):
        result.ContentDate, result.ContentTime = NO_DATE, "000000"
    result.NumberOfFrames = len(images)
    result.SharedFunctionalGroupsSequence = [_shared_groups(first)]
    result.PerFrameFunctionalGroupsSequence = [
        _frame_groups(image, place, referring) for place, image in enumerate(images, start=1)
    ]
    pixels.seek(0)
    result.add_new("PixelData", "OW", pixels)
    return result
