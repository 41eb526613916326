"""How near an image is to its reference, how it looks, what it resolves, and whether it is honest."""

from .detectability import (
    Linearity,
    detectability,
    disc_spectrum,
    eye_filter,
    hu_linearity,
    insert_means,
)
from .fidelity import (
    TISSUE_RANGES,
    WINDOWS,
    TissueError,
    bias,
    body_mask,
    inner_body,
    ms_ssim,
    psnr,
    rmse,
    ssim,
    tissue_errors,
)
from .honesty.detector import detector_map, peaks, read_contrasts
from .honesty.hallucination import Honesty, contradiction, hallucination_test
from .honesty.invented import explained_contrasts, invented_blobs, unexplained_contrast
from .honesty.lesions import BACKGROUNDS, Lesion, draw_lesions, insert_lesions, uniform_places
from .honesty.roc import Detection, area_under_roc, d_prime, detection
from .honesty.structures import delete_structures, find_structures
from .noise import (
    NoisePowerSpectrum,
    SliceConsistency,
    global_noise,
    noise_by_difference,
    noise_power_spectrum,
    slice_consistency,
    square_regions,
)
from .perception import body_centre, fid_vgg, niqe, niqe_of_picture, st_lpips, vgg_features
from .phantom import LOW_CONTRAST_RODS, MATERIAL_RODS, Insert, Phantom, digital_phantom
from .placement import subpixel_shift
from .regions import TISSUES, Disc, find_disc
from .resolution import TransferFunction, disc_ttf, edge_mtf, rods_ttf

__all__ = [
    "BACKGROUNDS",
    "LOW_CONTRAST_RODS",
    "MATERIAL_RODS",
    "TISSUES",
    "TISSUE_RANGES",
    "WINDOWS",
    "Detection",
    "Disc",
    "Honesty",
    "Insert",
    "Lesion",
    "Linearity",
    "NoisePowerSpectrum",
    "Phantom",
    "SliceConsistency",
    "TissueError",
    "TransferFunction",
    "area_under_roc",
    "bias",
    "body_centre",
    "body_mask",
    "contradiction",
    "d_prime",
    "delete_structures",
    "detectability",
    "detection",
    "detector_map",
    "digital_phantom",
    "disc_spectrum",
    "disc_ttf",
    "draw_lesions",
    "edge_mtf",
    "explained_contrasts",
    "eye_filter",
    "fid_vgg",
    "find_disc",
    "find_structures",
    "global_noise",
    "hallucination_test",
    "hu_linearity",
    "inner_body",
    "insert_lesions",
    "insert_means",
    "invented_blobs",
    "ms_ssim",
    "niqe",
    "niqe_of_picture",
    "noise_by_difference",
    "noise_power_spectrum",
    "peaks",
    "psnr",
    "read_contrasts",
    "rmse",
    "rods_ttf",
    "slice_consistency",
    "square_regions",
    "ssim",
    "st_lpips",
    "subpixel_shift",
    "tissue_errors",
    "unexplained_contrast",
    "uniform_places",
    "vgg_features",
]
