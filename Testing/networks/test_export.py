"""Exported generators take images of any size and give the same output."""

from __future__ import annotations

import io

import numpy as np
import onnxruntime
import pytest
import torch
from torch.export import Dim

from ctsgan.networks import LightGenerator, SPANGenerator, fold
from ctsgan.softness import with_softness

SIZES = ((2, 1, 24, 20), (1, 1, 12, 32))
"""The first is shown to the exporter, the second is not."""


@pytest.fixture
def network(trained: torch.nn.Module) -> torch.nn.Module:
    return fold(trained)


@pytest.fixture
def images() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(2)
    return [torch.rand(size, generator=generator) for size in SIZES]


def load_again(exported: torch.jit.ScriptModule) -> torch.jit.ScriptModule:
    stored = io.BytesIO()
    torch.jit.save(exported, stored)
    stored.seek(0)
    return torch.jit.load(stored)


def test_torchscript_by_tracing(network, images):
    loaded = load_again(torch.jit.trace(network, images[0]))
    with torch.no_grad():
        for image in images:
            torch.testing.assert_close(loaded(image), network(image), rtol=0, atol=1e-6)


def test_torchscript_by_scripting_keeps_scale_size_and_reach_too(network, images):
    loaded = load_again(torch.jit.script(network))
    with torch.no_grad():
        for image in images:
            torch.testing.assert_close(loaded(image), network(image), rtol=0, atol=1e-6)
    for name in ("scale", "size_multiple", "reach"):
        assert getattr(loaded, name) == getattr(network, name)


@pytest.fixture(params=["light", "span", "span, light in doubt"])
def experts(trained_light, request) -> LightGenerator | SPANGenerator:
    torch.manual_seed(0)
    if request.param == "light":
        return trained_light(2, features=8, blocks=1, told=True, experts=True).eval()
    return SPANGenerator(2, 8, 2, told=True, experts=True, light_in_doubt="doubt" in request.param).eval()


def test_experts_by_scripting_are_still_chosen_by_the_softness(experts, images):
    loaded = load_again(torch.jit.script(experts))
    with torch.no_grad():
        for softness in ([0.0, 1.0], [1.0, 1.0], [-1.0, 0.5]):
            image = with_softness(images[0], torch.tensor(softness))
            torch.testing.assert_close(loaded(image), experts(image), rtol=0, atol=1e-6)
        torch.testing.assert_close(loaded(images[1]), experts(images[1]), rtol=0, atol=1e-6)


def test_onnx(network, images, tmp_path):
    check_onnx(network, images, tmp_path)


def test_experts_as_onnx_are_the_one_for_unknown_kernels(experts, images, tmp_path):
    check_onnx(experts, images, tmp_path)


def check_onnx(network, images, tmp_path):
    multiple = network.size_multiple
    rows, columns = multiple * Dim("rows", max=1024), multiple * Dim("columns", max=1024)
    torch.onnx.export(
        network,
        (images[0],),
        str(tmp_path / "network.onnx"),
        input_names=["image"],
        output_names=["enhanced"],
        dynamic_shapes=({0: Dim("batch", max=64), 2: rows, 3: columns},),
        dynamo=True,
        verbose=False,
    )
    session = onnxruntime.InferenceSession(str(tmp_path / "network.onnx"), providers=["CPUExecutionProvider"])
    for image in images:
        with torch.no_grad():
            expected = network(image).numpy()
        (enhanced,) = session.run(["enhanced"], {"image": image.numpy()})
        np.testing.assert_allclose(enhanced, expected, rtol=0, atol=1e-5)
