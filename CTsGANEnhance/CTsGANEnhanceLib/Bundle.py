"""Where the bundle is, that does all the work, and how it is run."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

MODULE_FOLDER = Path(__file__).resolve().parent.parent


def bundle_folder(module_folder: Path = MODULE_FOLDER) -> Path:
    """The folder ``monai_bundle``: beside the module where that is installed, above it in the source tree.

    Raises:
        FileNotFoundError: if it is in neither place.
    """
    for folder in (module_folder, module_folder.parent):
        if (folder / "monai_bundle/ctsgan/__main__.py").is_file():
            return folder / "monai_bundle"
    raise FileNotFoundError(f"monai_bundle is neither in {module_folder} nor above it; install the extension again")


def use_bundle() -> None:
    """Let ``import ctsgan`` find the bundle; what this module imports of it needs NumPy only, not PyTorch."""
    folder = str(bundle_folder())
    if folder not in sys.path:
        sys.path.append(folder)


def python_command() -> list[str]:
    """What starts Slicer's own Python; outside Slicer, this one."""
    return [shutil.which("PythonSlicer") or sys.executable]


def worker_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """An environment in which ``python -m ctsgan`` is the bundle's."""
    paths = [str(bundle_folder()), environment.get("PYTHONPATH", "")]
    return {**environment, "PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONIOENCODING": "utf-8"}
