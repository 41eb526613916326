"""What DICOM files say about their slices, without the pixels."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydicom import config, dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue
from pydicom.uid import (
    UID,
    CTImageStorage,
    EnhancedCTImageStorage,
    ImplicitVRLittleEndian,
    LegacyConvertedEnhancedCTImageStorage,
    MediaStorageDirectoryStorage,
)

from ..errors import CTError

CT_CLASSES = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)

FRAME_GROUPS = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")

FLATTENED_GROUPS = (
    "PixelMeasuresSequence",
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelValueTransformationSequence",
    "FrameVOILUTSequence",
    "CTXRayDetailsSequence",
    "CTReconstructionSequence",
)
"""Functional groups whose attributes stand at the top of an image that holds one slice."""

READ_ATTRIBUTES = (
    "ImageType",
    "SOPClassUID",
    "Modality",
    "SeriesDescription",
    "PatientName",
    "PatientID",
    "SliceThickness",
    "SpacingBetweenSlices",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SeriesNumber",
    "InstanceNumber",
    "ImagePositionPatient",
    "ImageOrientationPatient",
    "FrameOfReferenceUID",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "PixelSpacing",
    "BitsAllocated",
    "RescaleIntercept",
    "RescaleSlope",
    "RescaleType",
    "WindowCenter",
    "WindowWidth",
    *FRAME_GROUPS,
)


@contextmanager
def quietly() -> Iterator[None]:
    """Without pydicom's warnings: those about values out of form quote them, and one may be the patient's name."""
    with config.disable_value_validation(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pydicom")
        yield


@dataclass(frozen=True)
class Frame:
    """One slice of a file.

    Args:
        path: of the file.
        index: of the frame in the file, 0 where it holds one image.
        header: attributes of this slice, those of the functional groups brought to the top.
        transfer_syntax: how the pixels are encoded.
    """

    path: Path
    index: int
    header: Dataset
    transfer_syntax: UID

    @property
    def is_localizer(self) -> bool:
        """Whether it is a scout, which is no part of a volume."""
        return "LOCALIZER" in texts(self.header, "ImageType")


def texts(header: Dataset, keyword: str) -> list[str]:
    """The values of an attribute as stripped text; empty where it is absent or empty."""
    value = header.get(keyword)
    if value is None:
        return []
    several = value if isinstance(value, (MultiValue, list)) else [value]
    return [str(item).strip() for item in several if str(item).strip()]


def text(header: Dataset, keyword: str) -> str:
    """The first value of an attribute as stripped text, or ''."""
    return next(iter(texts(header, keyword)), "")


def numbers(frame: Frame, keyword: str, count: int) -> list[float]:
    """The ``count`` numbers of an attribute.

    Raises:
        CTError: naming the attribute and the file, if they are not there.
    """
    found = texts(frame.header, keyword)
    if not found:
        raise CTError(f"{keyword} is missing in {frame.path.name}; without it the slice has no place or no HU scale")
    try:
        values = [float(value) for value in found]
    except ValueError:
        values = []
    if len(values) != count or not all(map(math.isfinite, values)):
        raise CTError(f"{keyword} in {frame.path.name} is not {count} number{'s' * (count > 1)}; export it again")
    return values


def optional_number(frame: Frame, keyword: str) -> float | None:
    """The first value of an attribute as a number; ``None`` where there is none."""
    try:
        value = float(text(frame.header, keyword))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def read_header(path: Path, attributes: tuple[str, ...] | None = None) -> Dataset | None:
    """A file's header without its pixels, or ``None`` where it is not DICOM.

    Args:
        path: of the file.
        attributes: keywords of what is wanted; ``None`` is all.

    Raises:
        CTError: if the file is DICOM but cannot be read.
    """
    tags = None if attributes is None else list(attributes)
    try:
        with path.open("rb") as file:
            start = file.read(132)
            preamble = start[128:] == b"DICM"
            # Older files begin without the preamble, with group 0002 or 0008, element 0 or one of the first few.
            if not preamble and not (start[:2] in (b"\x02\x00", b"\x08\x00") and start[3:4] == b"\x00"):
                return None
            file.seek(0)
            header = dcmread(file, stop_before_pixels=True, force=not preamble, specific_tags=tags)
    except InvalidDicomError:
        return None
    except OSError as error:
        raise CTError(f"{path.name} cannot be read ({error.strerror or 'read error'}); copy it again") from None
    except Exception as error:
        if preamble:
            raise CTError(
                f"the DICOM header of {path.name} is damaged ({type(error).__name__}); copy it again"
            ) from None
        return None
    if not preamble and "SOPClassUID" not in header and "Modality" not in header:
        return None
    return header


def frame_header(header: Dataset, index: int) -> Dataset:
    """The attributes of one frame: those of the image and, at the top too, those of its functional groups."""
    if FRAME_GROUPS[1] not in header:
        return header
    flat = Dataset()
    flat.update({element.tag: element for element in header if element.keyword not in FRAME_GROUPS})
    for name, position in zip(FRAME_GROUPS, (0, index), strict=True):
        groups = header.get(name) or ()
        for macro in FLATTENED_GROUPS if position < len(groups) else ():
            for item in groups[position].get(macro) or ():
                flat.update(item)
    return flat


def _is_image(header: Dataset) -> bool:
    return "Rows" in header or header.get("SOPClassUID") in CT_CLASSES


def read_frames(path: Path) -> Iterator[Frame]:
    """The slices of a file; none where it is not a DICOM image.

    Raises:
        CTError: if it is one but cannot be read.
    """
    header = read_header(path, READ_ATTRIBUTES)
    if header is None:
        return
    media = getattr(header, "file_meta", Dataset())
    if media.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage:
        return
    if not header.get("SOPClassUID"):
        header.SOPClassUID = media.get("MediaStorageSOPClassUID", "")
    if not _is_image(header):
        return
    syntax = media.get("TransferSyntaxUID") or ImplicitVRLittleEndian
    count = int(optional_number(Frame(path, 0, header, syntax), "NumberOfFrames") or 1)
    for index in range(count):
        yield Frame(path, index, frame_header(header, index), syntax)


def folder_frames(folder: Path) -> Iterator[Frame]:
    """The slices of all DICOM images of a folder and its sub-folders, or of one file.

    Raises:
        CTError: if ``folder`` is not there or one of its images cannot be read.
    """
    if not folder.exists():
        raise CTError("the DICOM folder is not there; check its path")
    paths = [folder] if folder.is_file() else sorted(path for path in folder.rglob("*") if path.is_file())
    for path in paths:
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.name.upper() != "DICOMDIR":
            yield from read_frames(path)
