"""The inference task of MONAI Label: the path of ``ctsgan enhance``, asked for over HTTP."""

from __future__ import annotations

import logging
import tempfile
import uuid
from pathlib import Path
from typing import Any

from fastapi import HTTPException
from monailabel.interfaces.tasks.infer_v2 import InferTask, InferType
from monailabel.utils.others.generic import device_list, device_map

from ctsgan.errors import CTError
from ctsgan.io.files import SUFFIXES, split_suffix
from ctsgan.models import STRENGTHS, catalogue, scales
from ctsgan.progress import LogProgress
from ctsgan.workflow import Request, enhance_file

NAME = "ct_enhance"

MODEL = "light"

EXTENSIONS = (".nii.gz", ".nii", ".nrrd", ".mha")
"""One file each, as an answer over HTTP must be; the first where the request names none."""

UNPROCESSABLE = 422
"""HTTP status of a request that the user can mend."""

logger = logging.getLogger(__name__)


class EnhanceTask(InferTask):
    """Enhances the image of a request, and answers with a finer image in the same place.

    Of the request's parameters it takes ``scale``, ``strength`` and ``device``, as ``ctsgan enhance`` does, and
    ``result_extension``, one of :data:`EXTENSIONS`. ``result_dtype`` is for label maps, and HU do not fit into what
    Slicer asks for (uint8), so that it is passed over.
    """

    def __init__(self) -> None:
        config = {"scale": _scales(), "strength": _strengths(), "device": device_list()}
        super().__init__(
            type=InferType.OTHERS,
            labels=None,
            dimension=3,
            description="A sharper and cleaner CT volume of the same patient, in the same place, in HU",
            config=config,
        )

    def is_valid(self) -> bool:
        return True

    def __call__(self, request: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """The path of the enhanced file, which the server sends and removes, and facts about it.

        Raises:
            HTTPException: 422 with one sentence, for what the user can mend.
        """
        try:
            target = Path(tempfile.gettempdir()) / f"{NAME}-{uuid.uuid4().hex}{_extension(request)}"
            with LogProgress(NAME, "slice") as progress:
                report = enhance_file(_source(request), target, _request(request), progress)
        except CTError as error:
            logger.warning("%s: %s", NAME, error)
            raise HTTPException(UNPROCESSABLE, str(error)) from None
        facts = {"shape": report.shape, "spacing_mm": report.spacing_mm, "compute_s": round(report.compute_s, 2)}
        logger.info("%s: %s", NAME, facts)
        return str(target), facts


def _scales() -> list[str]:
    """What is offered, as the texts that clients show in a list; they start with the first."""
    return sorted(map(str, scales(MODEL)), key=lambda scale: scale != "2")


def _strengths() -> list[str]:
    """The names of strengths; all but low need weights of the second stage."""
    offered = catalogue()["models"][MODEL]["scales"].values()
    complete = all("high" in entry["weights"] for entry in offered)
    return [name for name, value in STRENGTHS.items() if complete or value == 0.0]


def _source(request: dict[str, Any]) -> Path:
    source = Path(request["image"])
    # MONAI Label holds pydicom at a version that ctsgan's DICOM cannot use
    if split_suffix(source)[1] not in SUFFIXES:
        raise CTError(
            f"{source.name} is not one of {', '.join(SUFFIXES)}; give DICOM through a DICOMweb server, of which MONAI "
            "Label makes NIfTI"
        )
    return source


def _extension(request: dict[str, Any]) -> str:
    extension = request.get("result_extension") or EXTENSIONS[0]
    if extension not in EXTENSIONS:
        raise CTError(f"result_extension must be one of {', '.join(EXTENSIONS)}, not {extension}")
    return extension


def _request(request: dict[str, Any]) -> Request:
    scale = str(request.get("scale", 2))
    if not scale.isdecimal():
        raise CTError(f"scale must be 1, 2 or 4, not {scale}")
    device = str(request.get("device", "auto"))
    # MONAI Label offers GPUs by the names of their makers
    device = device_map().get(device, device)
    return Request(model=MODEL, scale=int(scale), strength=request.get("strength", "low"), device=device)
