"""In what form a derived DICOM series is written."""

from __future__ import annotations

from dataclasses import dataclass

COMPRESSIONS = ("jpeg-ls", "jpeg-2000", "rle")
"""Lossless ones that pydicom encodes, alone or with its plugins."""


@dataclass(frozen=True)
class SeriesOptions:
    """In what form a derived DICOM series is written.

    Args:
        multi_frame: one Enhanced CT image for the whole series instead of one CT image for each slice.
        compression: one of :data:`COMPRESSIONS`, without loss; ``None`` for none.
        anonymize: without the patient's identity, by the Basic Application Level Confidentiality Profile
            (PS3.15 Annex E).
        new_study: a study of its own, of a patient without name and ID, for a volume that is not from DICOM.
    """

    multi_frame: bool = False
    compression: str | None = None
    anonymize: bool = False
    new_study: bool = False


ONE_FILE_A_SLICE = SeriesOptions()
"""What every viewer reads."""
