"""Pictures of CT: grey values without HU, made finer by the same network as volumes are.

Grey values are put linearly onto the whole 12-bit scale that the networks see. That is a convention, not a
measurement: a picture does not say which HU its grey values were. Of a colour picture the luminance goes through the
network, and what a colour differs from it is interpolated.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from ctsgan.errors import CTError
from ctsgan.volume import Volume

PIXEL_MM = 0.75
"""Taken for the pixels of a picture, which has no spacing: a field of view of 384 mm in 512 pixels."""

FORMATS = ("PNG", "JPEG", "TIFF")

JPEG_QUALITY = 95

_LUMINANCE = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Of red, green and blue (ITU-R BT.601, as JPEG has it)."""


@dataclass(frozen=True)
class Picture:
    """A picture.

    Args:
        pixels: as in the file, (rows, columns) grey or (rows, columns, 3) colour, uint8 or uint16.
        alpha: opacity, (rows, columns) of the same type, or ``None``.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None

    @property
    def steps(self) -> int:
        """How many grey values there can be: 256, or the power of two that a 16-bit picture fills."""
        return 256 if self.pixels.dtype == np.uint8 else 1 << max(int(self.pixels.max()).bit_length(), 8)

    @property
    def luminance(self) -> np.ndarray:
        """Grey values, float32, (rows, columns)."""
        pixels = self.pixels.astype(np.float32)
        return pixels if pixels.ndim == 2 else pixels @ _LUMINANCE


def read_picture(path: Path, name: str, most_pixels: int) -> Picture:
    """A picture from a PNG, JPEG or TIFF file, turned as its EXIF says.

    Args:
        path: of the file.
        name: what its owner calls it.
        most_pixels: that it may have.

    Raises:
        CTError: if it is no such picture, damaged, too large, or uniform.
    """
    Image.MAX_IMAGE_PIXELS = most_pixels
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                if getattr(image, "n_frames", 1) > 1:
                    raise CTError(f"{name} holds {image.n_frames} pictures; save one of them by itself")
                if _loses_depth(image):
                    raise CTError(f"{name} has 16 bits a colour, half of which would be lost; save it with 8 bits")
                picture = _taken(ImageOps.exif_transpose(image))
    except CTError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise CTError(f"{name} has more than {most_pixels / 1e6:.0f} million pixels; cut it into parts") from None
    except Exception:  # Pillow raises whatever the decoder met
        raise CTError(f"{name} is damaged, cut short or no picture; save it again") from None
    if picture.pixels.min() == picture.pixels.max():
        raise CTError(f"every pixel of {name} is the same; there is nothing to enhance")
    return picture


def _loses_depth(image: Image.Image) -> bool:
    """Whether Pillow takes the upper 8 of 16 bits, as it does wherever it has no such mode."""
    stored = str(image.tile[0][3]) if image.tile else ""
    return ";16" in stored and ";16" not in image.mode and image.mode not in ("I", "F")


def _taken(image: Image.Image) -> Picture:
    if image.mode.startswith("I;16"):
        return Picture(np.asarray(image).astype(np.uint16))
    if image.mode in ("I", "F"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535 or np.any(values != np.rint(values)):
            raise CTError("this picture holds numbers that are no grey values of 16 bits; save it as 16-bit grey")
        return Picture(values.astype(np.uint16))
    alpha = None
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        alpha = np.asarray(image.getchannel("A"))
    pixels = np.asarray(image.convert("L" if image.mode in ("1", "L") else "RGB"))
    if (
        pixels.ndim == 3
        and np.array_equal(pixels[..., 0], pixels[..., 1])
        and np.array_equal(pixels[..., 1], pixels[..., 2])
    ):
        pixels = np.ascontiguousarray(pixels[..., 0])
    return Picture(pixels, None if alpha is None or alpha.min() == 255 else alpha)


def as_volume(picture: Picture) -> Volume:
    """The luminance as one slice on the networks' scale."""
    from ctsgan.intensity import HU_MIN, HU_STEPS

    values = HU_MIN + picture.luminance * (HU_STEPS / picture.steps)
    return Volume(values[None].astype(np.float32), np.diag([PIXEL_MM, PIXEL_MM, 1.0, 1.0]))


def from_volume(enhanced: Volume, picture: Picture) -> Picture:
    """The picture with its luminance replaced, colour and opacity interpolated."""
    from ctsgan.intensity import HU_MIN, HU_STEPS

    steps, dtype = picture.steps, picture.pixels.dtype
    grey = (enhanced.voxels[0] - HU_MIN) * (steps / HU_STEPS)
    alpha = None if picture.alpha is None else _resized(picture.alpha, grey.shape)
    if picture.pixels.ndim == 3:
        # red, green and blue minus luminance are the colour; they change as smoothly as an eye sees colour
        colour = picture.pixels.astype(np.float32) - picture.luminance[..., None]
        grey = grey[..., None] + np.stack([_resized(colour[..., band], grey.shape) for band in range(3)], axis=-1)
    pixels = np.clip(np.rint(grey), 0, steps - 1).astype(dtype)
    return Picture(pixels, None if alpha is None else np.clip(np.rint(alpha), 0, 255).astype(np.uint8))


def _resized(band: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bicubic interpolation; (rows, columns) float32."""
    image = Image.fromarray(band.astype(np.float32))
    return np.asarray(image.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def write_picture(picture: Picture, path: Path) -> None:
    """Write a picture as the suffix of ``path`` says; a JPEG loses a little, and its opacity."""
    pixels = picture.pixels
    if picture.alpha is not None and path.suffix not in (".jpg", ".jpeg"):
        bands = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
        pixels = np.concatenate([bands, picture.alpha[..., None]], axis=2)
    options = {"quality": JPEG_QUALITY} if path.suffix in (".jpg", ".jpeg") else {}
    Image.fromarray(pixels).save(path, **options)
