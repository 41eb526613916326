"""What a radiology researcher would pick instead, beside the shipped models.

One file for each family of methods; each offers ``METHODS``, from a name to a
:class:`~ctsgan.evaluation.methods.method.Method`. Order is that of the report's tables.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import CTError
from ...models import catalogue
from . import classical, denoise, esrgan, interpolation, ours, span, spandrel_file, srmd, tensorflow
from .method import Enhance, Method, Unavailable

__all__ = ["PEERS", "Enhance", "Method", "Unavailable", "baseline", "choose"]

FAMILIES = (interpolation, classical, denoise, tensorflow, srmd, span, esrgan)

PEERS: dict[str, Method] = {name: method for family in FAMILIES for name, method in family.METHODS.items()}


def baseline(scale: int) -> str:
    """The method that the others are compared with: bicubic interpolation, at x1 the input itself."""
    return "input" if scale == 1 else "bicubic"


def choose(names: Sequence[str] | None, scale: int, model: str = "light") -> dict[str, Method]:
    """Methods by name, in the order of the tables; the baseline is always among them.

    Args:
        names: of :data:`PEERS`, of our models as in :func:`ctsgan.evaluation.methods.ours.methods`, or paths of
            model files; ``None`` takes all peers that are offered for the scale, and ``model``.
        scale: what they are asked for.
        model: ours where no names are given, a name of the catalogue.

    Raises:
        CTError: for a name that there is not, a file that is no model, or a method of another scale.
    """
    if names is None:
        offered = {**PEERS, **ours.methods(model)}
        return {name: method for name, method in offered.items() if scale in method.scales}
    methods = dict(PEERS)
    for own in catalogue()["models"]:
        methods |= ours.methods(own)
    files = [name for name in names if name not in methods and spandrel_file.is_model_file(name)]
    methods |= {spandrel_file.name_of(path): spandrel_file.method(path) for path in files}
    wanted = {baseline(scale), *(spandrel_file.name_of(name) if name in files else name for name in names)}
    for name in sorted(wanted):
        if name not in methods:
            raise CTError(f"there is no method {name!r}; choose among {', '.join(methods)}, or give a model file")
        if scale not in methods[name].scales:
            offered = " and ".join(f"x{offer}" for offer in methods[name].scales)
            raise CTError(f"{name} is offered for {offered}, not for x{scale}; leave it out, or choose another --scale")
    return {name: method for name, method in methods.items() if name in wanted}
