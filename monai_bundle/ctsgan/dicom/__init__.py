"""CT series of DICOM images: in as a volume in HU, out as a derived series of the same study."""

from .options import require_possible
from .reader import SeriesSummary, list_series, read_series
from .writer import write_series

__all__ = [
    "SeriesSummary",
    "list_series",
    "read_series",
    "require_possible",
    "write_series",
]
