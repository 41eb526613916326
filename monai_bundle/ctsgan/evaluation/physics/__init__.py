"""What a method resolves, how noisy it is and whether its HU are true, as a physicist measures a scanner."""

from .consistency import measure_consistency
from .edges import measure_edges
from .phantom import measure_physics

__all__ = ["measure_consistency", "measure_edges", "measure_physics"]
