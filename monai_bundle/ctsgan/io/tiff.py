"""Multi-page TIFF stacks, a page for each slice.

What is written is a plain TIFF that ImageJ takes for one of its own: resolution in pixels per centimetre, slice
spacing in the description. A line more in the description holds the affine, which TIFF has no place for.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from ..errors import CTError
from ..geometry import voxel_spacing
from ..volume import Volume
from .common import reading, require_grid, require_slices, require_spacing, rescaled, stored_planes, stored_type

MM_PER_UNIT = {
    "nm": 1e-6,
    "um": 1e-3,
    "µm": 1e-3,
    "\u03bcm": 1e-3,
    "\\u00b5m": 1e-3,
    "micron": 1e-3,
    "microns": 1e-3,
    "micrometer": 1e-3,
    "mm": 1.0,
    "millimeter": 1.0,
    "cm": 10.0,
    "centimeter": 10.0,
    "m": 1000.0,
    "meter": 1000.0,
    "inch": 25.4,
    "inches": 25.4,
}
"""Units of length as ImageJ and its users write them."""

SCREEN_DPI = (72.0, 96.0)
"""What programs put down as resolution where they know none."""

CLASSIC_LIMIT = 2**32 - 2**25
"""Bytes of voxels above which the 32-bit offsets of a TIFF do not do and BigTIFF is written."""

AFFINE_KEY = "ctsgan"


def read_tiff(path: Path, *, force: bool = False) -> Volume:
    """A volume in HU from a stack of pages; float64 comes as float32, ImageJ's calibration is applied.

    Args:
        path: ``.tif`` or ``.tiff``.
        force: take 1 mm for a pixel size or slice spacing that is not there.

    Raises:
        CTError: if the file is damaged, cut short, not one stack of grey pages, or has no spacing.
    """
    with reading(path), _strict(), tifffile.TiffFile(path) as file:
        page = file.pages.first
        # this goes through all pages, so that a broken chain of them is noticed
        len(file.pages)
        if page.samplesperpixel > 1 or page.photometric in (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.PALETTE):
            raise CTError(f"{path} is a colour image, not HU; save the CT itself as 16-bit or float grey values")
        if page.bitspersample < 8 or page.dtype is None or page.dtype.kind not in "iuf":
            raise CTError(f"{path} does not hold plain numbers of 8 bits or more; save the CT itself as 16-bit values")
        if len(file.series) > 1:
            raise CTError(f"{path} has pages of {len(file.series)} different sizes or types; save one stack by itself")
        series = file.series[0]
        size = dict(zip(series.axes, series.shape, strict=True))
        if size.get("C", 1) > 1:
            raise CTError(f"{path} has {size['C']} channels in each slice, not HU; save one of them by itself")
        stacked = [count for axis, count in size.items() if axis not in "YX" and count > 1]
        if len(stacked) < 2:
            stacked = [series.size // (page.imagewidth * page.imagelength)]
        shape = require_slices(path, (page.imagewidth, page.imagelength, *stacked))
        imagej = (file.imagej_metadata if file.is_imagej else None) or {}
        stated = imagej.get("images", shape[2])
        if stated != shape[2]:
            raise CTError(f"{path} has {shape[2]} of its {stated} slices; copy or export it again")
        spacing = _spacing(path, page, imagej, shape[2], force)
        affine = _stored_affine(imagej, shape)
        # another program may have kept the line and changed the pixels
        if affine is None or not np.allclose(voxel_spacing(affine), spacing, rtol=1e-4):
            affine = np.diag([*spacing, 1.0])
        require_grid(path, affine)
        voxels = _calibrated(_decoded(path, series).reshape(shape[::-1]), imagej)
    return Volume(voxels, affine, source=path)


@contextmanager
def _strict() -> Iterator[None]:
    """tifffile reports damage to its log and goes on with the pages it has; here that is the end."""
    errors: list[str] = []

    def keep(record: logging.LogRecord) -> bool:
        if record.levelno >= logging.ERROR:
            errors.append(record.getMessage())
        return False

    logger = logging.getLogger("tifffile")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)
    if errors:
        raise ValueError(errors[0])


def _decoded(path: Path, series: tifffile.TiffPageSeries) -> np.ndarray:
    """The voxels in the machine's byte order, floats as float32, C-contiguous."""
    try:
        voxels = series.asarray()
    except ValueError as error:
        if "imagecodecs" in str(error):
            raise CTError(
                f"{path} is compressed in a way that needs the package imagecodecs; install it or save uncompressed"
            ) from None
        raise
    dtype = np.dtype(np.float32) if voxels.dtype.kind == "f" else voxels.dtype.newbyteorder("=")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(voxels, dtype=dtype)


