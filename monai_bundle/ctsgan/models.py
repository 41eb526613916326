"""The models that the bundle ships: a catalogue, and how one becomes a network."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import CTError
from .paths import bundle_root

if TYPE_CHECKING:
    import torch

STRENGTHS = {"low": 0.0, "medium": 0.5, "high": 1.0}
"""Names for the interpolation between the weights of the first training stage (0) and the second (1)."""


def models_folder() -> Path:
    """Where weights and their catalogue are kept."""
    return bundle_root() / "models"


def catalogue(folder: Path | None = None) -> dict[str, Any]:
    """What the bundle offers of each model: architecture, licence, and for each scale files and quality.

    A model with ``weights_of`` computes something else with the weights of another: it has that one's files, and the
    architecture and arguments that go with them, at every scale for which :func:`stored_catalogue` names no files of
    its own.
    """
    content = stored_catalogue(folder)
    for entry in content["models"].values():
        if "weights_of" in entry:
            lender = content["models"][entry["weights_of"]]
            for scale, offer in entry["scales"].items():
                lent = lender["scales"][scale]
                if "weights" not in offer:
                    offer |= {name: lent[name] for name in ("weights", "architecture") if name in lent}
                    offer["arguments"] = lent.get("arguments", {}) | offer.get("arguments", {})
    return content


def stored_catalogue(folder: Path | None = None) -> dict[str, Any]:
    """``models.json`` as it is written."""
    path = (folder or models_folder()) / "models.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CTError(f"the catalogue of models is missing: {path}; install the package again") from None
    except json.JSONDecodeError as error:
        raise CTError(f"the catalogue of models is damaged: {path} ({error}); install the package again") from None


def scales(model: str, folder: Path | None = None) -> tuple[int, ...]:
    """The scales a model is offered for, ascending."""
    return tuple(sorted(int(scale) for scale in _entry(model, folder)["scales"]))


def strength_value(strength: str | float) -> float:
    """Low, medium, high or a number between 0 and 1 as that number."""
    if strength in STRENGTHS:
        return STRENGTHS[strength]
    try:
        value = float(strength)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise CTError(f"strength must be low, medium, high or a number from 0 to 1, not {strength}")
    return value


def arguments(model: str, scale: int, folder: Path | None = None) -> dict[str, Any]:
    """Those of a model's architecture, beside the scale: the model's own, and those of this scale before them."""
    entry = _entry(model, folder)
    return combined_arguments(entry, _offer(entry, model, scale))


def architecture(entry: dict[str, Any], offer: dict[str, Any]) -> type[torch.nn.Module]:
    """The class of a generator, from a model's entry in the catalogue and what it says of one scale."""
    from . import networks

    return getattr(networks, offer.get("architecture", entry["architecture"]))


def combined_arguments(entry: dict[str, Any], offer: dict[str, Any]) -> dict[str, Any]:
    """:func:`arguments` from a model's entry in the catalogue and what it says of one scale."""
    return entry["arguments"] | offer.get("arguments", {})


def weight_files(model: str, scale: int, strength: float, folder: Path | None = None) -> list[dict[str, Any]]:
    """The one or two weight files (``file``, ``sha256``) that a strength is made of, first stage first."""
    stages = _offer(_entry(model, folder), model, scale)["weights"]
    if strength > 0.0 and "high" not in stages:
        raise CTError(f"model {model} x{scale} has no second-stage weights, so only --strength low is offered")
    names = ["low"] if strength == 0.0 else ["high"] if strength == 1.0 else ["low", "high"]
    return [stages[name] for name in names]


def load_weights(entry: dict[str, Any], folder: Path | None = None) -> dict[str, torch.Tensor]:
    """A weight file of the catalogue, checked against its SHA-256, as a float32 state dict.

    Raises:
        CTError: if it is missing, or is not the file that the catalogue means.
    """
    import io

    import torch

    path = (folder or models_folder()) / entry["file"]
    if not path.is_file():
        raise CTError(f"model file missing: {path}; install the package again")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != entry["sha256"]:
        raise CTError(f"model file damaged: {path} does not have the SHA-256 of the catalogue; install it again")
    state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return {name: value.float() for name, value in state.items()}


def averaged_weights(path: str | Path) -> dict[str, torch.Tensor]:
    """The averaged weights of a training checkpoint, or those of a weight file."""
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    return state.get("averaged", state)


def new_generator(model: str, scale: int, folder: Path | None = None, **instead: Any) -> torch.nn.Module:
    """The network of a model of the catalogue, with the weights that it is born with.

    Args:
        model: a name of the catalogue.
        scale: one that it is offered for.
        folder: of the models; ``None`` is the bundle's.
        instead: arguments of its architecture that are not to be those of the catalogue.

    Raises:
        CTError: if model or scale is not offered.
    """
    entry = _entry(model, folder)
    offer = _offer(entry, model, scale)
    return architecture(entry, offer)(scale=scale, **combined_arguments(entry, offer) | instead)


def load_generator(
    model: str = "light", scale: int = 2, strength: str | float = "low", folder: Path | None = None
) -> torch.nn.Module:
    """A model of the catalogue as a network ready for inference: (B, 1, H, W) in the networks' range in and out.

    Raises:
        CTError: if model, scale or strength is not offered, or a file is missing or damaged.
    """
    from . import networks

    value = strength_value(strength)
    files = weight_files(model, scale, value, folder)
    generator = new_generator(model, scale, folder)
    states = [load_weights(file, folder) for file in files]
    state = states[0] if len(states) == 1 else networks.interpolate(states[0], states[1], value)
    generator.load_state_dict(state)
    return generator.eval()


def _entry(model: str, folder: Path | None) -> dict[str, Any]:
    models = catalogue(folder)["models"]
    if model not in models:
        raise CTError(f"there is no model {model!r}; choose one of {', '.join(sorted(models))}")
    return models[model]


def _offer(entry: dict[str, Any], model: str, scale: int) -> dict[str, Any]:
    offered = entry["scales"]
    if str(scale) not in offered:
        raise CTError(f"model {model} is not offered for x{scale}; choose --scale {' or '.join(sorted(offered))}")
    return offered[str(scale)]
