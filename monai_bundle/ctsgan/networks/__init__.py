"""Networks, one architecture a file, and what turns trained generators into those for inference."""

from .discriminator import UNetDiscriminator
from .esrgan import calibrate, from_esrgan
from .fold import fold
from .grow import grow, misfit, was_told
from .interpolate import interpolate
from .light import LightGenerator
from .perceptual import VGGFeatures
from .rrdb import CTsGANGenerator
from .span import SPANGenerator, from_larger_scale, from_span

__all__ = [
    "CTsGANGenerator",
    "LightGenerator",
    "SPANGenerator",
    "UNetDiscriminator",
    "VGGFeatures",
    "calibrate",
    "fold",
    "from_esrgan",
    "from_larger_scale",
    "from_span",
    "grow",
    "interpolate",
    "misfit",
    "was_told",
]
