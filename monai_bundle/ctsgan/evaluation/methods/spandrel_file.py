"""Any model file that spandrel knows, as a method: what a user wants to compare."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from ...errors import CTError
from .method import Enhance, Method, through_pictures

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors")


def is_model_file(name: str) -> bool:
    """Whether a method's name is the path of a model file."""
    return name.lower().endswith(SUFFIXES)


def name_of(path: str) -> str:
    """A model file's name in the tables: its own, without folder and suffix."""
    return Path(path).stem


@cache
def import_spandrel() -> None:
    """Make spandrel importable.

    Beside a PyTorch for the CPU, the torchvision of PyPI cannot load its operators and stops at the first two that
    it describes. spandrel imports torchvision and uses neither, so their names are enough.

    Raises:
        CTError: if it is not installed.
    """
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _KEPT.append(library)
    except ModuleNotFoundError:
        pass
    try:
        import spandrel  # noqa: F401
    except ModuleNotFoundError:
        raise CTError("model files are read by spandrel; install it with: pip install spandrel") from None


_KEPT: list[torch.library.Library] = []
"""What is defined lasts as long as its library."""


def load_model(path: str) -> ImageModelDescriptor:
    """A model file as spandrel reads it.

    Raises:
        CTError: if it is not one that makes one picture of one picture.
    """
    import_spandrel()
    from spandrel import ImageModelDescriptor, ModelLoader

    if not Path(path).is_file():
        raise CTError(f"there is no model file {path}; check the name")
    try:
        descriptor = ModelLoader(device="cpu").load_from_file(path)
    except Exception as error:
        # unpickling and guessing an architecture fail in many ways, all of which mean the same here
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CTError(f"{path} is not a model that spandrel reads ({reason}); give another file") from None
    if not isinstance(descriptor, ImageModelDescriptor):
        raise CTError(f"{path} does not take one picture to one picture; give another model")
    if descriptor.input_channels not in (1, 3) or descriptor.output_channels not in (1, 3):
        raise CTError(f"{path} takes {descriptor.input_channels} channels, not 1 or 3; give another model")
    return descriptor


class _Grey(torch.nn.Module):
    """A model for 1 or 3 channels as one for grey: equal channels in, their mean out."""

    def __init__(self, descriptor: ImageModelDescriptor) -> None:
        super().__init__()
        self.model = descriptor.model
        self.descriptor = descriptor

    def forward(self, grey: torch.Tensor) -> torch.Tensor:
        channels = grey.expand(-1, self.descriptor.input_channels, -1, -1).contiguous()
        return self.descriptor(channels).mean(dim=1, keepdim=True)


def method(path: str) -> Method:
    """A model file as one of the compared methods; scale and channels are what spandrel finds in it.

    The model sees what networks for photographs see: the window from -1024 to 3071 HU as [0, 1].

    Raises:
        CTError: if it cannot be read as a model that makes one picture of one picture.
    """
    descriptor = load_model(path)
    digest = hashlib.sha256(Path(path).read_bytes()).hexdigest()

    def prepare(scale: int, preset: str) -> Enhance:
        return through_pictures(_Grey(descriptor), scale)

    return Method(
        scales=(descriptor.scale,),
        prepare=prepare,
        identity=lambda scale, preset: f"{digest[:16]} {descriptor.architecture.name}",
        licence="of the file's author",
    )
