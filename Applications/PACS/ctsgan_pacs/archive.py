"""What is asked of an archive, whichever protocol it speaks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydicom import dcmread
from pydicom.uid import CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage

STORED_CLASSES = (CTImageStorage, EnhancedCTImageStorage, LegacyConvertedEnhancedCTImageStorage)
"""What is fetched, received and sent."""

Stored = Callable[[Path], None]
"""Called with each file that the archive has acknowledged."""


@dataclass(frozen=True)
class SeriesFound:
    """One series of an archive; it says nothing of the patient.

    Args:
        study_uid: StudyInstanceUID.
        uid: SeriesInstanceUID.
        number: SeriesNumber as text, '' if it has none.
        description: SeriesDescription.
        modality: Modality, such as CT.
    """

    study_uid: str
    uid: str
    number: str
    description: str
    modality: str

    def __str__(self) -> str:
        return f"{self.uid} (number {self.number or 'none'}, {self.description or 'no description'}, {self.modality})"


class Archive(Protocol):
    """A PACS, by DIMSE or DICOMweb. Every method raises :class:`ctsgan.errors.CTError` where the archive does not
    answer, or answers no."""

    def find(self, *, study: str | None = None, accession: str | None = None) -> list[SeriesFound]:
        """The series of the studies with this StudyInstanceUID or AccessionNumber."""

    def retrieve(self, series: SeriesFound, folder: Path) -> None:
        """Write every image of a series into a folder, as it is encoded in the archive."""

    def store(self, files: Sequence[Path], stored: Stored) -> None:
        """Send files in their order."""

    def holds(self, file: Path) -> bool:
        """Whether the image of a file is in the archive; ``False`` too where it cannot be asked."""


def identity(file: Path) -> tuple[str, str, str]:
    """StudyInstanceUID, SeriesInstanceUID and SOPInstanceUID of a file."""
    keywords = ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"]
    header = dcmread(file, stop_before_pixels=True, specific_tags=keywords)
    return tuple(str(header[keyword].value) for keyword in keywords)