def _calibrated(voxels: np.ndarray, imagej: dict[str, Any]) -> np.ndarray:
    """ImageJ stores signed 16-bit numbers as unsigned ones with a straight line c0 + c1 x."""
    if imagej.get("cf") != 0 or "c0" not in imagej:
        return voxels
    offset, slope = float(imagej["c0"]), float(imagej.get("c1", 1.0))
    return rescaled(voxels, slope, offset)


def _unit_mm(page: tifffile.TiffPage, imagej: dict[str, Any]) -> float | None:
    """mm in the unit of length of resolution and slice spacing; ``None`` where it is none."""
    if "unit" in imagej:
        return MM_PER_UNIT.get(str(imagej["unit"]).strip().lower())
    code = page.tags["ResolutionUnit"].value if "ResolutionUnit" in page.tags else 2
    return {2: 25.4, 3: 10.0}.get(int(code))


def _pixel_mm(page: tifffile.TiffPage, imagej: dict[str, Any]) -> tuple[float, float] | None:
    """Distance between (columns, rows) in mm; ``None`` where the file does not say."""
    unit_mm = _unit_mm(page, imagej)
    resolution = [page.tags[name].value for name in ("XResolution", "YResolution") if name in page.tags]
    if unit_mm is None or len(resolution) != 2 or not all(part for pair in resolution for part in pair):
        return None
    columns, rows = (unit_mm * denominator / numerator for numerator, denominator in resolution)
    if "unit" not in imagej and any(abs(25.4 / mm - dpi) < 0.01 for mm in (columns, rows) for dpi in SCREEN_DPI):
        return None
    return columns, rows


def _spacing(
    path: Path, page: tifffile.TiffPage, imagej: dict[str, Any], slices: int, force: bool
) -> tuple[float, float, float]:
    """Distance between (columns, rows, slices) in mm."""
    pixel = _pixel_mm(page, imagej)
    if pixel is None:
        require_spacing(path, "pixel size", force)
        return 1.0, 1.0, 1.0
    # with a unit, ImageJ leaves out a spacing of 1; a negative one is its sign for the other direction
    between = imagej.get("spacing", 1.0 if "unit" in imagej else None)
    if between is not None:
        return (*pixel, abs(float(between)) * (_unit_mm(page, imagej) or 1.0))
    if slices > 1:
        require_spacing(path, "slice spacing", force)
    return (*pixel, 1.0)


def _stored_affine(imagej: dict[str, Any], shape: tuple[int, int, int]) -> np.ndarray | None:
    """The affine that :func:`write_tiff` left, if the slices still are of the same size."""
    try:
        stored = json.loads(imagej[AFFINE_KEY])
        affine = np.array(stored["affine_lps_mm"], dtype=float)
        return affine if tuple(stored["size"]) == shape and affine.shape == (4, 4) else None
    except (KeyError, TypeError, ValueError):
        return None


def write_tiff(volume: Volume, path: Path, *, description: str = "") -> None:
    """Write pages of HU as they are, uncompressed; BigTIFF above 4 GB. One slice is copied at a time.

    Args:
        volume: of any integer or float type; each of its slices becomes a page, whatever ``file_axes`` says.
        path: ``.tif`` or ``.tiff``.
        description: for the tag ``Software``.
    """
    voxels = volume.voxels
    dtype = stored_type(voxels)
    centimetres = volume.spacing_mm / 10.0
    place = {"affine_lps_mm": np.asarray(volume.affine, dtype=float).tolist(), "size": list(voxels.shape[::-1])}
    lines = [
        "ImageJ=1.54f",
        f"images={len(voxels)}",
        f"slices={len(voxels)}",
        "unit=cm",
        f"spacing={float(centimetres[2])!r}",
        "loop=false",
        f"{AFFINE_KEY}={json.dumps(place)}",
        "",
    ]
    with tifffile.TiffWriter(path, bigtiff=voxels.size * dtype.itemsize > CLASSIC_LIMIT, byteorder="<") as file:
        file.write(
            stored_planes(voxels),
            shape=voxels.shape,
            dtype=dtype,
            photometric="minisblack",
            resolution=tuple(1.0 / centimetres[:2]),
            resolutionunit="CENTIMETER",
            description="\n".join(lines),
            software=description.encode("ascii", "replace").decode() or None,
            metadata=None,
        )
