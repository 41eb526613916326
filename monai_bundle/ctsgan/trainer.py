"""What MONAI's trainer lacks for these networks: CPU mixed precision, an average of the weights, windowed scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, EMAHandler
from monai.inferers import Inferer
from monai.utils.enums import CommonKeys
from torch import nn

from .intensity import from_network_range


class AutocastInferer(Inferer):
    """Runs the network in mixed precision on any device (MONAI's ``amp`` is for CUDA alone).

    Args:
        device_type: "cpu" or "cuda".
        enabled: off gives plain float32.
    """

    def __init__(self, device_type: str, enabled: bool = True) -> None:
        super().__init__()
        self.device_type = device_type
        self.enabled = enabled

    def __call__(self, inputs: torch.Tensor, network: Callable[..., torch.Tensor], *args: Any, **kwargs: Any) -> Any:
        with torch.autocast(self.device_type, torch.bfloat16, enabled=self.enabled):
            return network(inputs, *args, **kwargs)


class AveragedWeights:
    """Exponential moving average of the weights, in the shape of a MONAI handler.

    Args:
        network: the network being trained.
        decay: weight of the past at each update.
    """

    def __init__(self, network: nn.Module, decay: float = 0.999) -> None:
        self._handler = EMAHandler(network, momentum=1.0 - decay)

    @property
    def network(self) -> nn.Module:
        """The network with averaged weights, to be validated and saved."""
        return self._handler.ema_model

    def attach(self, engine: Engine) -> None:
        self._handler.attach(engine, event=Events.ITERATION_COMPLETED)


def windowed(window_hu: Sequence[float]) -> Callable[[Any], tuple[list[torch.Tensor], list[torch.Tensor]]]:
    """An ``output_transform`` for MONAI's image metrics: prediction and label clipped to a window, as [0, 1]."""
    low, high = window_hu

    def transform(output: Any) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        prediction, label = (
            [((from_network_range(item[key].float()).clamp(low, high)) - low) / (high - low) for item in output]
            for key in (CommonKeys.PRED, CommonKeys.LABEL)
        )
        return prediction, label

    return transform


class LogMetrics:
    """A MONAI handler that prints an evaluator's metrics on one line when it has run through.

    Args:
        name: what was evaluated.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        scores = "  ".join(f"{name} {value:.3f}" for name, value in engine.state.metrics.items())
        print(f"validation {self.name}: {scores}", flush=True)


def start_from(
    output_dir: str | Path,
    init_from: str | Path,
    network: nn.Module,
    averaged: AveragedWeights,
    optimizer: torch.optim.Optimizer,
    lr_scheduler: Any,
    trainer: Engine,
) -> None:
    """Go on from the newest checkpoint of ``output_dir``; else start from another run's averaged weights.

    From ``init_from``, another run's checkpoint or a weight file of the bundle, every tensor of the same name and
    shape is taken, so that a generator for another scale hands on its body; its own entrance is new, and its exit
    starts at zero again. Weight files hold the form for inference: they fit a network that is trained in that form
    (``network_def#collapsed``).

    Raises:
        ValueError: if nothing in ``init_from`` fits the network.
    """
    checkpoints = sorted(Path(output_dir).glob("checkpoint_*.pt"), key=lambda path: path.stat().st_mtime)
    if checkpoints:
        state = torch.load(checkpoints[-1], map_location="cpu", weights_only=True)
        parts = {"network": network, "averaged": averaged.network, "optimizer": optimizer}
        wanted = trainer.state.max_epochs
        Checkpoint.load_objects({**parts, "lr_scheduler": lr_scheduler, "trainer": trainer}, state)
        # the checkpoint's own end must not be the end of this run
        trainer.state.max_epochs = wanted
        print(f"going on from {checkpoints[-1]}", flush=True)
    elif init_from:
        state = torch.load(init_from, map_location="cpu", weights_only=True)
        state = state.get("averaged", state)
        own = network.state_dict()
        taken = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
        if len(taken) < len(own):
            # a new entrance sends a trained exit noise to amplify; from zero, the body survives the first updates
            taken = {name: value for name, value in taken.items() if not name.startswith("exit.")}
        if not taken:
            raise ValueError(f"no tensor of {init_from} fits the network")
        for model in (network, averaged.network):
            model.load_state_dict(taken, strict=False)
        print(f"{len(taken)} of {len(own)} tensors taken from {init_from}", flush=True)
