"""The second stage: what one update does to either network, and a run by the bundle's own configs."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from monai.bundle import create_workflow
from torch import nn

from ctsgan.errors import CTError
from ctsgan.gan_trainer import LOSSES, GanTrainer
from ctsgan.intensity import to_network_range
from ctsgan.losses import (
    CheckerboardLoss,
    GeneratorLoss,
    PerceptualLoss,
    RelativisticAverageLoss,
    VoxelLoss,
    WindowedL1Loss,
)
from ctsgan.networks import LightGenerator, UNetDiscriminator
from ctsgan.paths import bundle_root
from ctsgan.trainer import AutocastInferer

STAGE_TWO = ("train_psnr.json", "train_gan.json")
SMALL = {
    "patch_size": 8,
    "discriminator_def#features": 8,
    # one window and the smallest images that VGG takes
    "loss_function#perceptual#features#windows_hu": [[-160, 240]],
}


@pytest.fixture
def pair(abdomen) -> dict[str, torch.Tensor]:
    """Two real patches of 32 x 32 pixels and their footprint means."""
    label = to_network_range(torch.from_numpy(abdomen[:2, None, 60:92, 60:92]).float())
    return {"image": nn.functional.avg_pool2d(label, 4), "label": label}


@pytest.fixture
def build(pair):
    """A function that makes a trainer for one update on the pair; losses can be replaced."""

    def trainer(adversarial_weight: float = 2.0, learning_rate: float = 1e-3, **replaced) -> GanTrainer:
        torch.manual_seed(0)
        generator, discriminator = LightGenerator(4, features=8, blocks=1), UNetDiscriminator(features=4)
        perceptual = PerceptualLoss(lambda image: [image], weights=(1.0,))
        adversarial = RelativisticAverageLoss()
        loss = GeneratorLoss(
            WindowedL1Loss(),
            perceptual,
            VoxelLoss((4.0, 4.0), (1.0, 1.0)),
            adversarial,
            CheckerboardLoss(),
            adversarial_weight=adversarial_weight,
        )
        settings = {
            "device": torch.device("cpu"),
            "max_epochs": 1,
            "train_data_loader": [pair],
            "network": generator,
            "optimizer": torch.optim.Adam(generator.parameters(), learning_rate),
            "loss_function": loss,
            "discriminator": discriminator,
            "discriminator_optimizer": torch.optim.Adam(discriminator.parameters(), learning_rate),
            "discriminator_loss": adversarial,
            "inferer": AutocastInferer("cpu", enabled=False),
            "decollate": False,
        }
        return GanTrainer(**{**settings, **replaced})

    return trainer


def copy_of(network: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


def changed(network: nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return any(not torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_an_update_changes_both_networks(build):
    trainer = build()
    before = copy_of(trainer.network), copy_of(trainer.discriminator)
    trainer.run()
    assert changed(trainer.network, before[0])
    assert changed(trainer.discriminator, before[1])
    assert set(trainer.state.output[LOSSES]) == {
        "pixel",
        "perceptual",
        "voxel",
        "adversarial",
        "checkerboard",
        "discriminator",
    }
    assert all(value.isfinite() and not value.requires_grad for value in trainer.state.output[LOSSES].values())


def test_the_generators_step_leaves_the_discriminator_as_it_was(build, pair):
    trainer = build()
    before = copy_of(trainer.discriminator)
    trainer._train_generator(pair["image"], pair["label"])
    assert not changed(trainer.discriminator, before)
    assert all(weight.grad is None for weight in trainer.discriminator.parameters())


def test_the_discriminators_step_leaves_the_generator_as_it_was(build, pair):
    trainer = build()
    prediction, _, _ = trainer._train_generator(pair["image"], pair["label"])
    before = copy_of(trainer.network)
    gradients = [weight.grad.clone() for weight in trainer.network.parameters()]
    trainer._train_discriminator(pair["label"], prediction)
    assert not changed(trainer.network, before)
    assert all(
        torch.equal(weight.grad, old) for weight, old in zip(trainer.network.parameters(), gradients, strict=True)
    )


def test_the_generator_learns_from_the_discriminator(build):
    """Its update is another one when the adversarial part has another weight."""
    weights = []
    for adversarial_weight in (0.0, 1e4):
        # plain descent, since Adam's first step hardly depends on the gradient's size
        trainer = build(adversarial_weight)
        trainer.optimizer = torch.optim.SGD(trainer.network.parameters(), 1e-6)
        trainer.run()
        weights.append(torch.cat([weight.detach().flatten() for weight in trainer.network.parameters()]))
    assert not torch.equal(*weights)


def test_a_discriminator_learns_to_tell_interpolation_from_ct(build, pair):
    trainer = build(learning_rate=3e-3)
    interpolated = nn.functional.interpolate(pair["image"], scale_factor=4.0, mode="bicubic")
    losses = [trainer._train_discriminator(pair["label"], interpolated).item() for _ in range(60)]
    assert losses[0] == pytest.approx(0.693, abs=0.05)
    assert losses[-1] < 0.3


class NotANumber(nn.Module):
    """A discriminator's loss that is lost at the second update."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return (real.mean() - fake.mean()) * (float("nan") if self.calls > 1 else 1.0)


