"""Training by the bundle's own config, on a few real slices."""

import io
import json
import shutil

import pytest
import torch
from monai.inferers import SimpleInferer

from ctsgan import models
from ctsgan.errors import CTError
from ctsgan.evaluation.methods.span import ColourSpan
from ctsgan.filters import footprint_mean
from ctsgan.intensity import HU_STEPS
from ctsgan.losses import WindowedL1Loss
from ctsgan.models import load_generator
from ctsgan.networks import CTsGANGenerator, LightGenerator, SPANGenerator
from ctsgan.publish import main as publish
from ctsgan.publish import publish as publish_weights
from ctsgan.softness import with_softness
from ctsgan.trainer import Taught


@pytest.fixture(scope="module")
def first_run(dataset, train, tmp_path_factory):
    output = tmp_path_factory.mktemp("run")
    return output, train(dataset, output, max_epochs=2)


def test_a_run_leaves_a_checkpoint_and_trains(first_run):
    output, state = first_run
    (checkpoint,) = output.glob("checkpoint.pt")
    content = torch.load(checkpoint, weights_only=True)
    assert state.iteration == 8
    # the average lags behind what learns
    assert not any(torch.equal(value, content["averaged"][name]) for name, value in content["network"].items())


def test_a_run_goes_on_where_it_stopped(first_run, dataset, train, tmp_path, capsys):
    output = tmp_path / "run"
    shutil.copytree(first_run[0], output)
    state = train(dataset, output, max_epochs=3)
    assert "going on from" in capsys.readouterr().out
    assert state.iteration == 12


def test_the_papers_settings_train_its_generator(dataset, train, tmp_path):
    settings = {"network_def#blocks": 1, "network_def#features": 8, "network_def#growth": 8, "patch_size": 8}
    configs = ("train_psnr.json", "train_paper.json")
    train(dataset, tmp_path, configs, max_epochs=1, epoch_length=2, val_interval=9, **settings)
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert "body.0.rdb1.norm1.running_var" in content["averaged"]
    assert content["optimizer"]["param_groups"][0]["lr"] == pytest.approx(1e-4)
    # the average follows the statistics of batch normalisation too
    assert content["averaged"]["body.0.rdb1.norm1.running_var"].std() > 0


def test_another_scale_starts_from_the_body(dataset, train, tmp_path, capsys):
    weights = tmp_path / "x4.pt"
    torch.save(LightGenerator(4, told=True, experts=True).state_dict(), weights)
    train(dataset, tmp_path / "x2", scale=2, max_epochs=1, init_from=str(weights))
    taken, total = capsys.readouterr().out.split(" tensors taken from")[0].splitlines()[-1].split(" of ")
    # all of both experts but the kernel of the entrance, which sees another number of input pixels, and the exit
    assert int(total) - int(taken) == 2 * 3


def test_a_span_starts_from_one_of_a_larger_scale(dataset, train, tmp_path):
    shipped = models.models_folder() / "light_x4.pt"
    sharp = {name: value.float() for name, value in models.averaged_weights(shipped).items() if "soft." not in name}
    torch.save(sharp, tmp_path / "x4.pt")
    settings = {"scale": 2, "model": "full", "experts": False, "init_from": str(tmp_path / "x4.pt")}
    train(dataset, tmp_path / "x2", max_epochs=1, learning_rate=0.0, **settings)
    begun, large = SPANGenerator(2, told=True), SPANGenerator(4, told=True)
    begun.load_state_dict(torch.load(tmp_path / "x2/checkpoint.pt", weights_only=True)["averaged"])
    large.load_state_dict(sharp)
    image = 0.25 + 0.02 * torch.rand(1, 1, 24, 24)
    with torch.no_grad():
        torch.testing.assert_close(begun(image), footprint_mean(large(image), 2), rtol=0, atol=1e-5)


