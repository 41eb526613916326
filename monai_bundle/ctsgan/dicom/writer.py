"""A volume as a derived CT series: one CT image for each slice, in the study and place of its source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from pydicom import DataElement, Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.sequence import Sequence as DicomSequence
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, generate_uid
from pydicom.valuerep import IS, DSfloat

from .. import __version__
from ..errors import CTError
from ..io.output import partial_output
from ..io.series import ONE_FILE_A_SLICE, SeriesOptions
from ..volume import Volume
from .anonymous import anonymize, declare_anonymous
from .headers import FRAME_GROUPS, frame_header, quietly, read_header, text
from .multi_frame import as_enhanced_ct
from .options import require_possible, transfer_syntax

PRODUCT = "CTsGANEnhance"

SERIES_NUMBER_STEP = 1000
"""Added to the source's SeriesNumber."""

DEFAULT_WINDOW = (40.0, 400.0)
"""WindowCenter and WindowWidth in HU, soft tissue, where the source has none."""

UNSTATED = "Not stated by the source images"
"""DeidentificationMethod of images whose identity somebody removed without saying how."""

REQUIRED_EVEN_IF_EMPTY = (
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
    "Manufacturer",
    "ReferringPhysicianName",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "SliceThickness",
    "KVP",
    "PatientPosition",
    "StudyID",
    "AcquisitionNumber",
    "PositionReferenceIndicator",
)
"""Type 2 attributes of a CT image."""

PURPOSES = {
    # CID 7203 has no code for restoration by a neural network; edge enhancement is its nearest
    "enhanced": ("Enhancement of CT slices", ("113086", "Edge enhancement")),
    "degraded": ("Degradation of CT slices", ("113087", "Smoothing")),
}
"""ContributionDescription, and the code of the derivation (CID 7203) where pixels keep their size."""

UNPAIRED_BODY_PARTS = """
    ABDOMEN ABDOMENPELVIS AORTA BACK BLADDER BRAIN CEREBELLUM CHEST CHESTABDOMEN CHESTABDPELVIS CIRCLEOFWILLIS COCCYX
    COLON CORONARYARTERY CSPINE CTSPINE DUODENUM ESOPHAGUS FACE GALLBLADDER HEAD HEADNECK HEART ILEUM ILIUM JAW JEJUNUM
    LARYNX LIVER LSPINE LSSPINE MAXILLA MEDIASTINUM MOUTH NECK NECKCHEST NECKCHESTABDOMEN NECKCHESTABDPELV NOSE
    PANCREAS PELVIS PENIS PHARYNX PROSTATE RECTUM SCALP SKULL SPINE SPLEEN SSPINE STERNUM STOMACH THYMUS THYROID
    TLSPINE TONGUE TRACHEA TSPINE UTERUS VAGINA VULVA WHOLEBODY
"""
"""Values of BodyPartExamined (PS3.16 Annex L) that have no left and right, so that Laterality must be absent."""

STALE = (
    # of the source's pixels and the way they were stored
    "SmallestImagePixelValue",
    "LargestImagePixelValue",
    "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries",
    "PixelPaddingValue",
    "PixelPaddingRangeLimit",
    "PixelAspectRatio",
    "PlanarConfiguration",
    "ModalityLUTSequence",
    "VOILUTSequence",
    "RealWorldValueMappingSequence",
    "IconImageSequence",
    "LossyImageCompressionRatio",  # set again with the method where the source was lossy
    "LossyImageCompressionMethod",
    # of the source as an instance
    "InstanceCreatorUID",
    "ReferencedImageSequence",
    "SourceImageSequence",
    "DerivationCodeSequence",
    "ReferencedInstanceSequence",
    "ReferencedStudySequence",
    "ReferencedPerformedProcedureStepSequence",
    "OriginalAttributesSequence",
    "ModifiedAttributesSequence",
    "DigitalSignaturesSequence",
    "MACParametersSequence",
    "EncryptedAttributesSequence",
    "DataSetTrailingPadding",
    # of a file with several frames
    *FRAME_GROUPS,
    "NumberOfFrames",
    "FrameIncrementPointer",
    "DimensionOrganizationSequence",
    "DimensionOrganizationType",
    "DimensionIndexSequence",
    "ConcatenationUID",
    "SOPInstanceUIDOfConcatenationSource",
    "InConcatenationNumber",
    "InConcatenationTotalNumber",
    "ConcatenationFrameOffsetNumber",
    "ReconstructionPixelSpacing",
)

FIELD_OF_VIEW = ("ReconstructionDiameter", "ReconstructionFieldOfView", "ReconstructionTargetCenterPatient")
"""True as long as the slices cover what the source's slices covered."""


def _code(value: str, meaning: str) -> DicomSequence:
    """One code of the DICOM Controlled Terminology (PS3.16)."""
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
    return DicomSequence([item])


