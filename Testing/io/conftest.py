"""A clinical CT, read by SimpleITK, as what the readers and writers here are measured against."""

import pytest
import SimpleITK as sitk


@pytest.fixture(scope="session")
def ct_folder(clinical_series):
    """A series of one clinical CT."""
    return clinical_series


@pytest.fixture(scope="session")
def ct_image(ct_folder):
    """The first three slices of the CT with their place in the patient: 16-bit HU."""
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(ct_folder))
    image = sitk.Cast(sitk.ReadImage(names[:3]), sitk.sitkInt16)
    # as a converter leaves it, without the tags of DICOM
    for key in image.GetMetaDataKeys():
        image.EraseMetaData(key)
    return image
