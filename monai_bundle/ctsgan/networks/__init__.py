"""Generators: one architecture a file."""

from .light import LightGenerator

__all__ = ["LightGenerator"]
