"""Another engine gives the same volume."""

import sys

import numpy as np
import pytest
import torch

from ctsgan import CTError, enhance
from ctsgan.engines import with_engine
from ctsgan.models import load_generator


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_onnx_runtime_gives_the_same_voxels_to_rounding(abdomen, scale):
    voxels = np.ascontiguousarray(abdomen[:2, :61, :90])
    expected = enhance(voxels, 0.9, scale=scale)
    result = enhance(voxels, 0.9, scale=scale, engine="onnxruntime", tile=32, batch=2)
    difference = np.abs(result.astype(int) - expected)
    assert difference.max() <= 1
    assert np.mean(difference > 0) < 1e-3


def test_an_engine_that_is_not_installed_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(CTError, match="onnxruntime"):
        with_engine(load_generator("light", 2), "onnxruntime", torch.device("cpu"), None)


def test_an_engine_for_the_processor_is_refused_elsewhere():
    with pytest.raises(CTError, match="--device cpu"):
        with_engine(load_generator("light", 2), "onnxruntime", torch.device("cuda"), None)
