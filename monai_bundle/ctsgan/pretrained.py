"""Training that begins with what a network for photographs has learnt (transfer learning)."""

from __future__ import annotations

import torch
from ignite.engine import Engine

from .data import PatchBatches
from .errors import CTError
from .networks import calibrate, from_esrgan, from_span
from .trainer import Checkpoints, start_from

CALIBRATION_BATCHES = 8
"""Batches of training patches whose statistics normalisations begin with."""


def start_from_esrgan(checkpoints: Checkpoints, esrgan: str, batches: PatchBatches, trainer: Engine) -> None:
    """Go on from a run's checkpoint, where there is one; else start from an ESRGAN for photographs.

    Args:
        checkpoints: of this run, with a :class:`~ctsgan.networks.CTsGANGenerator` as ``network``.
        esrgan: path of a model file that spandrel takes for an ESRGAN, or "Real-ESRGAN" or "RealSR DF2K", whose
            weights ``ctsgan evaluate --get-peers`` brings.
        batches: the data, which normalisations are calibrated on.
        trainer: the engine.

    Raises:
        CTError: if there are no such weights, or they do not fit the generator.
    """
    if checkpoints.path.exists():
        start_from(checkpoints, "", batches, trainer)
        return
    from .evaluation.methods.esrgan import layers_of

    if not esrgan:
        raise CTError("say where to start: --esrgan FILE, of an ESRGAN, or --esrgan 'RealSR DF2K'")
    network, averaged = checkpoints.parts["network"], checkpoints.parts["averaged"]
    try:
        network.load_state_dict(from_esrgan(layers_of(esrgan), network), strict=False)
    except ValueError as error:
        raise CTError(f"{esrgan} does not fit the generator: {error}") from None
    images = torch.cat([batches.batch(number)["image"] for number in range(CALIBRATION_BATCHES)])
    # batches hold the softness for a teacher that is told it, too
    calibrate(network, images if network.told else images[:, :1])
    averaged.load_state_dict(network.state_dict())
    print(f"{len(network.body)} blocks start from {esrgan}", flush=True)


def start_from_span(checkpoints: Checkpoints, batches: PatchBatches, trainer: Engine) -> None:
    """Go on from a run's checkpoint, where there is one; else start from the published SPAN for photographs.

    Args:
        checkpoints: of this run, with a :class:`~ctsgan.networks.SPANGenerator` of 48 or 52 features as ``network``.
        batches: the data.
        trainer: the engine.

    Raises:
        CTError: if the weights, which ``ctsgan evaluate --get-peers`` brings, are not there or do not fit.
    """
    if checkpoints.path.exists():
        start_from(checkpoints, "", batches, trainer)
        return
    from .evaluation.methods.span import published

    network, averaged = checkpoints.parts["network"], checkpoints.parts["averaged"]
    features = network.body.join.out_channels
    if network.scale not in (2, 4) or features not in (48, 52):
        raise CTError(
            f"SPAN was published for x2 and x4 with 48 and 52 features, not for x{network.scale} with {features}"
        )
    network.load_state_dict(from_span(*published(network.scale, features), network), strict=False)
    averaged.load_state_dict(network.state_dict())
    print(f"starts from SPAN of {features} features", flush=True)
