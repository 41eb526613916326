"""The shipped models with the default settings of ``ctsgan enhance``, at each strength that has weights."""

from __future__ import annotations

import json

import numpy as np
import torch

from ...enhancement import Settings, enhance_slices
from ...models import STRENGTHS, arguments, catalogue, load_generator, scales, weight_files
from .method import Enhance, Method


def methods(model: str) -> dict[str, Method]:
    """``ctsgan MODEL`` at low strength, and ``ctsgan MODEL high`` and ``medium`` where the catalogue has the weights.

    Raises:
        CTError: if there is no such model.
    """
    both = tuple(
        scale for scale in scales(model) if "high" in catalogue()["models"][model]["scales"][str(scale)]["weights"]
    )
    offered = {"low": scales(model), "medium": both, "high": both}
    return {
        f"ctsgan {model}" + ("" if strength == "low" else f" {strength}"): _method(model, strength, offered[strength])
        for strength in STRENGTHS
        if offered[strength]
    }


def of_network(network: torch.nn.Module, settings: Settings | None = None) -> Enhance:
    """A generator as a method that is compared; with the default settings unless told."""
    settings = settings or Settings()

    def enhance(low: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
        return enhance_slices(low[None], spacing_mm, network, settings)[0]

    return enhance


def _method(model: str, strength: str, offered: tuple[int, ...]) -> Method:
    entry = catalogue()["models"][model]

    def prepare(scale: int, preset: str) -> Enhance:
        return of_network(load_generator(model, scale, strength))

    def identity(scale: int, preset: str) -> str:
        weights = " ".join(file["sha256"][:16] for file in weight_files(model, scale, STRENGTHS[strength]))
        return f"{weights} {json.dumps(arguments(model, scale))} {strength} fidelity {Settings().fidelity_mm}"

    return Method(scales=offered, prepare=prepare, identity=identity, licence=entry["licence"], ours=True)
