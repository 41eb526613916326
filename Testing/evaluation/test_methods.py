"""The comparison with peers: reading ncnn's files, intervals over patients, and going on after an interruption."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from benchmarks.peers import denoise, ncnn
from benchmarks.peers.esrgan import grey_network, parameter_names
from benchmarks.peers.measure import NAMES, Store, degraded_pairs, measure
from benchmarks.peers.method import Method, Unavailable, through_pictures
from benchmarks.peers.report import differences, report
from benchmarks.peers.span import MergedSpan
from benchmarks.peers.srmd import gaussian_kernel
from benchmarks.peers.statistics import bootstrap, patient_means, patients

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


def test_one_channel_stands_for_three_equal_ones():
    generator = torch.Generator().manual_seed(0)

    def pair(outputs, inputs):
        return 0.1 * torch.randn(outputs, inputs, 3, 3, generator=generator), torch.randn(outputs, generator=generator)

    body = [pair(64 if i == 4 else 32, 64 + 32 * i) for _ in range(3) for i in range(5)]
    weights = [pair(64, 3), *body, *(pair(64, 64) for _ in range(4)), pair(3, 64)]
    network = grey_network(weights, blocks=1).eval()
    assert len(parameter_names(23)) == 351
    image = torch.rand(1, 1, 8, 8, generator=generator)
    features = {}
    network.conv_first.register_forward_hook(lambda _, inputs, output: features.update(first=output.clone()))
    network.conv_last.register_forward_hook(lambda _, inputs, output: features.update(last=inputs[0].clone()))
    with torch.no_grad():
        output = network(image)
    assert torch.allclose(features["first"], F.conv2d(image.expand(1, 3, 8, 8), *weights[0], padding=1), atol=1e-4)
    colours = F.conv2d(features["last"], *weights[-1], padding=1)
    assert torch.allclose(output, colours.mean(dim=1, keepdim=True), atol=1e-3 * colours.abs().max())


def test_spans_attention_is_zero_where_a_block_says_nothing():
    """With zero weights each block's sigmoid is a half, so only the first convolution reaches the end."""
    zero = torch.zeros(4, 4, 3, 3), torch.zeros(4)
    join = torch.zeros(4, 16, 1, 1), torch.zeros(4)
    join[0][:, :4, 0, 0] = torch.eye(4)
    first = torch.zeros(4, 3, 3, 3), torch.ones(4)
    enlarge = torch.zeros(12, 4, 3, 3), torch.zeros(12)
    enlarge[0][:, 0, 1, 1] = 1.0
    network = MergedSpan(torch.full((3,), 0.5), [first, *[zero] * 18, zero, join, enlarge], 2)
    assert torch.equal(network(torch.rand(1, 1, 5, 6)), torch.ones(1, 1, 10, 12))


def test_hu_survive_the_way_through_a_picture(abdomen):
    enhance = through_pictures(torch.nn.Upsample(scale_factor=2), 2)
    image = enhance(abdomen[0], (1.0, 1.0))
    assert np.array_equal(image, abdomen[0].repeat(2, axis=0).repeat(2, axis=1))


def test_a_kernel_that_srmd_is_told_keeps_the_mean():
    assert gaussian_kernel(2.4).sum() == pytest.approx(1)
    assert gaussian_kernel(0.0)[7, 7] == 1


def test_the_interval_of_patients_who_are_all_alike_is_a_point():
    assert bootstrap([2.5] * 7) == (2.5, 2.5, 2.5)
    with pytest.raises(ValueError, match="no patient"):
        bootstrap([])


def test_the_interval_contains_the_mean_and_narrows_with_patients():
    values = np.random.default_rng(3).normal(size=400)
    mean, lower, upper = bootstrap(values)
    assert mean == pytest.approx(values.mean())
    assert lower < mean < upper
    # the standard error of the mean says how wide it is
    assert upper - lower == pytest.approx(2 * 1.96 / 20, rel=0.2)
    few = bootstrap(values[:20])
    assert few[2] - few[1] > upper - lower


def test_a_patient_counts_once_however_many_slices_there_are():
    scores = {"a1": [1.0] * 50, "a2": [3.0] * 50, "b": [10.0, float("nan")], "c": [float("nan")]}
    means = patient_means(scores, {"a1": "a", "a2": "a", "b": "b", "c": "c"})
    assert means == {"a": 2.0, "b": 10.0}


