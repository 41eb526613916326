"""Where the bundle's own files are, in a checkout and in an installed package."""

from __future__ import annotations

from pathlib import Path


def bundle_root() -> Path:
    """The folder with ``configs``, ``models`` and ``docs``: the bundle itself, or its copy inside the package."""
    package = Path(__file__).resolve().parent
    installed = package / "bundle"
    return installed if installed.is_dir() else package.parent
