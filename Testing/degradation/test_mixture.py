"""A mixture does what one of its chains does, as often as it was told to."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ctsgan.data import PatchBatches
from ctsgan.degradation import HighOrderDegradation, MixedDegradation, ScannerDegradation, preset

SPACING = (0.9765625, 0.9765625)


@pytest.fixture(scope="module")
def patch(clinical_volume):
    return torch.from_numpy(clinical_volume.voxels[9:10, 200:264, 150:214].astype(np.float32))


def test_each_draw_is_that_of_one_chain_and_can_be_applied_again(patch):
    mixture = MixedDegradation([preset("area", 2), preset("bicubic", 2)], [3, 1]).set_random_state(0)
    possible = [preset(name, 2)(patch, SPACING) for name in ("area", "bicubic")]
    counts = [0, 0]
    for _ in range(200):
        low = mixture(patch, SPACING)
        assert torch.equal(mixture(patch, SPACING, randomize=False), low)
        counts[[torch.equal(low, other) for other in possible].index(True)] += 1
    assert counts[0] / 200 == pytest.approx(0.75, abs=0.08)


def test_the_same_seed_draws_the_same(patch):
    mixture = MixedDegradation([preset("portable", 2), HighOrderDegradation(2)])
    first, second = ([mixture.set_random_state(4)(patch, SPACING)] for _ in range(2))
    assert torch.equal(first[0], second[0])


def test_training_leaves_room_for_the_chain_that_needs_most(clinical_volume):
    mixture = MixedDegradation([preset("area", 2), ScannerDegradation(2), HighOrderDegradation(2, (1, 3))])
    assert mixture.margin == HighOrderDegradation(2).margin
    volume = {"slices": torch.from_numpy(clinical_volume.voxels[8:10]), "spacing_mm": SPACING, "name": "ct"}
    batches = PatchBatches([volume], mixture, patch_size=16, batch_size=6)
    assert batches.batch(0)["image"].shape == (6, 1, 16, 16)
    assert torch.equal(batches.batch(0)["image"], batches.batch(0)["image"])


@pytest.mark.parametrize(
    ("chains", "chances"),
    [([], None), ([preset("area", 2), preset("area", 4)], None), ([preset("area", 2)], [1, 2])],
)
def test_what_cannot_be_mixed_is_refused(chains, chances):
    with pytest.raises(ValueError, match="a mixture needs"):
        MixedDegradation(chains, chances)
