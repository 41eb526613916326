"""What every method promises: the shape, whole HU, and the place."""

import hashlib

import numpy as np
import pytest
import torch

from benchmarks.tune_denoisers import search
from ctsgan.errors import CTError
from ctsgan.evaluation.methods import PEERS, Unavailable, baseline, choose, denoise, ours
from ctsgan.evaluation.methods.classical import shock_filter, sparse_wavelets
from ctsgan.evaluation.methods.download import ALL, FOLDER_VARIABLE, Download, obtain, obtain_all, stored
from ctsgan.evaluation.methods.interpolation import bicubic
from ctsgan.evaluation.pairs import Pair, degraded_pairs
from ctsgan.filters import footprint_mean
from ctsgan.metrics import subpixel_shift
from ctsgan.networks import CTsGANGenerator, fold

EVERY = [(name, scale) for scale in (1, 2, 4) for name in choose(None, scale)]


def pair_of(volume, scale, preset="area") -> Pair:
    """192 x 192 pixels at the patient's side, so that there is an outline to tell the place by."""
    (pair,) = degraded_pairs(volume, "a.nii", preset, scale, [10])
    rows, columns = (slice(first // scale, (first + 192) // scale) for first in (100, 20))
    fine = tuple(slice(scale * part.start, scale * part.stop) for part in (rows, columns))
    low, reference = np.ascontiguousarray(pair.low[rows, columns]), np.ascontiguousarray(pair.reference[fine])
    return Pair("a.nii", 10, preset, scale, low, reference, pair.spacing_mm)


@pytest.mark.parametrize(("name", "scale"), EVERY)
def test_a_method_keeps_its_promise(clinical_volume, name, scale):
    """Those whose weights or packages are not on this machine cannot be asked."""
    method = choose(None, scale)[name]
    pair = pair_of(clinical_volume, scale, "portable" if method.told or scale == 1 else "area")
    try:
        assert method.identity(scale, pair.preset) == method.identity(scale, pair.preset)
        enhance = method.prepare(scale, pair.preset)
    except Unavailable as reason:
        pytest.skip(str(reason))
    before = pair.low.copy()
    image = enhance(pair.low, pair.spacing_mm)
    assert np.array_equal(pair.low, before)
    assert image.shape == pair.reference.shape
    assert image.dtype == np.int16
    # holding regional means may lead a little beyond the range that a file of a scanner has
    assert -1100 <= image.min() <= image.max() <= 3100
    # corners that do not stay on corners would move it by (scale - 1) / 2 pixels
    plain = bicubic(pair.low, scale) if scale > 1 else pair.low
    assert np.abs(subpixel_shift(image, plain)).max() < 0.2 * scale
    blocks = footprint_mean(torch.from_numpy(image.astype(np.float32)), scale).numpy()
    assert np.corrcoef(blocks.ravel(), pair.low.ravel())[0, 1] > 0.9


def test_interpolation_goes_through_a_constant_and_a_ramp():
    ramp = np.tile(np.arange(24, dtype=np.int16) * 40, (20, 1))
    for name in ("bilinear", "bicubic", "Lanczos", "B-spline"):
        image = PEERS[name].prepare(2, "area")(ramp, (1.0, 1.0))
        # each input pixel covers two: their mean is its value, away from the edges
        halves = image.reshape(40, 24, 2).mean(axis=2)
        np.testing.assert_allclose(halves[8:-8, 6:-6], np.tile(ramp[0], (40, 1))[8:-8, 6:-6], atol=1.0)
        np.testing.assert_array_equal(PEERS[name].prepare(4, "area")(ramp * 0 + 57, (1.0, 1.0)), 57)


def test_the_shock_filter_steepens_an_edge_and_adds_no_value():
    edge = torch.linspace(-6, 6, 48).sigmoid().expand(40, 48) * 200
    sharp = shock_filter(edge, 6, 1.0)
    middle = slice(10, -10)
    assert torch.diff(sharp[middle]).max() > 1.3 * torch.diff(edge[middle]).max()
    assert sharp.min() >= edge.min() - 1e-3
    assert sharp.max() <= edge.max() + 1e-3


def test_sparse_wavelets_come_nearer_to_the_footprints_than_where_they_start(clinical_volume):
    low = pair_of(clinical_volume, 2).low

    def missed(image):
        return np.abs(footprint_mean(torch.from_numpy(image.astype(np.float32)), 2).numpy() - low).mean()

    assert missed(sparse_wavelets(low, 2, 4.0, 8)) < 0.5 * missed(bicubic(low, 2))


def test_ours_are_offered_only_with_weights():
    methods = ours.methods("light")
    assert methods["ctsgan light"].scales == (1, 2, 4)
    assert all(method.scales for method in methods.values())
    assert "" not in {method.identity(method.scales[0], "area") for method in methods.values()}


def test_the_baseline_is_always_there():
    assert list(choose(["ctsgan light"], 2)) == ["bicubic", "ctsgan light"]
    assert list(choose(["ctsgan full", "ctsgan light"], 2)) == ["bicubic", "ctsgan light", "ctsgan full"]
    assert baseline(1) in choose(["median"], 1)


@pytest.mark.parametrize(
    ("names", "scale", "message"),
    [(["magic"], 2, "choose among"), (["median"], 4, "offered for x1"), (["none.pth"], 2, "no model file")],
)
def test_a_method_that_is_not_there_is_named(names, scale, message):
    with pytest.raises(CTError, match=message):
        choose(names, scale)


def test_a_users_model_file_is_a_method(tmp_path, clinical_volume):
    torch.manual_seed(0)
    path = tmp_path / "mine.pth"
    network = CTsGANGenerator(2, features=16, growth=32, blocks=2)
    torch.save(fold(network).state_dict(), path)
    methods = choose([str(path)], 2)
    assert list(methods) == ["bicubic", "mine"]
    pair = pair_of(clinical_volume, 2)
    image = methods["mine"].prepare(2, "area")(pair.low, pair.spacing_mm)
    assert image.shape == pair.reference.shape
    with pytest.raises(CTError, match="offered for x2"):
        choose([str(path)], 4)
    path.write_bytes(b"no model at all")
    with pytest.raises(CTError, match="not a model that spandrel reads"):
        choose([str(path)], 2)


def test_weights_of_others_are_taken_only_if_they_are_the_ones_meant(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "peers"))
    wanted = Download("weights.bin", "0" * 64, "MIT", url=(tmp_path / "there.bin").as_uri())
    with pytest.raises(Unavailable, match="--get-peers"):
        stored(wanted)
    with pytest.raises(Unavailable, match="cannot be downloaded"):
        obtain(wanted)
    (tmp_path / "there.bin").write_bytes(b"something else")
    with pytest.raises(Unavailable, match="another SHA-256"):
        obtain(wanted)
    assert list((tmp_path / "peers").iterdir()) == []


def test_a_download_is_kept_and_not_repeated(tmp_path, monkeypatch):
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "peers"))
    (tmp_path / "there.bin").write_bytes(b"weights")
    wanted = Download(
        "weights.bin", hashlib.sha256(b"weights").hexdigest(), "MIT", url=(tmp_path / "there.bin").as_uri()
    )
    assert obtain(wanted).read_bytes() == b"weights"
    (tmp_path / "there.bin").unlink()
    assert obtain(wanted) == stored(wanted) == tmp_path / "peers" / "weights.bin"
    assert [path.name for path in (tmp_path / "peers").iterdir()] == ["weights.bin"]


def test_each_failed_download_is_one_sentence(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv(FOLDER_VARIABLE, str(blocked / "peers"))
    steps = []
    failed = obtain_all(lambda done, total: steps.append((done, total)), lambda sentence: None)
    assert len(failed) == len(ALL)
    assert all("\n" not in sentence and FOLDER_VARIABLE in sentence for sentence in failed)
    assert steps[-1] == (len(ALL), len(ALL))


def test_the_search_finds_the_filter_that_undoes_the_noise():
    truth = np.full((64, 64), 40, np.int16)
    noise = np.random.default_rng(0).normal(0, 20, truth.shape)
    pairs = [((truth + noise).astype(np.int16), truth, np.ones(truth.shape, bool))]
    parameters, error = search(denoise.median, {"size": [1, 3, 5]}, pairs)
    assert parameters == {"size": 5}
    assert error < 10
