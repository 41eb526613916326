"""From a sharp CT slice to what a coarser, blurrier, noisier acquisition would have shown."""

from .operators import bicubic_mean, correlated_noise
from .pipeline import PRESETS, Degradation, preset
from .transforms import RandBlur, RandNoise, RandReduce

__all__ = [
    "PRESETS",
    "Degradation",
    "RandBlur",
    "RandNoise",
    "RandReduce",
    "bicubic_mean",
    "correlated_noise",
    "preset",
]
