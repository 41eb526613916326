"""How near an image is to its reference, in the terms of radiology."""

from .fidelity import WINDOWS, bias, body_mask, psnr, rmse, ssim
from .placement import subpixel_shift
from .regions import TISSUES, Disc, find_disc

__all__ = ["TISSUES", "WINDOWS", "Disc", "bias", "body_mask", "find_disc", "psnr", "rmse", "ssim", "subpixel_shift"]
