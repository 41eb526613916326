"""From a sharp CT slice to what a coarser, blurrier, noisier acquisition would have shown."""

from .chain import Chain
from .high_order import HighOrderDegradation, Order
from .mixture import MixedDegradation
from .operators import correlated_noise
from .paper import RandJpeg, RandKernelBlur, RandPoissonNoise, RandResize, RandSinc
from .pipeline import PRESETS, PROTOCOLS, Degradation, preset
from .scanner import (
    RandCupping,
    RandDetectorFootprint,
    RandMtfBlur,
    RandQuantumNoise,
    RandRings,
    RandStreaks,
    RandThickSlices,
)
from .small_scanner import ScannerDegradation
from .stored_streaks import RandStoredStreaks, project_streaks
from .transforms import RandBlur, RandNoise, RandReduce

__all__ = [
    "PRESETS",
    "PROTOCOLS",
    "Chain",
    "Degradation",
    "HighOrderDegradation",
    "MixedDegradation",
    "Order",
    "RandBlur",
    "RandCupping",
    "RandDetectorFootprint",
    "RandJpeg",
    "RandKernelBlur",
    "RandMtfBlur",
    "RandNoise",
    "RandPoissonNoise",
    "RandQuantumNoise",
    "RandReduce",
    "RandResize",
    "RandRings",
    "RandSinc",
    "RandStoredStreaks",
    "RandStreaks",
    "RandThickSlices",
    "ScannerDegradation",
    "correlated_noise",
    "preset",
    "project_streaks",
]
