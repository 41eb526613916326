"""Where hosts are installed, and what their processes are given."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

ENVIRONMENTS = Path(os.environ.get("CTSGAN_HOSTS", ROOT / ".hosts"))
"""Where the Makefile puts an environment for each host."""


def process_environment() -> dict[str, str]:
    """Of a host's process: this checkout's bundle, and nothing else of the Python that starts it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "COV_", "PYTHON"))}
    return {**kept, "PYTHONPATH": str(ROOT / "monai_bundle")}
