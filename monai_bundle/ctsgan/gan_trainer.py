"""The second training stage: a generator against a discriminator, on pairs of images."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from monai.engines.utils import IterationEvents
from monai.utils.enums import CommonKeys
from torch import nn

from .trainer import is_first_process, require_finite

LOSSES = "losses"
"""Key of a trainer's output: every part of the losses, unweighted, by name."""


class GanTrainer(SupervisedTrainer):
    """A MONAI trainer whose updates are one step of the generator, then one of the discriminator.

    MONAI's own two do not fit: ``GanTrainer`` draws the generator's input from noise, and the generator's loss of
    ``AdversarialTrainer`` sees the logits of generated images alone, where the relativistic one needs both.

    The generator is what :class:`monai.engines.SupervisedTrainer` calls ``network``; ``inferer`` runs both networks,
    so :class:`ctsgan.trainer.AutocastInferer` trains both in mixed precision, while losses are in float32.

    While the generator learns, the discriminator is frozen: it collects no gradient and its spectral norms are not
    estimated anew. While the discriminator learns, it sees the generator's output as an image without a history.

    Args:
        discriminator: (B, 1, H, W) to logits.
        discriminator_optimizer: of its weights.
        loss_function: as :class:`ctsgan.losses.GeneratorLoss`: prediction, target, logits of the target, logits of
            the prediction; to the total and a dictionary of its parts.
        discriminator_loss: logits of the target, logits of the prediction; to a scalar.
        keywords: as for :class:`monai.engines.SupervisedTrainer`.

    The output of an update has MONAI's ``image``, ``label``, ``pred`` and ``loss`` (the generator's total), and
    ``losses``: the parts, and ``discriminator``.

    Raises:
        CTError: from the update whose loss or gradient is not a number, before it changes the weights in question.
    """

    def __init__(
        self,
        *,
        discriminator: nn.Module,
        discriminator_optimizer: torch.optim.Optimizer,
        discriminator_loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
        **keywords: Any,
    ) -> None:
        super().__init__(**keywords)
        self.discriminator = discriminator
        # its own step is shared with the other processes that train; in the generator's it only judges
        self._shared_discriminator = discriminator
        if torch.distributed.is_initialized():
            self._shared_discriminator = nn.parallel.DistributedDataParallel(discriminator)
        self.discriminator_optimizer = discriminator_optimizer
        self.discriminator_loss = discriminator_loss

    def _iteration(self, engine: GanTrainer, batchdata: Mapping[str, torch.Tensor]) -> dict[str, Any]:
        images, targets = self.prepare_batch(batchdata, self.state.device, self.non_blocking, **self.to_kwargs)
        prediction, loss, parts = self._train_generator(images, targets)
        parts["discriminator"] = self._train_discriminator(targets, prediction)
        self.state.output = {
            CommonKeys.IMAGE: images,
            CommonKeys.LABEL: targets,
            CommonKeys.PRED: prediction,
            CommonKeys.LOSS: loss,
            LOSSES: parts,
        }
        self.fire_event(IterationEvents.MODEL_COMPLETED)
        return self.state.output

    def _train_generator(
        self, images: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
        self.network.train()
        self.discriminator.eval().requires_grad_(False)
        prediction = self.inferer(images, self.network).float()
        real_logits = self.inferer(targets, self.discriminator).float()
        fake_logits = self.inferer(prediction, self.discriminator).float()
        loss, parts = self.loss_function(prediction, targets, real_logits, fake_logits)
        self._step("generator", loss, self.network, self.optimizer)
        return prediction.detach(), loss.detach(), parts

    def _train_discriminator(self, targets: torch.Tensor, prediction: torch.Tensor) -> torch.Tensor:
        self.discriminator.train().requires_grad_(True)
        # in one batch, so that both are judged with the same estimate of the spectral norms
        logits = self.inferer(torch.cat([targets, prediction]), self._shared_discriminator).float()
        loss = self.discriminator_loss(*logits.chunk(2))
        self._step("discriminator", loss, self.discriminator, self.discriminator_optimizer)
        return loss.detach()

    def _step(self, name: str, loss: torch.Tensor, network: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        require_finite(loss, network, self.state.iteration, f"the {name}'s ")
        optimizer.step()


class LogLosses:
    """A MONAI handler that prints one line an epoch: the mean of every part of the losses."""

    def attach(self, engine: Engine) -> None:
        engine.add_event_handler(Events.EPOCH_STARTED, self._start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._report)

    def _start(self, engine: Engine) -> None:
        self.sums: dict[str, torch.Tensor] = {}
        self.updates = 0

    def _add(self, engine: Engine) -> None:
        self.updates += 1
        for name, value in engine.state.output[LOSSES].items():
            self.sums[name] = self.sums.get(name, 0.0) + value

    def _report(self, engine: Engine) -> None:
        if not is_first_process():
            return
        means = "  ".join(f"{name} {float(value) / self.updates:.4f}" for name, value in self.sums.items())
        print(f"losses at update {engine.state.iteration}: {means}", flush=True)
