"""What MONAI's trainer lacks for these networks: CPU mixed precision, an average of the weights, safe stops."""

from __future__ import annotations

import copy
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from ignite.handlers import Checkpoint, EMAHandler
from monai.engines.utils import default_prepare_batch
from monai.inferers import Inferer
from monai.utils.enums import CommonKeys
from torch import nn

from .data import PatchBatches
from .errors import CTError
from .intensity import from_network_range
from .models import averaged_weights
from .networks import LightGenerator, SPANGenerator, from_larger_scale, grow, misfit, was_told
from .networks.expert import turned, turned_back

CHECKPOINT = "checkpoint.pt"


def is_first_process() -> bool:
    """Whether this process writes and prints, among those that train together."""
    return not torch.distributed.is_initialized() or torch.distributed.get_rank() == 0


def loss_of(engine: Engine) -> torch.Tensor:
    """The loss of a trainer's last update, a scalar."""
    output = engine.state.output
    return torch.as_tensor((output[0] if isinstance(output, list) else output)[CommonKeys.LOSS]).detach()


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


class Taught:
    """A ``prepare_batch`` of MONAI's trainers: the target is in part what a network itself makes of the input, averaged
    over the flips and quarter turns of it.

    The sharp image of a noisy scan holds noise that nobody can foresee, and most of each gradient is spent on it. The
    mean over turns holds none, and is nearer to the truth than a single pass (self-ensemble, Timofte et al., CVPR 2016;
    learnt by the network itself as in born-again networks, Furlanello et al., ICML 2018).

    Args:
        network: that teaches, such as :func:`teacher`.
        inferer: what runs it.
        turns: how many of the eight are averaged.
        share: of the target, 0 to 1; the rest is the sharp image.
        tell: whether the network that is taught gets the softness too, where the one that teaches gets it.
    """

    def __init__(
        self, network: nn.Module, inferer: Inferer, turns: int = 8, share: float = 0.5, tell: bool = True
    ) -> None:
        self.network, self.inferer = network, inferer
        self.turns, self.share, self.tell = turns, share, tell

    def __call__(
        self, batchdata: Any, device: torch.device, non_blocking: bool = False, **keywords: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        image, label = default_prepare_batch(batchdata, device, non_blocking, **keywords)
        with torch.no_grad():
            answers = [
                turned_back(self.inferer(turned(image, turn), self.network).float(), turn) for turn in range(self.turns)
            ]
        return image if self.tell else image[:, :1], label.lerp(torch.stack(answers).mean(dim=0), self.share)


def teacher(network: nn.Module, weights: str | Path) -> nn.Module:
    """What a network of the same architecture was when it had other weights, for :class:`Taught`.

    Args:
        network: it is not changed.
        weights: a run's checkpoint, of which the averaged ones are taken, or a weight file of the bundle.

    Raises:
        CTError: if there is no such file, or it is of another architecture.
    """
    if not Path(weights).is_file():
        raise CTError(f"there is no weight file {str(weights)!r} to be taught by; name one with --init_from")
    state = averaged_weights(weights)
    taught_by = copy.deepcopy(network).eval().requires_grad_(False)
    try:
        taught_by.load_state_dict(state)
    except RuntimeError:
        raise CTError(f"{weights} is of another architecture than what it is to teach") from None
    return taught_by


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


def windowed(window_hu: Sequence[float], in_hu: bool = False) -> Callable[[Any], tuple[Any, Any]]:
    """An ``output_transform`` for MONAI's image metrics: prediction and label clipped to a window.

    Args:
        window_hu: lower and upper end in HU.
        in_hu: give HU; otherwise the window becomes [0, 1].
    """
    low, high = window_hu
    width = 1.0 if in_hu else high - low

    def transform(output: Any) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        prediction, label = (
            [(from_network_range(item[key].float()).clamp(low, high) - low) / width for item in output]
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
        if is_first_process():
            scores = "  ".join(f"{name} {value:.3f}" for name, value in engine.state.metrics.items())
            print(f"validation {self.name}: {scores}", flush=True)


class LogProgress:
    """A MONAI handler that prints one line an epoch: updates, mean loss, pace, time left, share of time spent waiting
    for data."""

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self._start)
        engine.add_event_handler(Events.GET_BATCH_STARTED, self._ask)
        engine.add_event_handler(Events.GET_BATCH_COMPLETED, self._receive)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._count)
        # before handlers that validate, whose time is not the training's
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._report)

    def _start(self, engine: Engine) -> None:
        self.began = time.perf_counter()
        self.waited, self.updates, self.losses = 0.0, 0, 0.0

    def _ask(self, engine: Engine) -> None:
        self.asked = time.perf_counter()

    def _receive(self, engine: Engine) -> None:
        self.waited += time.perf_counter() - self.asked

    def _count(self, engine: Engine) -> None:
        self.updates += 1
        self.losses += loss_of(engine).item()

    def _report(self, engine: Engine) -> None:
        state, seconds = engine.state, time.perf_counter() - self.began
        left = (state.max_epochs * state.epoch_length - state.iteration) * seconds / self.updates
        loss = torch.tensor(self.losses / self.updates, device=loss_of(engine).device)
        if torch.distributed.is_initialized():
            # each process has seen its own part of every batch
            torch.distributed.all_reduce(loss)
            loss /= torch.distributed.get_world_size()
        if is_first_process():
            print(
                f"update {state.iteration}: loss {loss.item():.4f}, "
                f"{self.updates / seconds:.2f} updates/s, {100 * self.waited / seconds:.0f} % of the time for data, "
                f"{left / 60:.0f} min left",
                flush=True,
            )


