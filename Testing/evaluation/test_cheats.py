"""Cheats beside honest methods, on real CT: each must come out worst in the row that was made for it."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from ctsgan.degradation import preset as make_preset
from ctsgan.evaluation.honesty import measure_honesty
from ctsgan.evaluation.methods import ours
from ctsgan.evaluation.methods.interpolation import METHODS
from ctsgan.evaluation.physics import measure_physics
from ctsgan.metrics import bias, body_mask, inner_body, subpixel_shift

SCALE, PRESET = 2, "portable"
HONEST = ("bicubic", "Lanczos", "ctsgan light")
OWN_ROW = {
    "bias": "adds 5 HU",
    "shift": "shifts by half a pixel",
    "f50 bone +915 HU": "blurs",
    "f50 +200 HU": "blurs",
    "strongest invention": "paints a nodule",
    "invented": "paints nodules",
}


def after(enhance, change):
    return lambda low, spacing_mm: change(enhance(low, spacing_mm), [mm / SCALE for mm in spacing_mm])


def adds_5_hu(image, spacing_mm):
    return image + 5


def shifts_by_half_a_pixel(image, spacing_mm):
    return ndimage.shift(image.astype(float), (0.5, 0.5), order=3, mode="nearest")


def blurs(image, spacing_mm):
    return ndimage.gaussian_filter(image.astype(float), [1.5 / mm for mm in spacing_mm])


def paint(image, spacing_mm, places):
    """Nodules of 6 mm and 70 HU at shares of the image's size."""
    rows, columns = (np.arange(size) for size in image.shape)
    painted = image.astype(float)
    for down, across in places:
        distance = np.hypot(
            (rows - down * image.shape[0])[:, None] * spacing_mm[0],
            (columns - across * image.shape[1])[None] * spacing_mm[1],
        )
        painted[distance < 3] += 70
    return painted


@pytest.fixture(scope="module")
def methods():
    honest = {**METHODS, **ours.methods("light")}
    prepared = {name: honest[name].prepare(SCALE, PRESET) for name in HONEST}
    bicubic = prepared["bicubic"]
    return {
        **prepared,
        "adds 5 HU": after(bicubic, adds_5_hu),
        "shifts by half a pixel": after(bicubic, shifts_by_half_a_pixel),
        "blurs": after(bicubic, blurs),
        # in the liver of the test's slices
        "paints a nodule": after(bicubic, lambda image, spacing: paint(image, spacing, [(0.45, 0.28)])),
        "paints nodules": after(
            bicubic,
            lambda image, spacing: paint(
                image, spacing, [(0.3 + 0.04 * i, 0.2 + 0.04 * j) for i in range(6) for j in range(6)]
            ),
        ),
    }


@pytest.fixture(scope="module")
def references(clinical_volume):
    spacing = tuple(clinical_volume.spacing_mm[1::-1])
    voxels = torch.from_numpy(np.ascontiguousarray(clinical_volume.voxels)).short()
    return [{"slices": voxels[k : k + 1], "spacing_mm": spacing, "name": f"slice {k}"} for k in (8, 12)]


@pytest.fixture(scope="module")
def rows(methods, references):
    """How bad each method is, by row; higher is worse."""
    volume = references[0]
    sharp = volume["slices"][0]
    degradation = make_preset(PRESET, SCALE).set_random_state(0)
    low = degradation(sharp.float()[None], volume["spacing_mm"])[0].numpy().astype(np.int16)
    coarse = tuple(SCALE * mm for mm in volume["spacing_mm"])
    reference = sharp.numpy()
    inside = inner_body(body_mask(reference), volume["spacing_mm"])
    found = {row: {} for row in OWN_ROW}
    for name, enhance in methods.items():
        output = enhance(low, coarse)
        physics = measure_physics(enhance, SCALE, PRESET, realisations=2)["numbers"]
        honesty = measure_honesty(enhance, SCALE, PRESET, references)["numbers"]
        found["bias"][name] = abs(bias(output, reference, inside))
        found["shift"][name] = float(np.hypot(*subpixel_shift(output, reference)))
        for row in ("f50 bone +915 HU", "f50 +200 HU"):
            found[row][name] = -physics[row]
        for row in ("strongest invention", "invented"):
            found[row][name] = honesty[row]
    return found


@pytest.mark.parametrize("row", OWN_ROW)
def test_each_cheat_is_worst_in_its_own_row(rows, row):
    values = rows[row]
    if row == "strongest invention":
        values = {name: value for name, value in values.items() if name != "paints nodules"}
    assert max(values, key=values.get) == OWN_ROW[row], values


@pytest.mark.parametrize(("row", "times"), [("bias", 3), ("shift", 3), ("strongest invention", 1.5), ("invented", 1.5)])
def test_no_honest_method_is_nearly_as_bad_as_the_cheat(rows, row, times):
    assert rows[row][OWN_ROW[row]] > times * max(rows[row][name] for name in HONEST)


def test_a_blur_is_told_from_honest_methods_by_a_fifth(rows):
    honest = min(-rows["f50 bone +915 HU"][name] for name in HONEST)
    assert -rows["f50 bone +915 HU"]["blurs"] < 0.8 * honest
