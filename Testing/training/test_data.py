"""Which volumes train, how they are kept, and what patches are made of them."""

import json
import shutil

import numpy as np
import pytest
import torch

from ctsgan.data import PatchBatches, find_sources, load_slices, validation_pairs
from ctsgan.degradation import Degradation, MixedDegradation, RandNoise, preset
from ctsgan.errors import CTError
from ctsgan.filters import footprint_mean, gaussian_blur
from ctsgan.intensity import from_network_range
from ctsgan.softness import UNKNOWN, measure_softness


@pytest.fixture
def volumes(dataset):
    return load_slices(find_sources(dataset, "train"))


def names(sources):
    return [source["image"].name for source in sources]


def test_folders_named_train_and_val_are_the_splits(dataset):
    assert [source["image"] for source in find_sources(dataset, "val")] == [dataset / "val" / "ct.nii.gz"]


def test_a_datalist_names_the_splits(dataset, tmp_path):
    for name in ("a", "b"):
        shutil.copy(dataset / "train" / "ct.nii.gz", tmp_path / f"{name}.nii.gz")
    datalist = {"training": [{"image": "a.nii.gz"}], "validation": [{"image": "b.nii.gz", "patient": "B"}]}
    (tmp_path / "list.json").write_text(json.dumps(datalist))
    assert names(find_sources(tmp_path / "list.json", "train")) == ["a.nii.gz"]
    assert find_sources(tmp_path / "list.json", "val")[0]["patient"] == "B"


def test_any_other_folder_is_divided_by_patient(dataset, tmp_path):
    for number in range(12):
        shutil.copy(dataset / "train" / "ct.nii.gz", tmp_path / f"{number}.nii.gz")
    train, val = (set(names(find_sources(tmp_path, split))) for split in ("train", "val"))
    assert len(val) == 1
    assert len(train | val) == 12
    assert not train & val
    assert set(names(find_sources(tmp_path, "val"))) == val


def test_series_of_one_dicom_patient_stay_together(clinical_series, tmp_path):
    for split in ("train", "val"):
        shutil.copytree(clinical_series, tmp_path / split / "series")
    with pytest.raises(CTError, match="is in both splits"):
        find_sources(tmp_path, "train")


def test_a_patient_in_both_splits_is_refused(tmp_path):
    entry = {"image": "a.nii.gz", "patient": "P1"}
    (tmp_path / "list.json").write_text(json.dumps({"training": [entry], "validation": [entry]}))
    with pytest.raises(CTError, match="patient P1 is in both splits"):
        find_sources(tmp_path / "list.json", "train")


@pytest.mark.parametrize("content", ["{", "[]", '{"training": []}', '{"training": [3], "validation": []}'])
def test_what_is_not_a_datalist_is_named(tmp_path, content):
    (tmp_path / "list.json").write_text(content)
    with pytest.raises(CTError, match=r"list\.json is not a datalist"):
        find_sources(tmp_path / "list.json", "train")


def test_a_dataset_without_volumes_is_named(tmp_path):
    for dataset in (tmp_path, tmp_path / "missing", tmp_path / "missing.json"):
        with pytest.raises(CTError, match=str(dataset)):
            find_sources(dataset, "train")


def test_packed_slices_are_the_slices(dataset, tmp_path, volumes):
    for _ in range(2):  # packed, then found packed
        (packed,) = load_slices(find_sources(dataset, "train"), tmp_path / "packed")
        assert torch.equal(packed["slices"], volumes[0]["slices"])
        assert packed["spacing_mm"] == volumes[0]["spacing_mm"]
    assert len(list((tmp_path / "packed").glob("*.npy"))) == 1


def test_a_changed_volume_is_packed_anew(dataset, tmp_path):
    path = tmp_path / "ct.nii.gz"
    shutil.copy(dataset / "train" / "ct.nii.gz", path)
    before = load_slices([path], tmp_path / "packed")[0]["slices"]
    shutil.copy(dataset / "val" / "ct.nii.gz", path)
    assert len(load_slices([path], tmp_path / "packed")[0]["slices"]) == 1 != len(before)