def require_finite(loss: torch.Tensor, network: nn.Module, update: int, whose: str = "") -> None:
    """Raise :class:`CTError` if a loss, or a gradient of the network, is not a number at an update.

    Args:
        loss: scalar.
        network: whose gradients are looked at.
        update: its number, for the message.
        whose: loss it is, for the message, as in "the generator's "; "" where there is one only.
    """
    sums = [weight.grad.sum().float() for weight in network.parameters() if weight.grad is not None]
    if not torch.stack([loss.detach().float(), *sums]).isfinite().all():
        raise CTError(
            f"{whose}loss or gradient is not a number at update {update}; start again from the last checkpoint with a "
            "smaller learning_rate, or with mixed_precision off"
        )


class StopAtNaN:
    """A MONAI handler that ends training at the first loss or gradient that is not a number.

    Args:
        network: whose gradients are looked at.

    Raises:
        CTError: from the update in question; the last checkpoint is from before it.
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        require_finite(loss_of(engine), self.network, engine.state.iteration)


class Checkpoints:
    """A MONAI handler that keeps the newest state of a run: every few minutes, at SIGTERM, and at the end.

    The file appears by rename, so that a run that is killed while it writes keeps the one before. After SIGTERM the
    update at hand is finished and saved, then training ends.

    Args:
        folder: where :data:`CHECKPOINT` is kept.
        parts: what is saved, each with ``state_dict``.
        minutes: between two checkpoints.
    """

    def __init__(self, folder: str | Path, parts: dict[str, Any], minutes: float = 5.0) -> None:
        self.path = Path(folder) / CHECKPOINT
        self.parts = parts
        self.minutes = minutes
        self._terminated = False

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._after_update)
        engine.add_event_handler(Events.COMPLETED, self._finish)
        engine.add_event_handler(Events.EXCEPTION_RAISED, self._restore_signal)

    def save(self) -> None:
        """Write the checkpoint now."""
        if not is_first_process():
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        torch.save({name: part.state_dict() for name, part in self.parts.items()}, partial)
        partial.replace(self.path)
        self._saved = time.monotonic()

    def _start(self, engine: Engine) -> None:
        self._saved = time.monotonic()
        self._previous = signal.signal(signal.SIGTERM, self._note_signal)

    def _note_signal(self, number: int, frame: Any) -> None:
        self._terminated = True

    def _after_update(self, engine: Engine) -> None:
        if self._terminated:
            print(f"stopped at update {engine.state.iteration}; the same command goes on from there", flush=True)
            engine.terminate()
        elif time.monotonic() - self._saved > 60 * self.minutes:
            self.save()

    def _finish(self, engine: Engine) -> None:
        self.save()
        self._restore_signal(engine)

    def _restore_signal(self, engine: Engine, error: BaseException | None = None) -> None:
        signal.signal(signal.SIGTERM, self._previous)
        if error is not None:
            raise error


def start_from(checkpoints: Checkpoints, init_from: str | Path, batches: PatchBatches, trainer: Engine) -> None:
    """Go on from a run's checkpoint, where there is one; else start from another run's averaged weights.

    ``init_from`` is another run's checkpoint or a weight file of the bundle. From a smaller light generator of the
    same scale a larger one grows (:func:`ctsgan.networks.grow`), and a SPAN begins as one for a larger scale
    (:func:`ctsgan.networks.from_larger_scale`). Otherwise every tensor of the same name and shape is taken, so that a
    generator for another scale hands on its body; its own entrance is new, and its exit starts at zero again.

    Args:
        checkpoints: of this run, with ``network``, ``averaged`` and ``trainer`` among its parts.
        init_from: "" for none.
        batches: the data, which goes on with the batch that comes next.
        trainer: the engine.

    Raises:
        CTError: if nothing in ``init_from`` fits the network.
    """
    if checkpoints.path.exists():
        state = torch.load(checkpoints.path, map_location="cpu", weights_only=True)
        wanted = trainer.state.max_epochs
        Checkpoint.load_objects(checkpoints.parts, state)
        # the checkpoint's own end must not be the end of this run
        trainer.state.max_epochs = wanted
        batches.next_batch = trainer.state.iteration
        print(f"going on from {checkpoints.path} at update {trainer.state.iteration}", flush=True)
    elif init_from:
        network, averaged = checkpoints.parts["network"], checkpoints.parts["averaged"]
        state = averaged_weights(init_from)
        own = network.state_dict()
        if isinstance(network, LightGenerator) and not network.told and was_told(state, network):
            raise CTError(f"the generator of {init_from} is told how soft the kernel was; train with --tell True")
        if isinstance(network, LightGenerator) and misfit(state, network) is None:
            taken = grow(state, network)
        elif isinstance(network, SPANGenerator) and (handed_on := from_larger_scale(state, network)):
            taken = handed_on
        else:
            taken = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
        if len(taken) < len(own):
            # a new entrance sends a trained exit noise to amplify; from zero, the body survives the first updates
            taken = {name: value for name, value in taken.items() if "exit" not in name.split(".")}
        if not taken:
            raise CTError(f"no tensor of {init_from} fits the network; give a checkpoint of the same architecture")
        for model in (network, averaged):
            model.load_state_dict(taken, strict=False)
        print(f"{len(taken)} of {len(own)} tensors taken from {init_from}", flush=True)


def run(trainer: Engine) -> None:
    """Train, unless the run that was loaded has ended: ignite would begin a new one where the schedule has ended.

    Args:
        trainer: with the state of a checkpoint, or a new one.
    """
    state = trainer.state
    if state.iteration >= state.max_epochs * state.epoch_length:
        print(
            f"this run ended at update {state.iteration}; --max_epochs above {state.max_epochs} goes on, "
            "another --output_dir begins anew",
            flush=True,
        )
    else:
        trainer.run()
