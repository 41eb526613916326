"""A clinical CT, read by SimpleITK, as what the readers and writers here are measured against."""

from pathlib import Path

import pytest
import SimpleITK as sitk

EXAMPLE_CT = "data/totalsegmentator-2.18.0/tests/reference_files/example_ct_dicom"


@pytest.fixture(scope="session")
def ct_folder():
    """A series of one clinical CT."""
    folder = Path(__file__).parents[2] / EXAMPLE_CT
    assert folder.is_dir(), f"the example CT is not in {EXAMPLE_CT}; `make data` fetches it"
    return folder


@pytest.fixture(scope="session")
def ct_image(ct_folder):
    """The first three slices of the CT with their place in the patient: 16-bit HU."""
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(ct_folder))
    image = sitk.Cast(sitk.ReadImage(names[:3]), sitk.sitkInt16)
    # as a converter leaves it, without the tags of DICOM
    for key in image.GetMetaDataKeys():
        image.EraseMetaData(key)
    return image
