"""Generators, one architecture a file, and what turns trained ones into those for inference."""

from .fold import fold
from .interpolate import interpolate
from .light import LightGenerator
from .rrdb import CTsGANGenerator

__all__ = ["CTsGANGenerator", "LightGenerator", "fold", "interpolate"]
