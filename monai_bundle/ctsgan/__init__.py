"""CT volumes in, sharper and cleaner CT volumes of the same patient in the same place out."""

__version__ = "0.1.0"
