"""Networks of others: reading ncnn's files, and grey for three equal channels."""

import numpy as np
import pytest
import torch

from ctsgan.evaluation.methods import ncnn
from ctsgan.evaluation.methods.method import through_pictures
from ctsgan.evaluation.methods.span import ColourSpan
from ctsgan.evaluation.methods.srmd import gaussian_kernel

PARAM = """7767517
4 4
Input        data   0 1 data
MemoryData   shift  0 1 shift 0=1 1=1 2=3
Convolution  half   1 1 data first 0=3 1=1 5=1 6=3 9=2 -23310=1,2.000000e-01
Convolution  single 1 1 first out 0=1 1=3 4=1 5=1 6=27
"""


def binary(flag=0x01306B47):
    """What PARAM's file holds: three weights of 16 bits end between two words of 32 and are filled up."""
    return b"".join(
        [
            np.array([1, 2, 3], "<f4").tobytes(),
            np.array([flag], "<u4").tobytes(),
            np.array([0.5, -1.5, 2.0], "<f2").tobytes() + b"\0\0",
            np.array([7, 8, 9], "<f4").tobytes(),
            np.array([0], "<u4").tobytes(),
            np.arange(27, dtype="<f4").tobytes(),
            np.array([-1], "<f4").tobytes(),
        ]
    )


def test_layers_of_an_ncnn_file():
    layers = ncnn.read_layers(PARAM)
    assert [layer.kind for layer in layers] == ["Input", "MemoryData", "Convolution", "Convolution"]
    assert layers[2].parameters[10] == (0.2,)
    with pytest.raises(ValueError, match="not an ncnn"):
        ncnn.read_layers("something else")


def test_weights_of_an_ncnn_file():
    weights = ncnn.read_weights(ncnn.read_layers(PARAM), binary())
    assert weights["shift"][0].tolist() == [1, 2, 3]
    assert weights["half"][0].flatten().tolist() == [0.5, -1.5, 2.0]
    assert weights["half"][1].tolist() == [7, 8, 9]
    assert weights["single"][0].shape == (1, 3, 3, 3)
    assert weights["single"][0][0, 1, 0].tolist() == [9, 10, 11]
    assert weights["single"][1].tolist() == [-1]


@pytest.mark.parametrize(
    ("content", "problem"),
    [(binary() + b"1234", "belong to no layer"), (binary()[:-4], "ends before"), (binary(flag=0x000D4B38), "form")],
)
def test_a_file_that_does_not_fit_its_layers_is_refused(content, problem):
    with pytest.raises(ValueError, match=problem):
        ncnn.read_weights(ncnn.read_layers(PARAM), content)


def test_spans_attention_is_zero_where_a_block_says_nothing():
    """With zero weights each block's sigmoid is a half, so only the first convolution reaches the end."""
    zero = torch.zeros(4, 4, 3, 3), torch.zeros(4)
    join = torch.zeros(4, 16, 1, 1), torch.zeros(4)
    join[0][:, :4, 0, 0] = torch.eye(4)
    first = torch.zeros(4, 3, 3, 3), torch.ones(4)
    enlarge = torch.zeros(12, 4, 3, 3), torch.zeros(12)
    enlarge[0][:, 0, 1, 1] = 1.0
    network = ColourSpan(torch.full((3,), 0.5), [first, *[zero] * 18, zero, join, enlarge], 2)
    assert torch.equal(network(torch.rand(1, 1, 5, 6)), torch.ones(1, 1, 10, 12))


def test_hu_survive_the_way_through_a_picture(abdomen):
    enhance = through_pictures(torch.nn.Upsample(scale_factor=2), 2)
    image = enhance(abdomen[0], (1.0, 1.0))
    assert np.array_equal(image, abdomen[0].repeat(2, axis=0).repeat(2, axis=1))


def test_a_kernel_that_srmd_is_told_keeps_the_mean():
    assert gaussian_kernel(2.4).sum() == pytest.approx(1)
    assert gaussian_kernel(0.0)[7, 7] == 1