def _decimal(values: Sequence[float]) -> list[DSfloat]:
    """Numbers as decimal strings of at most 16 characters."""
    return [DSfloat(float(value), auto_format=True) for value in values]


def _mend_numbers(element: DataElement) -> None:
    """Shorten decimal strings to the 16 characters they may have; ValueError or TypeError if they are no numbers."""
    if element.VR not in ("DS", "IS") or element.is_empty:
        return
    values = element.value if element.VM > 1 else [element.value]
    if element.VR == "DS":
        element.value = [value if len(str(value)) <= 16 else _decimal([value])[0] for value in map(DSfloat, values)]
    else:
        element.value = [IS(value) for value in values]


def _clean(dataset: Dataset) -> None:
    """Drop, at every level, private attributes, overlays, curves, and what does not read as its type."""
    for tag in list(dataset.keys()):
        if tag.is_private or tag.group >> 8 in (0x50, 0x60):
            del dataset[tag]
            continue
        try:
            element = dataset[tag]
            _mend_numbers(element)
        except Exception:  # pydicom raises whatever the value's type does
            del dataset[tag]
            continue
        if element.VR == "SQ":
            for item in element.value:
                _clean(item)


def _whole_hu(values: np.ndarray) -> np.ndarray:
    """One slice as little-endian int16, rounded.

    Raises:
        CTError: if a value is not a number or beyond int16.
    """
    limits = np.iinfo(np.int16)
    rounded = np.rint(values)
    if not (rounded.min() >= limits.min and rounded.max() <= limits.max):
        raise CTError(
            f"DICOM output holds {limits.min} to {limits.max} HU and the volume has values beyond, or NaN; "
            "write .nii.gz or .nrrd instead"
        )
    return rounded.astype("<i2")


def _nearest_sources(volume: Volume, origins: np.ndarray) -> np.ndarray:
    """For each slice the index of the source slice at its position: the volume may be a part of the source."""
    normal = np.cross(volume.affine[:3, 0], volume.affine[:3, 1])
    normal /= np.linalg.norm(normal)
    sources = np.asarray(volume.header.get("dicom_positions", origins)) @ normal
    return np.abs((origins @ normal)[:, None] - sources).argmin(axis=1)


def _read_source(path: Path, index: int) -> tuple[Dataset, Dataset]:
    """All attributes of a source slice, and a SourceImageSequence item that refers to it, empty if it has no UID.

    Raises:
        CTError: if the file is gone.
    """
    try:
        whole = read_header(path)
    except CTError:
        whole = None
    if whole is None:
        raise CTError(f"{path.name} was read before and cannot be read now; DICOM output needs its DICOM input")
    _clean(whole)
    source = frame_header(whole, index)
    reference = Dataset()
    if text(source, "SOPInstanceUID"):
        reference.ReferencedSOPClassUID = text(source, "SOPClassUID") or CTImageStorage
        reference.ReferencedSOPInstanceUID = source.SOPInstanceUID
        if FRAME_GROUPS[1] in whole:
            reference.ReferencedFrameNumber = index + 1
        reference.PurposeOfReferenceCodeSequence = _code("121322", "Source image for image processing operation")
    return source, reference


def _now(source: Dataset) -> datetime:
    """Now, in the time zone that the data set's other times are in."""
    try:
        return datetime.now(datetime.strptime(text(source, "TimezoneOffsetFromUTC"), "%z").tzinfo)
    except ValueError:
        return datetime.now()


def _remove(dataset: Dataset, keywords: Sequence[str]) -> None:
    for keyword in keywords:
        if keyword in dataset:
            delattr(dataset, keyword)


def _complete(dataset: Dataset) -> None:
    """Add, without a value, what a CT image must say even if it is not known."""
    for keyword in REQUIRED_EVEN_IF_EMPTY:
        if keyword not in dataset:
            setattr(dataset, keyword, None)
    if not text(dataset, "DeidentificationMethod"):
        _remove(dataset, ["DeidentificationMethod"])
        # required then, and some files whose identity was removed leave it empty
        if text(dataset, "PatientIdentityRemoved") == "YES" and "DeidentificationMethodCodeSequence" not in dataset:
            dataset.DeidentificationMethod = UNSTATED
    if not text(dataset, "Laterality"):
        _remove(dataset, ["Laterality"])
        if text(dataset, "BodyPartExamined") not in UNPAIRED_BODY_PARTS.split() and "ImageLaterality" not in dataset:
            dataset.Laterality = None