def test_patches_come_degraded_and_in_pairs(volumes):
    batches = PatchBatches(volumes, preset("area", 4), patch_size=16, batch_size=3, seed=1)
    batch = next(iter(batches))
    assert batch["image"].shape == (3, 1, 16, 16)
    assert batch["label"].shape == (3, 1, 64, 64)
    means = from_network_range(torch.nn.functional.avg_pool2d(batch["label"], 4))
    assert (means.round() - from_network_range(batch["image"])).abs().max() <= 1.0


def noisy_batches(volumes, **settings):
    return PatchBatches(volumes, Degradation(2, noise=RandNoise()), patch_size=16, **settings)


def test_the_same_seed_gives_the_same_patches(volumes):
    first = [next(iter(noisy_batches(volumes, batch_size=2, seed=seed)))["image"] for seed in (5, 5, 6)]
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])


def test_a_stream_goes_on_at_any_batch(volumes):
    batches = noisy_batches(volumes, batch_size=2)
    stream = iter(batches)
    third = [next(stream) for _ in range(3)][2]
    later = noisy_batches(volumes, batch_size=2)
    later.next_batch = 2
    assert torch.equal(next(iter(later))["image"], third["image"])


def test_processes_share_a_batch_and_no_patch_is_seen_twice(volumes):
    whole = noisy_batches(volumes, batch_size=4).batch(7)["image"]
    halves = [noisy_batches(volumes, batch_size=2, rank=rank, world_size=2).batch(7)["image"] for rank in (0, 1)]
    assert torch.equal(torch.cat(halves), whole)
    assert len({patch.numpy().tobytes() for patch in whole}) == 4


def test_softer_patches_are_smooth(volumes):
    def roughness(softer_prob):
        batches = noisy_batches(volumes, batch_size=8, coarser_prob=0.0, softer_prob=softer_prob)
        return np.mean([batches.batch(n)["label"].diff(dim=-1).diff(dim=-1).abs().median().item() for n in range(8)])

    assert roughness(1.0) < 0.6 * roughness(0.0)


def test_the_degradation_that_was_drawn_says_how_many_are_smooth(volumes):
    chains = [Degradation(2, softer_prob=1.0), Degradation(2, softer_prob=0.0)]

    def roughness(chances):
        batches = PatchBatches(volumes, MixedDegradation(chains, chances), 16, 8, coarser_prob=0.0, softer_prob=0.5)
        return np.mean([batches.batch(n)["label"].diff(dim=-1).diff(dim=-1).abs().median().item() for n in range(8)])

    assert roughness([1, 0]) < 0.6 * roughness([0, 1])


def test_coarser_patches_have_pixels_of_twice_the_size(volumes):
    seen = []

    class Watched(Degradation):
        def __call__(self, image, spacing_mm, randomize=True):
            seen.append(spacing_mm)
            return super().__call__(image, spacing_mm, randomize)

    PatchBatches(volumes, Watched(2), patch_size=16, batch_size=32, coarser_prob=0.5).batch(0)
    assert {round(row_mm / volumes[0]["spacing_mm"][0], 6) for row_mm, _ in seen} == {1.0, 2.0}


def test_slices_smaller_than_a_patch_are_named(volumes):
    with pytest.raises(CTError, match=r"ct\.nii\.gz have 288 x 288 pixels, and a patch takes 320"):
        PatchBatches(volumes, preset("area", 4), patch_size=72)


def test_validation_pairs_are_always_the_same(dataset):
    volumes = load_slices(find_sources(dataset, "val"))
    one, two = (validation_pairs(volumes, preset("portable", 2)) for _ in range(2))
    assert len(one) == 1
    assert one[0]["image"].shape == (1, 128, 128)
    assert torch.equal(one[0]["image"], two[0]["image"])


def test_validation_pairs_of_small_slices_are_smaller(volumes):
    small = [{**volumes[0], "slices": volumes[0]["slices"][:, :101, :90]}]
    assert validation_pairs(small, preset("area", 4))[0]["label"].shape == (1, 88, 88)


