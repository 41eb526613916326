"""Which series there is something to enhance in."""

from __future__ import annotations

from pathlib import Path

from ctsgan.dicom.headers import folder_frames, quietly, read_header, text
from ctsgan.dicom.writer import PRODUCT


@quietly()
def why_not(folder: Path) -> str:
    """Why the series in a folder is left alone: it is a scout, or was made by this program; '' if it is not.

    An enhanced series that an archive sends on to us, as its rules may, must not be enhanced again and again.

    Raises:
        CTError: if a file cannot be read.
    """
    frame = next((frame for frame in folder_frames(folder) if not frame.is_localizer), None)
    if frame is None:
        return "it holds only localizers"
    header = read_header(frame.path, ("ContributingEquipmentSequence",))
    if any(text(item, "Manufacturer") == PRODUCT for item in header.get("ContributingEquipmentSequence") or ()):
        return f"it was made by {PRODUCT}"
    return ""