def test_patients_come_from_the_manifest_above(tmp_path):
    folder = tmp_path / "val"
    folder.mkdir()
    assert patients(folder, ["x.nii.gz"]) == {"x.nii.gz": "x.nii.gz"}
    (tmp_path / "MANIFEST.csv").write_text("file,patient\nval/x.nii.gz,A\nval/y.nii.gz,A\n")
    assert patients(folder, ["x.nii.gz", "y.nii.gz", "z.nii.gz"]) == {
        "x.nii.gz": "A",
        "y.nii.gz": "A",
        "z.nii.gz": "z.nii.gz",
    }


@pytest.fixture
def volumes(abdomen):
    slices = torch.from_numpy(abdomen)
    return [
        {"slices": slices, "spacing_mm": (0.98, 0.98), "name": "a.nii"},
        {"slices": slices[:1] + 1, "spacing_mm": (0.98, 0.98), "name": "b.nii"},
    ]


def counting(identity="first", **options):
    """A method that repeats pixels and counts how often it is asked."""
    calls = SimpleNamespace(enhanced=0, prepared=0)

    def prepare(scale, preset):
        calls.prepared += 1

        def enhance(low, spacing_mm):
            calls.enhanced += 1
            return low.repeat(scale, axis=0).repeat(scale, axis=1)

        return enhance

    return Method((2,), prepare, lambda scale, preset: identity, **options), calls


def test_what_was_measured_is_not_measured_again(volumes, tmp_path):
    path = tmp_path / "results.json"
    pairs = list(degraded_pairs(volumes, "portable", 2))
    method, calls = counting()
    first = measure(pairs[:2], {"m": method}, "portable", 2, Store(path))
    assert (calls.enhanced, calls.prepared) == (2, 1)
    method, calls = counting()
    again = measure(pairs, {"m": method}, "portable", 2, Store(path))
    assert calls.enhanced == 2
    assert again["m"]["a.nii"][:2] == first["m"]["a.nii"]
    method, calls = counting()
    measure(list(degraded_pairs(volumes, "portable", 2, every=3)), {"m": method}, "portable", 2, Store(path))
    assert (calls.enhanced, calls.prepared) == (0, 0)
    method, calls = counting("other weights")
    measure(pairs, {"m": method}, "portable", 2, Store(path))
    assert calls.enhanced == 4


def test_an_interrupted_run_keeps_what_it_has(volumes, tmp_path):
    path = tmp_path / "results.json"
    method, calls = counting()

    def prepare(scale, preset):
        enhance = method.prepare(scale, preset)

        def interrupted(low, spacing_mm):
            if calls.enhanced == 2:
                raise KeyboardInterrupt
            return enhance(low, spacing_mm)

        return interrupted

    broken = Method((2,), prepare, method.identity)
    pairs = list(degraded_pairs(volumes, "area", 2))
    with pytest.raises(KeyboardInterrupt):
        measure(pairs, {"m": broken}, "area", 2, Store(path))
    assert list(json.loads(path.read_text())["m"]["area"]["x2"]["a.nii"]) == ["0", "1"]


def test_a_method_that_cannot_be_had_is_left_out_and_told_of(volumes):
    def prepare(scale, preset):
        raise Unavailable("no network")

    told = []
    method = Method((2,), prepare, lambda scale, preset: "")
    assert measure(list(degraded_pairs(volumes, "area", 2)), {"m": method}, "area", 2, Store(None), told.append) == {}
    assert told == ["m, area x2: no network"]


def test_ours_is_set_against_the_best_peer(volumes):
    pairs = list(degraded_pairs(volumes, "area", 2))
    ours, _ = counting(ours=True)
    peer, _ = counting()
    worse = Method((2,), lambda s, p: lambda low, mm: np.zeros([2 * n for n in low.shape], np.int16), peer.identity)
    methods = {"ours": ours, "peer": peer, "worse": worse}
    found = measure(pairs, methods, "area", 2, Store(None))
    patient_of = {"a.nii": "A", "b.nii": "B"}
    text = report(found, methods, patient_of, "x2, area")
    assert "| ours | peer | wide dB | +0.00 [+0.00, +0.00] |" in text
    means = {name: {score: {"A": 1.0, "B": 3.0} for score in NAMES} for name in methods}
    means["ours"]["wide dB"] = {"A": 4.0, "B": 4.0}
    row = next(row for row in differences(means, methods) if row[2] == "wide dB")
    assert row[3] == "+2.00 [+1.00, +3.00]"


def test_the_search_finds_the_filter_that_undoes_the_noise():
    truth = np.full((64, 64), 40, np.int16)
    noise = np.random.default_rng(0).normal(0, 20, truth.shape)
    pairs = [((truth + noise).astype(np.int16), truth, np.ones(truth.shape, bool))]
    parameters, error = denoise.search(denoise.median, {"size": [1, 3, 5]}, pairs)
    assert parameters == {"size": 5}
    assert error < 10
