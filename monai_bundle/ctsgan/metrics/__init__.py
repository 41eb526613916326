"""How near an image is to its reference, in the terms of radiology."""

from .fidelity import WINDOWS, bias, body_mask, psnr, rmse, ssim
from .placement import subpixel_shift
from .regions import PIXEL_RANGES, TISSUES, Disc, find_disc, tissue_bias

__all__ = [
    "PIXEL_RANGES",
    "TISSUES",
    "WINDOWS",
    "Disc",
    "bias",
    "body_mask",
    "find_disc",
    "psnr",
    "rmse",
    "ssim",
    "subpixel_shift",
    "tissue_bias",
]
