"""The shipped models with the default settings of ``ctsgan enhance``."""

from __future__ import annotations

import json

from ctsgan.enhancement import Settings, enhance_slices
from ctsgan.models import catalogue, load_generator, scales

from .method import Enhance, Method


def method(model: str) -> Method:
    """A model of the catalogue as one of the compared methods."""

    def prepare(scale: int, preset: str) -> Enhance:
        network = load_generator(model, scale)
        return lambda low, spacing_mm: enhance_slices(low[None], spacing_mm, network)[0]

    def identity(scale: int, preset: str) -> str:
        entry = catalogue()["models"][model]
        weights = entry["scales"][str(scale)]["weights"]["low"]["sha256"]
        return f"{weights[:16]} {json.dumps(entry['arguments'])} fidelity {Settings().fidelity_mm}"

    return Method(scales=scales(model), prepare=prepare, identity=identity, licence="Apache-2.0", ours=True)
