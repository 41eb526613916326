"""Whether a method shows what is there: the hallucination test, and where an output contradicts its input."""

from .contradiction import contradiction_map
from .hallucination import measure_honesty

__all__ = ["contradiction_map", "measure_honesty"]