def test_a_loss_that_is_not_a_number_ends_the_run_before_it_spoils_the_weights(build, pair):
    trainer = build(train_data_loader=[pair, pair], discriminator_loss=NotANumber())
    with pytest.raises(CTError, match="the discriminator's loss or gradient is not a number at update 2;"):
        trainer.run()
    assert all(weight.isfinite().all() for weight in trainer.discriminator.parameters())
    poisoned = {"image": pair["image"], "label": pair["label"] * float("nan")}
    trainer = build(train_data_loader=[poisoned])
    with pytest.raises(CTError, match="the generator's loss or gradient is not a number at update 1;"):
        trainer.run()
    assert all(weight.isfinite().all() for weight in trainer.network.parameters())


def test_mixed_precision_keeps_losses_in_float32(build):
    trainer = build(inferer=AutocastInferer("cpu"))
    trainer.run()
    assert all(value.dtype == torch.float32 for value in trainer.state.output[LOSSES].values())


@pytest.fixture(scope="module")
def stage_one(dataset, train, tmp_path_factory):
    output = tmp_path_factory.mktemp("psnr")
    train(dataset, output, max_epochs=1, epoch_length=2, patch_size=8)
    (checkpoint,) = output.glob("checkpoint*.pt")
    return checkpoint


@pytest.fixture(scope="module")
def stage_two(dataset, train, stage_one, tmp_path_factory):
    output = tmp_path_factory.mktemp("gan")
    settings = {"init_from": str(stage_one), "val_interval": 9, "halve_every": 2}
    return output, train(dataset, output, STAGE_TWO, max_epochs=1, epoch_length=2, **SMALL, **settings)


def test_a_run_keeps_both_networks_and_what_trains_them(stage_two, stage_one):
    (checkpoint,) = stage_two[0].glob("checkpoint*.pt")
    content = torch.load(checkpoint, weights_only=True)
    parts = {"network", "averaged", "optimizer", "lr_scheduler", "trainer"}
    assert set(content) == parts | {"discriminator", "discriminator_optimizer", "discriminator_lr_scheduler"}
    start = torch.load(stage_one, weights_only=True)["averaged"]
    assert content["network"].keys() == start.keys()
    assert any(not torch.equal(value, start[name]) for name, value in content["network"].items())
    assert content["optimizer"]["param_groups"][0]["lr"] == pytest.approx(1e-4)
    assert content["discriminator_optimizer"]["param_groups"][0]["lr"] == pytest.approx(1e-4)


def test_a_run_goes_on_with_its_discriminator(stage_two, dataset, train, tmp_path, capsys):
    output = tmp_path / "run"
    shutil.copytree(stage_two[0], output)
    (checkpoint,) = output.glob("checkpoint*.pt")
    content = torch.load(checkpoint, weights_only=True)
    content["discriminator"]["exit.bias"] += 5  # to be known again
    torch.save(content, checkpoint)
    state = train(dataset, output, STAGE_TWO, max_epochs=2, epoch_length=2, val_interval=9, **SMALL)
    printed = capsys.readouterr().out
    assert "going on from" in printed
    assert "losses at update 4: pixel" in printed
    assert state.iteration == 4
    after = torch.load(max(output.glob("checkpoint*.pt"), key=lambda path: path.stat().st_mtime), weights_only=True)
    assert after["discriminator"]["exit.bias"].item() == pytest.approx(5, abs=0.5)
    assert after["discriminator_optimizer"]["state"][0]["step"].item() == 4


def test_monai_finds_the_properties_it_asks_for(dataset, tmp_path):
    workflow = create_workflow(
        workflow_type="train",
        config_file=[str(bundle_root() / "configs" / name) for name in STAGE_TWO],
        logging_file=False,
        bundle_root=str(bundle_root()),
        dataset_dir=str(dataset),
        output_dir=str(tmp_path),
    )
    assert workflow.check_properties() == []
    # without being told, from the weights of the first stage that the bundle ships
    assert Path(workflow.parser.get_parsed_content("init_from")).is_file()
