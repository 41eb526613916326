"""PyTorch and the other packages that the bundle needs, installed on first use and only with consent."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import slicer.packaging
from slicer.i18n import tr as _


def missing_packages(requirements_path: Path) -> list:
    """The requirements of a file that are not met."""
    return [one for one in slicer.packaging.load_requirements(requirements_path) if not _is_there(one)]


def ensure_packages(requirements_path: Path) -> None:
    """Return when all packages are there; nothing is asked and no network needed where they are already.

    Args:
        requirements_path: of a requirements file.

    Raises:
        RuntimeError: one sentence for the user, if one is missing and was not installed.
    """
    missing = missing_packages(requirements_path)
    for requirement in missing:
        if requirement.name == "torch":
            _install_torch(str(requirement.specifier))
    others = [str(requirement) for requirement in missing if requirement.name != "torch"]
    if others:
        slicer.packaging.pip_ensure(others, requester="CTsGANEnhance")
    absent = [str(requirement) for requirement in missing if not _is_there(requirement)]
    if absent:
        raise RuntimeError(
            _("Not installed: {packages}. Behind a proxy, set HTTPS_PROXY before Slicer starts.").format(
                packages=", ".join(absent)
            )
        )


def _install_torch(version: str) -> None:
    try:
        import PyTorchUtils
    except ModuleNotFoundError:
        raise RuntimeError(
            _("PyTorch is missing: install the extension PyTorch from the Extensions Manager, then restart Slicer.")
        ) from None
    PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True, torchVersionRequirement=version)


def _is_there(requirement) -> bool:
    """Without importing it: PyTorch belongs into the worker, not into Slicer."""
    try:
        return requirement.specifier.contains(importlib.metadata.version(requirement.name), prereleases=True)
    except importlib.metadata.PackageNotFoundError:
        return False
