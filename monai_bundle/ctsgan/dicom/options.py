"""Whether, and in which transfer syntax, a derived series can be written as it is asked for."""

from __future__ import annotations

import math
from importlib.util import find_spec

from pydicom.pixels import get_encoder
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from ..errors import CTError
from ..io.series import COMPRESSIONS, SeriesOptions

LARGEST_BYTES = 2**32 - 2
"""Of pixel data in one image."""


def transfer_syntax(options: SeriesOptions) -> UID:
    """How pixels are encoded.

    Raises:
        CTError: if the compression is not known.
    """
    if options.compression is None:
        return ExplicitVRLittleEndian
    syntaxes = dict(zip(COMPRESSIONS, (JPEGLSLossless, JPEG2000Lossless, RLELossless), strict=True))
    if options.compression not in syntaxes:
        raise CTError(f"compression {options.compression} is not offered; choose {', '.join(COMPRESSIONS)}")
    return syntaxes[options.compression]


def require_possible(options: SeriesOptions, shape: tuple[int, int, int]) -> None:
    """Refuse what cannot be written, best asked before a volume is worked on for hours.

    Args:
        options: in what form.
        shape: (slices, rows, columns) of what will be written.

    Raises:
        CTError: if the compression is not known, a package is not installed, or one image cannot hold all pixels.
    """
    syntax = transfer_syntax(options)
    if syntax.is_encapsulated and not get_encoder(syntax).is_available:
        raise CTError(f"compression {options.compression} needs a package that is not here; install ctsgan[dicom]")
    if options.anonymize and not find_spec("dicomanonymizer"):
        raise CTError("anonymizing needs a package that is not here; install ctsgan[dicom]")
    if options.multi_frame and 2 * math.prod(shape) > LARGEST_BYTES:
        raise CTError("one image holds less than 4 GiB of pixels; write the series without --multi-frame")