@pytest.mark.parametrize(
    ("name", "low", "high"), [("bicubic", -1.0, -0.6), ("area", -0.5, 0.4), ("portable", 0.9, 1.0)]
)
def test_the_softness_of_patches_is_that_of_their_slices(volumes, name, low, high):
    batches = PatchBatches(
        volumes, preset(name, 2), patch_size=8, batch_size=60, coarser_prob=0, softer_prob=0, tell=True
    )
    batch = batches.batch(0)
    assert batch["image"].shape == (60, 2, 8, 8)
    told = batch["image"][:, 1]
    assert (told == told[:, :1, :1]).all()
    assert len(batches.measured) == sum(len(volume["slices"]) for volume in volumes)
    assert set(told.unique().tolist()) == set(torch.tensor(list(batches.measured.values())).tolist())
    assert low <= told.min()
    assert told.max() <= high
    plain = PatchBatches(volumes, preset(name, 2), patch_size=8, batch_size=1, coarser_prob=0, softer_prob=0).batch(0)
    torch.testing.assert_close(plain["image"], batch["image"][:1, :1])
    # a run that goes on later measures the same
    again = PatchBatches(
        volumes, preset(name, 2), patch_size=8, batch_size=60, coarser_prob=0, softer_prob=0, tell=True
    )
    first = again.batch(1)
    torch.testing.assert_close(first["image"], batches.batch(1)["image"], rtol=0, atol=0)


def test_the_softness_is_that_of_what_the_patch_was_made_from(volumes):
    settings = {"patch_size": 8, "batch_size": 20, "coarser_prob": 0.5, "softer_prob": 0.7, "tell": True}
    batches = PatchBatches(volumes, preset("area", 2), **settings)
    batches.batch(0)
    assert {key[3:] for key in batches.measured} > {(1, 0), (2, 0), (1, 2), (2, 3)}
    for (chain, number, index, coarser, smoothed), told in batches.measured.items():
        whole, spacing_mm = volumes[number]["slices"][index].float()[None], volumes[number]["spacing_mm"]
        sharp, spacing_mm = footprint_mean(whole, coarser), tuple(coarser * mm for mm in spacing_mm)
        if smoothed:
            sharp = gaussian_blur(sharp, smoothed / 2 * float(np.mean(spacing_mm)), spacing_mm)
        assert told == measure_softness(chain(sharp, spacing_mm).numpy(), 2)


def test_a_chain_whose_noise_does_not_tell_is_told_anything(volumes):
    batches = PatchBatches(volumes, preset("paper", 2), patch_size=8, batch_size=60, tell=True)
    told = batches.batch(0)["image"][:, 1, 0, 0]
    assert not batches.measured
    assert abs(told.mean()) < 0.2
    assert told.std() > 0.4


def test_some_patches_are_told_that_nothing_is_known(volumes):
    def told(name, **settings):
        batches = PatchBatches(volumes, preset(name, 2), patch_size=8, batch_size=200, tell=True, **settings)
        return batches.batch(0)["image"][:, 1, 0, 0]

    share = (told("area", coarser_prob=0, softer_prob=0, unknown_prob=0.25) == UNKNOWN).float().mean()
    assert 0.15 < share < 0.35
    # what another expert gets, this one meets only where the measure is in doubt
    assert (told("portable", coarser_prob=0, softer_prob=0, known_softness=(-1.0, 0.8)) == UNKNOWN).all()
    assert (told("area", coarser_prob=0, softer_prob=0, known_softness=(-1.0, 0.8)) < UNKNOWN).all()
    assert (told("area", coarser_prob=0, softer_prob=0, known_softness=(0.3, 1.0)) == UNKNOWN).all()


def test_the_softness_of_validation_slices_is_measured(volumes):
    for name, low, high in (("bicubic", -1.0, -0.5), ("area", -0.5, 0.4), ("portable", 0.6, 1.0)):
        for pair in validation_pairs(volumes, preset(name, 2), tell=True):
            assert pair["image"].shape == (2, 128, 128)
            assert low <= pair["image"][1].unique().item() <= high