def _series_attributes(source: Dataset, description: str, now: datetime | None) -> Dataset:
    """What every image of the new series has in common.

    Args:
        source: the first slice's attributes.
        description: what is added to its SeriesDescription.
        now: date and time of the new series and its images; ``None`` leaves the source's.
    """
    common = Dataset()
    common.Modality = "CT"
    common.StudyInstanceUID = text(source, "StudyInstanceUID") or generate_uid(prefix=None)
    common.FrameOfReferenceUID = text(source, "FrameOfReferenceUID") or generate_uid(prefix=None)
    common.SeriesInstanceUID = generate_uid(prefix=None)
    number = text(source, "SeriesNumber")
    common.SeriesNumber = SERIES_NUMBER_STEP + (int(number) if number.isdigit() and len(number) < 10 else 0)
    description = description.replace("\\", "/")
    described = text(source, "SeriesDescription")[: max(63 - len(description), 0)]
    common.SeriesDescription = f"{described} {description}".strip()[:64]
    for event in ("InstanceCreation", "Series", "Content") if now else ():
        setattr(common, f"{event}Date", now.strftime("%Y%m%d"))
        setattr(common, f"{event}Time", now.strftime("%H%M%S.%f"))
    return common


def _set_history(
    dataset: Dataset, source: Dataset, reference: Dataset, derivation: str, purpose: str, now: datetime | None
) -> None:
    """Say what the image was made from, how and by what; what was compressed with loss once stays so."""
    dataset.ImageType = ["DERIVED", "SECONDARY", "AXIAL"]
    dataset.DerivationDescription = ": ".join(filter(None, [f"{PRODUCT} {__version__}", derivation]))[:1024]
    if len(reference):
        dataset.SourceImageSequence = [reference]
    equipment = Dataset()
    equipment.Manufacturer = equipment.ManufacturerModelName = PRODUCT
    equipment.SoftwareVersions = __version__
    if now:
        equipment.ContributionDateTime = now.strftime("%Y%m%d%H%M%S.%f")
    equipment.ContributionDescription = PURPOSES[purpose][0]
    equipment.PurposeOfReferenceCodeSequence = _code("109102", "Processing Equipment")
    dataset.ContributingEquipmentSequence = [*(dataset.get("ContributingEquipmentSequence") or ()), equipment]
    dataset.LossyImageCompression = "01" if text(source, "LossyImageCompression") == "01" else "00"
    for keyword in ("LossyImageCompressionRatio", "LossyImageCompressionMethod"):
        if dataset.LossyImageCompression == "01" and text(source, keyword):
            dataset[keyword] = source[keyword]
    dataset.BurnedInAnnotation = text(source, "BurnedInAnnotation") or "NO"


def _set_plane(
    dataset: Dataset, source: Dataset, affine: np.ndarray, origin: np.ndarray, shape: tuple, purpose: str
) -> None:
    """Image Plane: where the slice of ``shape`` (rows, columns) is, from an affine and an origin in LPS mm."""
    column_distance, row_distance = np.linalg.norm(affine[:3, :2], axis=0)
    spacing = np.array([row_distance, column_distance])
    before = np.array([float(value) for value in source.PixelSpacing])
    if not np.allclose(before * [source.Rows, source.Columns], spacing * shape, rtol=0.01):
        _remove(dataset, FIELD_OF_VIEW)
    resampled = not np.allclose(before, spacing, rtol=1e-4)
    code = ("113085", "Spatial resampling") if resampled else PURPOSES[purpose][1]
    dataset.DerivationCodeSequence = _code(*code)
    dataset.PixelSpacing = _decimal(spacing)
    dataset.ImageOrientationPatient = _decimal([*(affine[:3, 0] / column_distance), *(affine[:3, 1] / row_distance)])
    dataset.ImagePositionPatient = _decimal(origin)


def _set_pixels(dataset: Dataset, hu: np.ndarray) -> None:
    """Image Pixel, Modality LUT and VOI LUT: int16 that are HU."""
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.Rows, dataset.Columns = hu.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 16, 16, 15, 1
    dataset.RescaleSlope, dataset.RescaleIntercept, dataset.RescaleType = "1", "0", "HU"
    if not text(dataset, "WindowCenter") or not text(dataset, "WindowWidth"):
        dataset.WindowCenter, dataset.WindowWidth = _decimal(DEFAULT_WINDOW)
        _remove(dataset, ("WindowCenterWidthExplanation", "VOILUTFunction"))
    dataset.add_new("PixelData", "OW", hu.tobytes())


def _store(dataset: Dataset, path: Path, syntax: UID) -> None:
    """One file in Explicit VR, its pixels encoded as ``syntax`` says."""
    if not f"{dataset.SeriesDescription}{text(dataset, 'DerivationDescription')}".isascii():
        dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if syntax.is_encapsulated:
        if dataset["PixelData"].is_buffered:
            dataset.PixelData = dataset.PixelData.read()  # an encoder takes no stream
        dataset.compress(syntax, generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True)


