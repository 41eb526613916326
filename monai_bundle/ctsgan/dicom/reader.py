"""A CT series of DICOM images as a volume: slices in the order of their positions, values in HU."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import CTError
from ..volume import Volume
from .headers import Frame, folder_frames, numbers, optional_number, quietly, text, texts
from .pixels import Rescale, read_voxels

SAME_POSITION_MM = 0.01
"""Two slices nearer than this, along the normal, are at one position."""

EVEN_MM = 0.01
"""How far slice positions may be from evenly spaced ones: what rounding in DICOM's decimal strings leaves."""

SAME_COSINE = 1e-4
"""How far direction cosines may differ within a series; 0.05 mm at the edge of a slice of 500 mm."""

SHOWN = 10
"""Positions or series that a message lists before it says how many more there are."""


@dataclass(frozen=True)
class SeriesSummary:
    """One series of a folder, as a user chooses among several; it says nothing of the patient.

    Args:
        uid: SeriesInstanceUID, '' if the files have none.
        number: SeriesNumber as text, '' if the files have none.
        description: SeriesDescription.
        modality: Modality, such as CT.
        slices: images, or frames of multi-frame images, without localizers.
    """

    uid: str
    number: str
    description: str
    modality: str
    slices: int

    def __str__(self) -> str:
        return (
            f"{self.uid or 'no UID'} (number {self.number or 'none'}, {self.description or 'no description'}, "
            f"{self.modality or 'no modality'}, {self.slices} slices)"
        )


def _listed(items: Sequence[object], separator: str = ", ") -> str:
    shown = separator.join(str(item) for item in items[:SHOWN])
    return shown if len(items) <= SHOWN else f"{shown} and {len(items) - SHOWN} more"


def _series(folder: Path) -> list[list[Frame]]:
    """Slices of a folder for each of its series, localizers left out."""
    series: dict[tuple[str, ...], list[Frame]] = {}
    localizers = 0
    for frame in folder_frames(folder):
        if frame.is_localizer:
            localizers += 1
            continue
        # Anonymised files may have lost the UID that tells series apart.
        uid, *others = (text(frame.header, f"Series{what}") for what in ("InstanceUID", "Number", "Description"))
        series.setdefault((uid,) if uid else ("", *others), []).append(frame)
    if not series:
        found = "only localizers" if localizers else "no DICOM images"
        raise CTError(f"the folder holds {found}; give the folder of a CT series")
    return list(series.values())


def _summary(frames: Sequence[Frame]) -> SeriesSummary:
    keywords = ("SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality")
    return SeriesSummary(*(text(frames[0].header, keyword) for keyword in keywords), len(frames))


@quietly()
def list_series(folder: str | Path) -> list[SeriesSummary]:
    """The image series of a folder and its sub-folders, in the order of their SeriesNumber.

    Args:
        folder: of DICOM files; other files are passed over.

    Raises:
        CTError: if there are no DICOM images.
    """
    summaries = [_summary(frames) for frames in _series(Path(folder))]
    return sorted(summaries, key=lambda summary: (len(summary.number), summary.number, summary.uid))


def _chosen(series: list[list[Frame]], wanted: str | int | None) -> list[Frame]:
    """The slices of the series that is wanted by UID or number, or of the only (CT) series there is."""
    described = [(_summary(frames), frames) for frames in series]
    if wanted is None:
        matches = [pair for pair in described if pair[0].modality == "CT"] or described
    else:
        wanted = str(wanted).strip()
        matches = [pair for pair in described if wanted in (pair[0].uid, pair[0].number)]
    if len(matches) == 1:
        return matches[0][1]
    there = _listed([summary for summary, _ in matches or described], "; ")
    if not matches:
        raise CTError(f"there is no series {wanted}; choose with --series from {there}")
    raise CTError(f"there are {len(matches)} series; choose one by UID or number with --series: {there}")


def _require_one_patient(frames: Sequence[Frame]) -> None:
    """Refuse slices of several patients, studies or frames of reference; no message says which."""
    for keywords, what in (
        (("PatientID", "PatientName"), "patients"),
        (("StudyInstanceUID",), "studies"),
        (("FrameOfReferenceUID",), "frames of reference"),
    ):
        if len({tuple(text(frame.header, keyword) for keyword in keywords) for frame in frames}) > 1:
            raise CTError(f"the series mixes several {what} ({', '.join(keywords)}); separate them first")


