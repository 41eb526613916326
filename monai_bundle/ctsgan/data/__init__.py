"""Training data: which volumes, their slices packed for quick reading, patches degraded as they are drawn."""

from .lesions import RandLesions
from .packed import load_slices
from .patches import PatchBatches
from .sources import find_sources
from .validation import validation_pairs

__all__ = ["PatchBatches", "RandLesions", "find_sources", "load_slices", "validation_pairs"]
