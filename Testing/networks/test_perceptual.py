"""Features of real CT by the VGG16 that a package ships, and by files of torchvision's layout."""

from __future__ import annotations

import importlib.util
import sys

import pytest
import torch

from ctsgan.errors import CTError
from ctsgan.filters import gaussian_blur
from ctsgan.intensity import to_network_range
from ctsgan.losses import PerceptualLoss
from ctsgan.networks import VGGFeatures
from ctsgan.networks.perceptual import CONVOLUTIONS, WIDTHS


@pytest.fixture(scope="module")
def features() -> VGGFeatures:
    return VGGFeatures()


@pytest.fixture(scope="module")
def hu(abdomen) -> torch.Tensor:
    """A slice of 64 x 48 pixels through liver, fat and rib."""
    return torch.from_numpy(abdomen[:1, None, 40:104, 20:68]).float()


def torchvision_file(path, name: str, batch_norm: bool = False):
    """Small random weights under the names that torchvision gives them."""
    generator = torch.Generator().manual_seed(0)
    state, index, into = {}, 0, 3
    for count, width in zip(CONVOLUTIONS[name], WIDTHS, strict=True):
        for _ in range(count):
            state[f"features.{index}.weight"] = 0.05 * torch.randn(width, into, 3, 3, generator=generator)
            state[f"features.{index}.bias"] = torch.zeros(width)
            if batch_norm:
                state[f"features.{index + 1}.running_mean"] = torch.zeros(width)
            index, into = index + 2 + batch_norm, width
        index += 1
    state["classifier.0.weight"] = torch.zeros(10, 512)
    torch.save(state, path)
    return path


def test_the_last_convolution_of_each_stage_answers_before_its_activation(features, hu):
    with torch.no_grad():
        responses = features(to_network_range(hu))
    # two views, one after the other; the pooling that blurs keeps a pixel more at each step
    shapes = [(2, 64, 64, 48), (2, 128, 33, 25), (2, 256, 17, 13), (2, 512, 9, 7), (2, 512, 5, 4)]
    assert [tuple(response.shape) for response in responses] == shapes
    assert all((response < 0).float().mean() > 0.1 for response in responses)


def test_the_package_is_read_but_not_run(features):
    assert features.blurred_pooling
    assert "stlpips_pytorch" not in sys.modules


def test_features_are_frozen_and_pass_gradients_on(features, hu):
    assert not features.train().training
    image = to_network_range(hu).requires_grad_()
    features(image)[0].sum().backward()
    assert image.grad.abs().sum() > 0
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in features.parameters())


def test_soft_tissue_shows_in_the_soft_tissue_view(features, hu):
    """20 HU in the middle of the liver are a step of grey on one view and next to nothing on the other."""
    changed = hu.clone()
    changed[..., 28:36, 20:28] += 20.0
    with torch.no_grad():
        before, after = (features(to_network_range(image))[1] for image in (hu, changed))
    wide, soft = (after - before).abs().mean(dim=(1, 2, 3))
    assert soft > 3 * wide > 0


def test_what_lies_beyond_the_window_is_not_seen(features, hu, monkeypatch):
    monkeypatch.setattr(features, "windows_hu", ((-160.0, 40.0),))
    brighter = torch.where(hu > 40, hu + 300, hu)
    assert not torch.equal(brighter, hu)
    with torch.no_grad():
        pairs = zip(*(features(to_network_range(image)) for image in (hu, brighter)), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_the_loss_is_zero_for_equal_images_and_rises_with_blur(features, hu):
    loss = PerceptualLoss(features)
    target = to_network_range(hu)
    blurred = [to_network_range(gaussian_blur(hu, sigma, (1.0, 1.0))) for sigma in (0.0, 0.5, 1.0, 2.0)]
    with torch.no_grad():
        values = [loss(image, target).item() for image in blurred]
    assert values[0] == 0.0
    assert values == sorted(values)
    assert values[1] > 1.0


def test_mixed_precision_gives_nearly_the_same_loss(features, hu, monkeypatch):
    target, blurred = to_network_range(hu), to_network_range(gaussian_blur(hu, 0.5, (1.0, 1.0)))
    loss = PerceptualLoss(features)
    with torch.no_grad():
        exact = loss(blurred, target)
        monkeypatch.setattr(features, "mixed_precision", True)
        assert features(target)[0].dtype == torch.float32
        assert loss(blurred, target).item() == pytest.approx(exact.item(), rel=0.02)


def test_as_many_weights_as_responses_are_needed(features, hu):
    with pytest.raises(ValueError, match="zip"):
        PerceptualLoss(features, weights=(1.0, 1.0))(to_network_range(hu), to_network_range(hu))


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_torchvision_files_are_told_apart(tmp_path, hu, name):
    features = VGGFeatures(torchvision_file(tmp_path / "vgg.pth", name), windows_hu=[(-160.0, 240.0)])
    assert tuple(len(stage) for stage in features.stages) == CONVOLUTIONS[name]
    assert not features.blurred_pooling
    with torch.no_grad():
        responses = features(to_network_range(hu))
    assert [tuple(response.shape[2:]) for response in responses] == [(64, 48), (32, 24), (16, 12), (8, 6), (4, 3)]


def test_other_files_are_refused(tmp_path):
    with pytest.raises(CTError, match="without batch normalisation"):
        VGGFeatures(torchvision_file(tmp_path / "vgg16_bn.pth", "VGG16", batch_norm=True))
    torch.save({"a.0.weight": torch.zeros(8, 3, 3, 3)}, tmp_path / "other.pt")
    with pytest.raises(CTError, match="does not hold the convolutions of VGG16 or VGG19"):
        VGGFeatures(tmp_path / "other.pt")
    (tmp_path / "text.pt").write_text("not weights")
    with pytest.raises(CTError, match="cannot be read as PyTorch weights"):
        VGGFeatures(tmp_path / "text.pt")
    with pytest.raises(CTError, match="there is no weight file"):
        VGGFeatures(tmp_path / "missing.pt")


def test_without_the_package_the_message_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CTError, match="pip install stlpips-pytorch"):
        VGGFeatures()


def test_images_too_small_for_five_stages_are_refused(features):
    with pytest.raises(ValueError, match="at least 32 pixels a side, got 16 x 64"):
        features(torch.zeros(1, 1, 16, 64))