def _require_ct(frames: Sequence[Frame]) -> None:
    """Refuse what has no HU."""
    modalities = sorted({text(frame.header, "Modality") or "no Modality" for frame in frames})
    if modalities != ["CT"]:
        raise CTError(f"the series is not CT but {_listed(modalities)}; go on with --force if its values are HU")
    types = {text(frame.header, "RescaleType") for frame in frames} - {"", "HU", "HU_MOD", "US"}
    if types:
        raise CTError(f"RescaleType is {_listed(sorted(types))}, not HU; go on with --force if its values are HU")


def _require_grey_slices(frames: Sequence[Frame]) -> tuple[int, int]:
    """(rows, columns) of every slice; refuse colour, odd depths and mixed sizes."""
    for frame in frames:
        samples, photometric = text(frame.header, "SamplesPerPixel"), text(frame.header, "PhotometricInterpretation")
        if samples not in ("", "1") or (photometric and not photometric.startswith("MONOCHROME")):
            raise CTError(
                f"{frame.path.name} is a colour picture (SamplesPerPixel {samples or 'missing'}, "
                f"PhotometricInterpretation {photometric or 'missing'}), not a CT slice; leave it out"
            )
        if text(frame.header, "BitsAllocated") not in ("8", "16"):
            raise CTError(f"BitsAllocated in {frame.path.name} is not 8 or 16, as CT slices have; export it again")
    sizes = sorted({(int(numbers(f, "Rows", 1)[0]), int(numbers(f, "Columns", 1)[0])) for f in frames})
    if len(sizes) > 1:
        seen = _listed([f"{rows} x {columns}" for rows, columns in sizes])
        raise CTError(f"the series mixes slices of several sizes (Rows x Columns {seen}); separate them first")
    return sizes[0]


def _common(frames: Sequence[Frame], keyword: str, count: int, tolerance: float) -> np.ndarray:
    """An attribute that all slices share, shape (count,)."""
    values = np.array([numbers(frame, keyword, count) for frame in frames])
    if np.abs(values - values[0]).max() > tolerance:
        seen = _listed(["\\".join(f"{value:g}" for value in row) for row in np.unique(values, axis=0)])
        raise CTError(f"the series mixes slices of several {keyword} ({seen}); separate them first")
    return values[0]


