"""Small CT series of different patients, cut from real slices."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
from pydicom import Dataset
from pydicom.uid import generate_uid

from dicom.ct_series import cut_slices, set_stored, store_series

EDGE = 48
"""Rows and columns."""


def small_slices(number: int, count: int = 3) -> list[Dataset]:
    """Slices of the patient with that number, 48 x 48 pixels of their own part of the real ones."""
    study, series = generate_uid(), generate_uid()
    slices = copy.deepcopy(list(cut_slices()[:count]))
    row, column = 4 * (number % 20), 4 * (number * 7 % 20)
    for dataset in slices:
        pixels = np.frombuffer(dataset.PixelData, "<u2").reshape(128, 128)
        pixels = pixels[row : row + EDGE, column : column + EDGE].copy()
        pixels[:4, :4] = 24  # air, without which nothing of this size looks like a CT
        set_stored(dataset, pixels)
        dataset.StudyInstanceUID, dataset.SeriesInstanceUID = study, series
        dataset.SOPInstanceUID = generate_uid()
        dataset.PatientID, dataset.PatientName = f"SECRET-{number}", f"Secret^{number}"
        dataset.AccessionNumber = f"A{number}"
    return slices


def small_series(folder: Path, number: int, count: int = 3) -> Path:
    """The same as files."""
    return store_series(small_slices(number, count), folder)
