"""Real CT slices with the attributes that scanners of four makers write in ways of their own."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
from pydicom import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEGLosslessSV1

from dicom.ct_series import cut_slices, set_stored


def _hu(dataset: Dataset) -> np.ndarray:
    return np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns).astype(int) - 1024


def _named(dataset: Dataset, maker: str, model: str, kernel: str) -> None:
    dataset.remove_private_tags()
    dataset.Manufacturer, dataset.ManufacturerModelName, dataset.ConvolutionKernel = maker, model, kernel


def _ge(dataset: Dataset) -> None:
    """Signed values, padding of -2000 round the field of view that is rescaled too, many private groups."""
    hu = _hu(dataset)
    _named(dataset, "GE MEDICAL SYSTEMS", "LightSpeed VCT", "STANDARD")
    hu[:6, :6] = -2000 - 1024
    set_stored(dataset, hu + 1024, signed=True)
    dataset.add_new("PixelPaddingValue", "SS", -2000)
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    for group, creator in ((0x0019, "GEMS_ACQU_01"), (0x0027, "GEMS_IMAG_01"), (0x0045, "GEMS_HELIOS_01")):
        dataset.private_block(group, creator, create=True).add_new(0x02, "SL", 912)


def _siemens(dataset: Dataset) -> None:
    """As the scanner of the real series wrote them: 12 bits, two windows, private headers."""


def _philips(dataset: Dataset) -> None:
    """12 bits, a type of four values, the name once more in a private sequence, no RescaleType."""
    _named(dataset, "Philips", "Brilliance 64", "B")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "HELIX"]
    dataset.BitsStored, dataset.HighBit = 12, 11
    dataset.WindowCenter, dataset.WindowWidth = [60, 60], [360, 360]
    inner = Dataset()
    inner.PatientName = dataset.PatientName
    dataset.private_block(0x01E1, "ELSCINT1", create=True).add_new(0x18, "SQ", [inner])
    del dataset.RescaleType


def _toshiba(dataset: Dataset) -> None:
    """Nothing below air, the orientation in letters, the name once more in a private attribute."""
    hu = _hu(dataset)
    _named(dataset, "TOSHIBA", "Aquilion", "FC08")
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    set_stored(dataset, hu.clip(-1024) + 1024)
    dataset.PatientOrientation = ["L", "P"]
    dataset.private_block(0x7005, "TOSHIBA_MEC_CT3", create=True).add_new(0x10, "LO", "Secret^Name")
    del dataset.PositionReferenceIndicator


MAKERS: dict[str, tuple[Callable[[Dataset], None], UID]] = {
    "GE": (_ge, ExplicitVRLittleEndian),
    "Siemens": (_siemens, ExplicitVRLittleEndian),
    "Philips": (_philips, ImplicitVRLittleEndian),
    "Toshiba": (_toshiba, JPEGLosslessSV1),
}
"""From a maker to what it does to a slice, and the transfer syntax its archive got."""


def slices_of(maker: str) -> list[Dataset]:
    """Six slices of 128 x 128 real pixels as the maker's scanner would have written them."""
    slices = copy.deepcopy(list(cut_slices()))
    for dataset in slices:
        MAKERS[maker][0](dataset)
    return slices
