"""Names of scores and what is better."""

from __future__ import annotations

from ctsgan.metrics import TISSUE_RANGES, WINDOWS

WHOLE_SLICE = "PSNR wide, whole slice"

DIRECTIONS: dict[str, int] = {
    **{
        f"{name} {window}": direction
        for window in WINDOWS
        for name, direction in {"PSNR": 1, "SSIM": 1, "MS-SSIM": 1, "RMSE": -1}.items()
    },
    WHOLE_SLICE: 1,
    "bias": 0,
    **{f"bias in {tissue}": 0 for tissue in TISSUE_RANGES},
    **{f"RMSE in {tissue}": -1 for tissue in TISSUE_RANGES},
    "NIQE wide": -1,
    "NIQE soft": -1,
    "PI half": -1,
    "ST-LPIPS": -1,
    "FID-VGG": -1,
    "shift": -1,
    "contradiction": -1,
}
"""1 where higher is better, -1 where lower is, 0 where nearer to zero is."""