def _directions(frames: Sequence[Frame]) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors along a row and down a column, LPS."""
    cosines = _common(frames, "ImageOrientationPatient", 6, SAME_COSINE)
    along_row, down_column = cosines[:3], cosines[3:]
    lengths = np.linalg.norm(along_row), np.linalg.norm(down_column)
    if not np.allclose(lengths, 1.0, atol=0.01) or abs(along_row @ down_column) > 0.01:
        raise CTError("ImageOrientationPatient is not two unit vectors at a right angle; export the series again")
    return along_row / lengths[0], down_column / lengths[1]


def _rescales(frames: Sequence[Frame], force: bool) -> list[Rescale]:
    rescales = []
    for frame in frames:
        if force and not texts(frame.header, "RescaleSlope") and not texts(frame.header, "RescaleIntercept"):
            rescales.append((1.0, 0.0))
            continue
        slope, intercept = numbers(frame, "RescaleSlope", 1)[0], numbers(frame, "RescaleIntercept", 1)[0]
        if slope == 0.0:
            raise CTError(f"RescaleSlope in {frame.path.name} is 0, which leaves no HU; export it again")
        rescales.append((slope, intercept))
    return rescales


def _require_complete(along_normal: np.ndarray, force: bool) -> None:
    """Refuse positions, in mm along the normal and ascending, that occur twice or leave a slice out."""
    gaps = np.diff(along_normal)
    twice = np.unique(np.round(along_normal[1:][gaps < SAME_POSITION_MM], 2))
    if len(twice):
        places = _listed([f"{position:.2f}" for position in twice])
        raise CTError(
            f"{len(twice)} positions hold more than one slice (at {places} mm); keep one phase or one copy of them"
        )
    if force or len(gaps) < 2:
        return
    typical = np.sort(gaps)[(len(gaps) - 1) // 2]
    multiples = np.round(gaps / typical)
    missing = [
        before + typical * step
        for before, gap, multiple in zip(along_normal, gaps, multiples, strict=False)
        if multiple >= 2 and abs(gap / typical - multiple) < 0.1
        for step in range(1, int(multiple))
    ]
    if missing:
        places = _listed([f"{position:.2f}" for position in missing])
        raise CTError(
            f"{len(missing)} slices are missing (at {places} mm); copy the series again, or go on with --force"
        )


def _stack(positions: np.ndarray, normal: np.ndarray, single_mm: float) -> tuple[np.ndarray, np.ndarray | None]:
    """Step from slice to slice, shape (3,), and the positions themselves where they are not evenly spaced."""
    if len(positions) == 1:
        return normal * single_mm, None
    step = (positions[-1] - positions[0]) / (len(positions) - 1)
    even = positions[0] + np.arange(len(positions))[:, None] * step
    uneven = np.linalg.norm(positions - even, axis=1).max() > EVEN_MM
    return step, positions if uneven else None


def _window(frame: Frame) -> tuple[float, float] | None:
    center, width = optional_number(frame, "WindowCenter"), optional_number(frame, "WindowWidth")
    return None if center is None or width is None else (center, width)


@quietly()
def read_series(folder: str | Path, *, series: str | int | None = None, force: bool = False) -> Volume:
    """One CT series of a folder as a volume in HU.

    Slices are ordered by ImagePositionPatient along the normal of ImageOrientationPatient, ascending, whatever
    their file names and InstanceNumbers. A gantry tilt leaves the affine sheared, as the patient was scanned.

    Args:
        folder: of DICOM files, sub-folders included, or one file; what is not a DICOM image is passed over.
        series: SeriesInstanceUID or SeriesNumber, needed where the folder holds several CT series.
        force: go on where Modality is not CT, RescaleType not HU, slices are missing (the others then lie unevenly),
            or neither RescaleSlope nor RescaleIntercept is there (which are then 1 and 0).

    Returns:
        Voxels (slices, rows, columns) as int16, int32 where values need it, or float32 where RescaleSlope or
        RescaleIntercept is not a whole number. The header has ``series_uid``; ``window``, the first
        (center, width) in HU, if there is one; and for each slice ``dicom_files`` (paths), ``dicom_frames`` (index
        in the file), ``dicom_positions`` (ImagePositionPatient, shape (slices, 3), mm) and ``instance_numbers``
        (``None`` where there is none).

    Raises:
        CTError: if there is not exactly one CT series, or it is not one complete stack of parallel grey slices
            of one patient.
    """
    folder = Path(folder)
    frames = _chosen(_series(folder), series)
    _require_one_patient(frames)
    if not force:
        _require_ct(frames)
    shape = _require_grey_slices(frames)
    along_row, down_column = _directions(frames)
    row_distance, column_distance = _common(frames, "PixelSpacing", 2, 1e-4)
    if min(row_distance, column_distance) <= 0.0:
        raise CTError("PixelSpacing is not positive; export the series again")
    normal = np.cross(along_row, down_column)
    positions = np.array([numbers(frame, "ImagePositionPatient", 3) for frame in frames])
    order = np.argsort(positions @ normal, kind="stable")
    frames, positions = [frames[index] for index in order], positions[order]
    _require_complete(positions @ normal, force)
    thickness = (optional_number(frames[0], keyword) for keyword in ("SpacingBetweenSlices", "SliceThickness"))
    step, origins = _stack(positions, normal, next((abs(mm) for mm in thickness if mm), 1.0))

    affine = np.eye(4)
    affine[:3, 0] = along_row * column_distance
    affine[:3, 1] = down_column * row_distance
    affine[:3, 2] = step
    affine[:3, 3] = positions[0]
    instance_numbers = [optional_number(frame, "InstanceNumber") for frame in frames]
    header = {
        "series_uid": text(frames[0].header, "SeriesInstanceUID"),
        "dicom_files": [frame.path for frame in frames],
        "dicom_frames": [frame.index for frame in frames],
        "dicom_positions": positions,
        "instance_numbers": [None if number is None else int(number) for number in instance_numbers],
    }
    if window := _window(frames[0]):
        header["window"] = window
    voxels = read_voxels(frames, _rescales(frames, force), shape)
    return Volume(voxels, affine, slice_origins=origins, source=folder, header=header)
