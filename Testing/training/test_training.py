"""Training by the bundle's own config, on a few real slices."""

import io
import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import create_workflow

from ctsgan import models
from ctsgan.data import PatchBatches, load_slices, validation_pairs
from ctsgan.degradation import Degradation, RandNoise, preset
from ctsgan.intensity import HU_STEPS, from_network_range
from ctsgan.losses import WindowedL1Loss
from ctsgan.models import load_generator
from ctsgan.publish import main as publish
from ctsgan.publish import publish as publish_weights

CONFIGS = Path(__file__).resolve().parents[2] / "monai_bundle" / "configs"


@pytest.fixture(scope="module")
def dataset(clinical_volume, tmp_path_factory):
    """Three slices to train and one to validate on, 288 x 288 pixels around the patient's middle."""
    folder = tmp_path_factory.mktemp("dataset")
    for split, chosen in (("train", slice(5, 8)), ("val", slice(12, 13))):
        (folder / split).mkdir()
        voxels = clinical_volume.voxels[chosen, 110:398, 110:398].transpose(2, 1, 0)
        nib.save(nib.Nifti1Image(voxels, np.diag([0.9765625, 0.9765625, 2.0, 1.0])), folder / split / "ct.nii.gz")
    return folder


def train(dataset, output, **settings):
    workflow = create_workflow(
        workflow_type="train",
        config_file=str(CONFIGS / "train_psnr.json"),
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        bundle_root=str(CONFIGS.parent),
        dataset_dir=str(dataset),
        output_dir=str(output),
        batch_size=2,
        epoch_length=4,
        **settings,
    )
    workflow.run()
    return workflow.parser.get_parsed_content("train#trainer").state


@pytest.fixture(scope="module")
def first_run(dataset, tmp_path_factory):
    output = tmp_path_factory.mktemp("run")
    return output, train(dataset, output, max_epochs=2)


def test_a_run_leaves_a_checkpoint_and_trains(first_run):
    output, state = first_run
    (checkpoint,) = output.glob("checkpoint_*.pt")
    content = torch.load(checkpoint, weights_only=True)
    assert state.iteration == 8
    assert any(value.abs().max() > 0 for name, value in content["averaged"].items() if name.startswith("exit"))


def test_a_run_goes_on_where_it_stopped(first_run, dataset, tmp_path, capsys):
    output = tmp_path / "run"
    shutil.copytree(first_run[0], output)
    state = train(dataset, output, max_epochs=3)
    assert "going on from" in capsys.readouterr().out
    assert state.iteration == 12


def test_another_scale_starts_from_the_body(first_run, dataset, tmp_path, capsys):
    (checkpoint,) = first_run[0].glob("checkpoint_*.pt")
    train(dataset, tmp_path / "x2", scale=2, max_epochs=1, init_from=str(checkpoint))
    taken, total = capsys.readouterr().out.split(" tensors taken from")[0].splitlines()[-1].split(" of ")
    # all but the three tensors of the entrance that see the number of input pixels, and the two of the exit
    assert int(total) - int(taken) == 5


def test_shipped_weights_can_be_trained_further(dataset, tmp_path, capsys):
    weights = models.models_folder() / "light_x4.pt"
    settings = {"init_from": str(weights), "network_def#collapsed": True}
    train(dataset, tmp_path / "run", max_epochs=1, learning_rate=0.0, **settings)
    taken, total = capsys.readouterr().out.split(" tensors taken from")[0].splitlines()[-1].split(" of ")
    assert taken == total
    (checkpoint,) = (tmp_path / "run").glob("checkpoint_*.pt")
    trained = torch.load(checkpoint, weights_only=True)["averaged"]
    for name, value in models.load_generator("light", 4).state_dict().items():
        torch.testing.assert_close(trained[name], value)
    folder = tmp_path / "models"
    shutil.copytree(models.models_folder(), folder)
    content = publish_weights(checkpoint, "light", 4, "low", folder=folder).read_bytes()
    assert torch.load(io.BytesIO(content), weights_only=True).keys() == trained.keys()


def test_weights_that_do_not_fit_are_refused(dataset, tmp_path):
    torch.save({"something": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(RuntimeError):
        train(dataset, tmp_path / "run", max_epochs=1, init_from=str(tmp_path / "other.pt"))


def test_a_checkpoint_is_published_and_loads(first_run, tmp_path, monkeypatch):
    folder = tmp_path / "models"
    shutil.copytree(models.models_folder(), folder)
    monkeypatch.setattr(models, "models_folder", lambda: folder)
    monkeypatch.setattr("ctsgan.publish.models_folder", lambda: folder)
    (checkpoint,) = first_run[0].glob("checkpoint_*.pt")
    publish([str(checkpoint), "--scale", "4", "--quality", "just begun"])
    catalogue = json.loads((folder / "models.json").read_text())
    assert catalogue["models"]["light"]["scales"]["4"]["quality"] == "just begun"
    image = torch.rand(1, 1, 20, 20)
    with torch.no_grad():
        assert load_generator("light", 4)(image).shape == (1, 1, 80, 80)


def test_patches_come_degraded_and_in_pairs(dataset):
    volumes = load_slices(dataset / "train")
    batches = iter(PatchBatches(volumes, preset("area", 4), patch_size=16, batch_size=3, seed=1))
    batch = next(batches)
    assert batch["image"].shape == (3, 1, 16, 16)
    assert batch["label"].shape == (3, 1, 64, 64)
    means = from_network_range(torch.nn.functional.avg_pool2d(batch["label"], 4))
    assert (means.round() - from_network_range(batch["image"])).abs().max() <= 1.0


def test_the_same_seed_gives_the_same_patches(dataset):
    volumes = load_slices(dataset / "train")

    def first(seed):
        degradation = Degradation(2, noise=RandNoise())
        return next(iter(PatchBatches(volumes, degradation, patch_size=16, batch_size=2, seed=seed)))

    assert torch.equal(first(5)["image"], first(5)["image"])
    assert not torch.equal(first(5)["image"], first(6)["image"])


def test_validation_pairs_are_always_the_same(dataset):
    volumes = load_slices(dataset / "val")
    one, two = (validation_pairs(volumes, preset("portable", 2)) for _ in range(2))
    assert len(one) == 1
    assert one[0]["image"].shape == (1, 128, 128)
    assert torch.equal(one[0]["image"], two[0]["image"])


def test_a_folder_without_volumes_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        load_slices(tmp_path)


def test_the_loss_is_in_hu_and_counts_soft_tissue_more():
    loss = WindowedL1Loss(window_weight=0.5)
    target = torch.full((1, 1, 8, 8), (1024 + 40) / HU_STEPS)
    assert loss(target + 10 / HU_STEPS, target).item() == pytest.approx(15, abs=0.01)
    bone = torch.full((1, 1, 8, 8), (1024 + 900) / HU_STEPS)
    assert loss(bone + 10 / HU_STEPS, bone).item() == pytest.approx(10, abs=0.01)