def _without_source(volume: Volume) -> Dataset:
    """All that is known of a slice of a volume that is not from DICOM."""
    source = Dataset()
    source.Modality = "CT"
    source.Rows, source.Columns = volume.voxels.shape[1:]
    source.PixelSpacing = _decimal(volume.row_and_column_mm)
    # the usual reading of formats that know only the distance
    source.SliceThickness = _decimal(volume.spacing_mm[2:])[0]
    return source


def _prepared_source(volume: Volume, place: int, options: SeriesOptions) -> tuple[Dataset, Dataset]:
    """As :func:`_read_source` gives them, and anonymous if that is wanted, which leaves nothing to refer to."""
    if not volume.header.get("dicom_files"):
        return _without_source(volume), Dataset()
    source, reference = _read_source(volume.header["dicom_files"][place], volume.header["dicom_frames"][place])
    if options.anonymize:
        anonymize(source)
        return source, Dataset()
    return source, reference


def _instance_numbers(volume: Volume, places: Sequence[int]) -> list[int]:
    """Those of the source slices, where each has one of its own."""
    known = volume.header.get("instance_numbers")
    numbers = [known[place] if known else None for place in places]
    if None in numbers or len(set(numbers)) < len(numbers):
        return list(range(1, len(places) + 1))
    return numbers


def _images(
    volume: Volume, description: str, derivation: str, purpose: str, options: SeriesOptions
) -> Iterator[Dataset]:
    """Each slice as a CT image of the new series, not yet encoded."""
    origins = volume.origins_mm()
    places = _nearest_sources(volume, origins)
    instance_numbers = _instance_numbers(volume, places)
    common = Dataset()
    for index, (place, origin) in enumerate(zip(places, origins, strict=True)):
        source, reference = _prepared_source(volume, place, options)
        if index == 0:
            if text(source, "Modality") != "CT":
                raise CTError(
                    "DICOM output is for CT, and the Modality of the input is another; write .nii.gz or .nrrd instead"
                )
            now = None if options.anonymize else _now(source)
            common = _series_attributes(source, description, now)
        hu = _whole_hu(volume.voxels[index])
        dataset = Dataset()
        dataset.update(source)
        _remove(dataset, STALE)
        _complete(dataset)
        dataset.update(common)
        dataset.SOPClassUID, dataset.SOPInstanceUID = CTImageStorage, generate_uid(prefix=None)
        dataset.InstanceNumber = instance_numbers[index]
        _set_history(dataset, source, reference, derivation, purpose, now)
        if options.anonymize:
            declare_anonymous(dataset, _code)
        _set_plane(dataset, source, volume.affine, origin, hu.shape, purpose)
        _set_pixels(dataset, hu)
        yield dataset


@quietly()
def write_series(
    volume: Volume,
    folder: str | Path,
    *,
    description: str,
    derivation: str = "",
    overwrite: bool = False,
    purpose: str = "enhanced",
    options: SeriesOptions = ONE_FILE_A_SLICE,
) -> Path:
    """Write a volume that came from :func:`ctsgan.dicom.read_series` as a derived CT series.

    Each slice becomes a CT image with the attributes of the source slice at its position, new SOP and series
    instance UIDs, the source's study and frame of reference; or all of them become one Enhanced CT image. A volume
    from elsewhere becomes a study of its own, of a patient without name and ID, if the options say so.

    Args:
        volume: HU within int16; floats are rounded. It may be a part of the source, and have other pixels.
        folder: to make; it appears when it is complete.
        description: what is added to SeriesDescription, such as "enhanced x2".
        derivation: model and settings for DerivationDescription; name and version stand before it.
        overwrite: replace ``folder`` if it exists.
        purpose: one of :data:`PURPOSES`.
        options: form, compression and whether the patient's identity stays.

    Returns:
        ``folder``.

    Raises:
        CTError: if the volume did not come from DICOM CT and shall have no study of its own, its source is gone or
            would be overwritten, a value is beyond int16, or what the options ask for cannot be had.
    """
    folder = Path(folder)
    files = volume.header.get("dicom_files", [])
    if not files and not options.new_study:
        raise CTError("DICOM output needs a DICOM input, whose header it carries on; write .nii.gz or .nrrd instead")
    if any(folder.resolve() in Path(path).resolve().parents for path in files):
        raise CTError("the output folder holds the input series, which it would replace; choose another folder")
    require_possible(options, volume.voxels.shape)
    with partial_output(folder, overwrite) as partial:
        partial.mkdir(exist_ok=True)
        images = _images(volume, description, derivation, purpose, options)
        if options.multi_frame:
            images = iter([as_enhanced_ct(images, volume.header.get("series_uid", ""))])
        for index, image in enumerate(images):
            _store(image, partial / f"{index + 1:05d}.dcm", transfer_syntax(options))
    return folder
