"""CT volumes in, sharper and cleaner CT volumes of the same patient in the same place out."""

from __future__ import annotations

from typing import Any

from .errors import CTError

__version__ = "0.1.0"
__all__ = ["CTError", "enhance"]


def __getattr__(name: str) -> Any:
    # PyTorch is loaded only where it is needed, so that `ctsgan --help` answers at once
    if name == "enhance":
        from .api import enhance

        return enhance
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