def test_shipped_weights_can_be_trained_further(dataset, train, tmp_path, capsys):
    weights = models.models_folder() / "light_x4.pt"
    train(dataset, tmp_path / "run", max_epochs=1, learning_rate=0.0, init_from=str(weights))
    taken, total = capsys.readouterr().out.split(" tensors taken from")[0].splitlines()[-1].split(" of ")
    assert taken == total
    (checkpoint,) = (tmp_path / "run").glob("checkpoint.pt")
    trained = torch.load(checkpoint, weights_only=True)["averaged"]
    for name, value in models.load_generator("light", 4).state_dict().items():
        torch.testing.assert_close(trained[name], value)
    folder = tmp_path / "models"
    shutil.copytree(models.models_folder(), folder)
    content = publish_weights(checkpoint, "light", 4, "low", folder=folder).read_bytes()
    assert torch.load(io.BytesIO(content), weights_only=True).keys() == trained.keys()


def test_weights_that_do_not_fit_are_refused(dataset, train, tmp_path):
    torch.save({"something": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(RuntimeError) as caught:
        train(dataset, tmp_path / "run", max_epochs=1, init_from=str(tmp_path / "other.pt"))
    assert "fits the network; give a checkpoint of the same architecture" in str(caught.value.__cause__)


@pytest.mark.parametrize("told", [False, True])
def test_an_esrgan_for_photographs_is_fine_tuned(told, dataset, train, tmp_path, capsys):
    torch.manual_seed(0)
    theirs = CTsGANGenerator(4, blocks=3, batch_norm=False).eval()
    torch.save({"params_ema": theirs.state_dict()}, tmp_path / "photographs.pth")
    settings = {
        "configs": ("train_psnr.json", "finetune.json"),
        "esrgan": str(tmp_path / "photographs.pth"),
        "network_def#blocks": 3,
        "patch_size": 16,
        "epoch_length": 2,
        "tell": told,
    }
    train(dataset, tmp_path / "run", max_epochs=1, learning_rate=0.0, **settings)
    assert "3 blocks start from" in capsys.readouterr().out
    tuned = CTsGANGenerator(4, blocks=3, told=told)
    tuned.load_state_dict(torch.load(tmp_path / "run/checkpoint.pt", weights_only=True)["averaged"])
    image = torch.rand(1, 1, 24, 24)
    with torch.no_grad():
        # nothing was learnt at a rate of 0, and the normalisations were calibrated on other patches
        torch.testing.assert_close(tuned.eval()(image), theirs(image), rtol=0.05, atol=0.05)
    train(dataset, tmp_path / "run", max_epochs=2, **settings)
    assert "going on from" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("esrgan", "problem"),
    [
        ("", "say where to start"),
        ("none.pth", "there is no model file"),
        (str(models.models_folder() / "light_x4.pt"), "not a model that spandrel reads"),
        ("one_block.pth", "not those of an ESRGAN of 3 blocks or more"),
    ],
)
def test_what_is_no_esrgan_is_not_fine_tuned(esrgan, problem, dataset, train, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(CTsGANGenerator(4, blocks=1, batch_norm=False).state_dict(), "one_block.pth")
    configs, size = ("train_psnr.json", "finetune.json"), {"network_def#blocks": 3}
    with pytest.raises(RuntimeError) as caught:
        train(dataset, tmp_path / "run", configs, esrgan=esrgan, max_epochs=1, **size)
    assert problem in str(caught.value.__cause__)


SPAN_CONFIGS = ("train_psnr.json", "train_blind.json", "finetune_span.json")


@pytest.fixture(scope="module")
def span_run(dataset, train, tmp_path_factory, span_for_photographs):
    output = tmp_path_factory.mktemp("span")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ctsgan.evaluation.methods.span.published", span_for_photographs)
        settings = {"max_epochs": 1, "epoch_length": 2, "patch_size": 8, "network_def#features": 48}
        train(dataset, output, SPAN_CONFIGS, learning_rate=0.0, **settings)
    return output / "checkpoint.pt"


def test_span_for_photographs_is_fine_tuned(span_run, span_for_photographs):
    theirs = ColourSpan(*span_for_photographs(2, 48), 2)
    tuned = SPANGenerator(2, features=48, told=True)
    tuned.load_state_dict(torch.load(span_run, weights_only=True)["averaged"])
    image = torch.rand(1, 1, 48, 48)
    inside = (..., slice(2 * tuned.reach, -2 * tuned.reach), slice(2 * tuned.reach, -2 * tuned.reach))
    with torch.no_grad():
        # nothing was learnt at a rate of 0
        torch.testing.assert_close(tuned(image)[inside], theirs(image)[inside], rtol=0, atol=1e-5)


def test_without_its_weights_span_is_not_fine_tuned(dataset, train, tmp_path, monkeypatch):
    monkeypatch.setenv("CTSGAN_PEERS", str(tmp_path))
    for settings, problem in (({}, "--get-peers"), ({"network_def#features": 50}, "published for x2 and x4 with 48")):
        with pytest.raises(RuntimeError) as caught:
            train(dataset, tmp_path / "run", SPAN_CONFIGS, max_epochs=1, **settings)
        assert problem in str(caught.value.__cause__)


def test_what_soft_kernels_have_may_be_published_from_another_run(span_run, tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    arguments = {"told": True, "experts": True, "light_in_doubt": True, "features": 48}
    offer = {"architecture": "SPANGenerator", "arguments": arguments}
    entry = {"architecture": "LightGenerator", "arguments": {}, "scales": {"2": offer}}
    (folder / "models.json").write_text(json.dumps({"models": {"full": entry}}))
    with pytest.raises(CTError, match="does not fit full x2"):
        publish_weights(span_run, "full", 2, "low", folder=folder)
    state = {name: value + 0.01 for name, value in models.averaged_weights(span_run).items()}
    torch.save(state, tmp_path / "soft.pt")
    light = models.models_folder() / "light_x2.pt"
    publish_weights(span_run, "full", 2, "low", folder=folder, soft=[light, tmp_path / "soft.pt"])
    sharp, soft = (SPANGenerator(2, features=48, told=True) for _ in range(2))
    for alone, weights in ((sharp, models.averaged_weights(span_run)), (soft, state)):
        alone.load_state_dict({name: value.half().float() for name, value in weights.items()})
    network = load_generator("full", 2, folder=folder)
    for softness, alone in ((0.0, sharp), (0.5, load_generator("light", 2)), (1.0, soft)):
        image = with_softness(torch.rand(1, 1, 20, 20), torch.tensor([softness]))
        with torch.no_grad():
            assert torch.equal(network(image), alone(image))


def test_a_checkpoint_is_published_and_loads(first_run, tmp_path, monkeypatch):
    folder = tmp_path / "models"
    shutil.copytree(models.models_folder(), folder)
    monkeypatch.setattr(models, "models_folder", lambda: folder)
    monkeypatch.setattr("ctsgan.publish.models_folder", lambda: folder)
    (checkpoint,) = first_run[0].glob("checkpoint.pt")
    publish([str(checkpoint), "--scale", "4", "--quality", "just begun"])
    catalogue = json.loads((folder / "models.json").read_text())
    assert catalogue["models"]["light"]["scales"]["4"]["quality"] == "just begun"
    image = torch.rand(1, 1, 20, 20)
    with torch.no_grad():
        # the second has the first one's weights
        for model in ("light", "full"):
            assert load_generator(model, 4)(image).shape == (1, 1, 80, 80)


def test_the_papers_generator_is_published_without_its_normalisations(dataset, train, tmp_path):
    size = {"blocks": 1, "features": 8, "growth": 8}
    settings = {f"network_def#{name}": value for name, value in size.items()}
    configs = ("train_psnr.json", "train_paper.json")
    train(dataset, tmp_path / "run", configs, max_epochs=1, epoch_length=2, patch_size=8, val_interval=9, **settings)
    folder = tmp_path / "models"
    folder.mkdir()
    entry = {"architecture": "CTsGANGenerator", "arguments": {"batch_norm": False, **size}, "scales": {}}
    (folder / "models.json").write_text(json.dumps({"models": {"ctsgan": entry}}))
    publish_weights(tmp_path / "run" / "checkpoint.pt", "ctsgan", 4, "low", folder=folder)
    trained = CTsGANGenerator(4, **size).eval()
    trained.load_state_dict(torch.load(tmp_path / "run" / "checkpoint.pt", weights_only=True)["averaged"])
    image = torch.rand(1, 1, 20, 20)
    with torch.no_grad():
        # half precision of the weights
        published = load_generator("ctsgan", 4, folder=folder)
        torch.testing.assert_close(published(image), trained(image), rtol=0, atol=1e-3)


def test_a_told_generator_is_trained_published_and_told(dataset, train, tmp_path):
    train(
        *(dataset, tmp_path / "run", ("train_psnr.json", "train_blind.json")),
        scale=2,
        max_epochs=1,
        epoch_length=2,
        patch_size=8,
        val_interval=1,
    )
    folder = tmp_path / "models"
    shutil.copytree(models.models_folder(), folder)
    catalogue = (folder / "models.json").read_text()
    content = json.loads(catalogue)
    del content["models"]["light"]["scales"]["2"]["arguments"]
    (folder / "models.json").write_text(json.dumps(content))
    with pytest.raises(CTError, match=r'does not fit light x2 .* such as \{"told": true\}'):
        publish_weights(tmp_path / "run" / "checkpoint.pt", "light", 2, "low", folder=folder)
    (folder / "models.json").write_text(catalogue)
    publish_weights(tmp_path / "run" / "checkpoint.pt", "light", 2, "low", folder=folder)
    # who has the weights of another has the arguments that go with them
    assert models.arguments("full", 4, folder) == {"turns": 8, "told": True, "experts": True}
    assert models.arguments("full", 1, folder) == {"turns": 8}
    network = load_generator("light", 2, folder=folder)
    image = torch.rand(1, 1, 20, 20)
    with torch.no_grad():
        outputs = [network(with_softness(image, torch.tensor([value]))) for value in (0.0, 1.0)]
    assert outputs[0].shape == (1, 1, 40, 40)
    assert not torch.equal(*outputs)


def test_a_generator_that_listened_is_not_trained_on_deaf(dataset, train, tmp_path):
    weights = str(models.models_folder() / "light_x2.pt")
    with pytest.raises(RuntimeError) as caught:
        train(dataset, tmp_path / "run", max_epochs=1, scale=2, tell=False, init_from=weights)
    assert "is told how soft the kernel was; train with --tell True" in str(caught.value.__cause__)


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_a_taught_network_learns_from_the_mean_over_turns(share):
    torch.manual_seed(0)
    once, turning = (LightGenerator(2, features=8, blocks=1, turns=turns) for turns in (1, 8))
    torch.nn.init.normal_(once.exit.weight, std=0.1)
    turning.load_state_dict(once.state_dict())
    batch = {"image": torch.rand(2, 1, 8, 12), "label": torch.rand(2, 1, 16, 24)}
    taught = Taught(once, SimpleInferer(), share=share)
    image, target = taught(batch, torch.device("cpu"))
    assert image is batch["image"]
    with torch.no_grad():
        expected = share * turning(image) + (1 - share) * batch["label"]
        assert not torch.allclose(turning(image), once(image), atol=1e-3)
    torch.testing.assert_close(target, expected)


def test_a_run_is_taught_by_what_it_starts_from(first_run, dataset, train, tmp_path):
    """Where nothing but its own answer is asked of it, averaged over no turns, a network has nothing to learn."""
    (checkpoint,) = first_run[0].glob("checkpoint.pt")
    settings = {"max_epochs": 1, "init_from": str(checkpoint), "mixed_precision": False}
    configs = ("train_psnr.json", "train_taught.json")
    train(dataset, tmp_path / "own", configs, taught_share=1.0, taught_turns=1, **settings)
    before, after = (
        torch.load(folder / "checkpoint.pt", weights_only=True)["averaged"]
        for folder in (first_run[0], tmp_path / "own")
    )
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=0, atol=1e-4)
    train(dataset, tmp_path / "truth", configs, taught_share=0.0, **settings)
    after = torch.load(tmp_path / "truth" / "checkpoint.pt", weights_only=True)["network"]
    assert any((after[name] - value).abs().max() > 1e-4 for name, value in before.items())


def test_a_network_that_is_told_teaches_one_that_is_not():
    torch.manual_seed(0)
    told = LightGenerator(2, features=8, blocks=1, told=True)
    torch.nn.init.normal_(told.exit.weight, std=0.1)
    batch = {"image": with_softness(torch.rand(2, 1, 8, 12), torch.ones(2)), "label": torch.rand(2, 1, 16, 24)}
    taught = Taught(told, SimpleInferer(), turns=1, share=1.0, tell=False)
    image, target = taught(batch, torch.device("cpu"))
    torch.testing.assert_close(image, batch["image"][:, :1])
    with torch.no_grad():
        torch.testing.assert_close(target, told(batch["image"]))
        assert not torch.allclose(target, told(image), atol=1e-3)


def test_a_shipped_model_teaches_another_network(dataset, train, tmp_path):
    """A network that is the shipped one already has nothing to learn from it; the paper's generator has."""
    configs = ("train_psnr.json", "train_taught.json", "distil.json")
    shipped = models.models_folder() / "light_x1.pt"
    settings = {"taught_by": "light", "max_epochs": 1, "mixed_precision": False}
    train(dataset, tmp_path / "own", configs, scale=1, init_from=str(shipped), **settings)
    before = models.load_generator("light", 1).state_dict()
    after = torch.load(tmp_path / "own" / "checkpoint.pt", weights_only=True)["averaged"]
    for name, value in before.items():
        torch.testing.assert_close(after[name], value, rtol=0, atol=1e-4)

    small = {"network_def#blocks": 1, "network_def#features": 8, "network_def#growth": 8}
    configs = ("train_psnr.json", "train_paper.json", "train_taught.json", "distil.json")
    state = train(dataset, tmp_path / "paper", configs, scale=2, tell=False, epoch_length=2, **settings, **small)
    assert state.iteration == 2


@pytest.mark.parametrize(
    ("weights", "problem"),
    [
        ("", "there is no weight file '' to be taught by; name one with --init_from"),
        (
            str(models.models_folder() / "light_x1.pt"),
            "light_x1.pt is of another architecture than what it is to teach",
        ),
    ],
)
def test_what_cannot_teach_is_named(weights, problem, dataset, train, tmp_path):
    with pytest.raises(RuntimeError) as caught:
        train(dataset, tmp_path, ("train_psnr.json", "train_taught.json"), max_epochs=1, init_from=weights)
    cause = caught.value
    while cause.__cause__ is not None:
        cause = cause.__cause__
    assert problem in str(cause)


def test_the_loss_is_in_hu_and_counts_soft_tissue_more():
    loss = WindowedL1Loss(window_weight=0.5)
    target = torch.full((1, 1, 8, 8), (1024 + 40) / HU_STEPS)
    assert loss(target + 10 / HU_STEPS, target).item() == pytest.approx(15, abs=0.01)
    bone = torch.full((1, 1, 8, 8), (1024 + 900) / HU_STEPS)
    assert loss(bone + 10 / HU_STEPS, bone).item() == pytest.approx(10, abs=0.01)
