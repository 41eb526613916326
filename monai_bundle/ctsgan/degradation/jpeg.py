"""What JPEG leaves of a slice that was shared as a picture: a windowed view of 8 bits, compressed and opened again.

HU outside the window, which the picture would show as black or white, pass unchanged: the damage is inside it.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F

# ITU-T T.81 (JPEG), table K.1: quantisation steps of luminance, rows are vertical frequencies
_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)


def quantisation_table(quality: int) -> torch.Tensor:
    """Steps (8, 8) for a quality of 1 to 100, scaled as the Independent JPEG Group's library scales table K.1."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    steps = (torch.tensor(_LUMINANCE) * percent + 50) // 100
    return steps.clamp(1, 255).float()


def _cosines() -> torch.Tensor:
    """The orthonormal DCT-II of 8 samples, (frequency, sample)."""
    frequency = torch.arange(8, dtype=torch.float64)[:, None]
    sample = torch.arange(8, dtype=torch.float64)[None]
    matrix = torch.cos((2.0 * sample + 1.0) * frequency * math.pi / 16.0) / 2.0
    matrix[0] /= math.sqrt(2.0)
    return matrix.float()


def _round(values: torch.Tensor) -> torch.Tensor:
    """Whole numbers whose gradient is that of the values themselves (straight through)."""
    return values + (values.round() - values).detach()


def _show(image: torch.Tensor, window: tuple[float, float]) -> torch.Tensor:
    low, high = window
    return ((image - low) / (high - low)).clamp(0.0, 1.0) * 255.0


def _open(image: torch.Tensor, picture: torch.Tensor, window: tuple[float, float]) -> torch.Tensor:
    low, high = window
    inside = (image >= low) & (image <= high)
    return torch.where(inside, low + picture / 255.0 * (high - low), image)


def jpeg(image: torch.Tensor, quality: int, window: tuple[float, float]) -> torch.Tensor:
    """The round trip computed with tensors: on any device, batched, with a gradient.

    Blocks of 8 x 8 cosine coefficients are rounded to the steps of :func:`quantisation_table`; rounding passes
    gradients straight through. It differs from :func:`jpeg_file` by the library's integer arithmetic only.

    Args:
        image: (..., H, W) in HU; where H or W is not a multiple of 8 the edge is continued.
        quality: 1 to 100.
        window: (low, high) in HU of the 8-bit view.
    """
    rows, columns = image.shape[-2:]
    picture = _round(_show(image, window)).reshape(-1, 1, rows, columns) - 128.0
    picture = F.pad(picture, (0, -columns % 8, 0, -rows % 8), mode="replicate")
    count, _, tall, wide = picture.shape
    blocks = picture.reshape(count, tall // 8, 8, wide // 8, 8).transpose(2, 3)
    cosines, steps = _cosines().to(picture), quantisation_table(quality).to(picture)
    coefficients = _round(cosines @ blocks @ cosines.T / steps) * steps
    blocks = cosines.T @ coefficients @ cosines
    picture = blocks.transpose(2, 3).reshape(count, tall, wide)[:, :rows, :columns] + 128.0
    return _open(image, _round(picture).clamp(0.0, 255.0).reshape(image.shape), window)


def jpeg_file(image: torch.Tensor, quality: int, window: tuple[float, float]) -> torch.Tensor:
    """The round trip through a real greyscale JPEG file in memory, slice by slice on the processor; needs Pillow.

    Arguments as :func:`jpeg`.
    """
    from io import BytesIO

    from PIL import Image

    pictures = _show(image, window).round().to("cpu", torch.uint8).reshape(-1, *image.shape[-2:])
    opened = []
    for picture in pictures.numpy():
        file = BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality)
        opened.append(np.asarray(Image.open(file), dtype=np.float32))
    return _open(image, torch.from_numpy(np.stack(opened)).to(image).reshape(image.shape), window)
