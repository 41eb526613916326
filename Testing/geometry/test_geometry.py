"""Smaller pixels cover the same place."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ctsgan.geometry import (
    cropped_affine,
    grid_for_spacing,
    half_pixel_shift,
    outer_corners,
    slice_axis,
    upscaled_affine,
    voxel_spacing,
)


@st.composite
def affines(draw: st.DrawFn) -> np.ndarray:
    """Any orientation, flips and shear (gantry tilt), spacings of 0.1 to 10 mm, anywhere."""
    columns = draw(hnp.arrays(float, (3, 3), elements=st.floats(-1, 1)).filter(lambda m: abs(np.linalg.det(m)) > 0.05))
    spacing = draw(hnp.arrays(float, 3, elements=st.floats(0.1, 10)))
    affine = np.eye(4)
    affine[:3, :3] = columns / np.linalg.norm(columns, axis=0) * spacing
    affine[:3, 3] = draw(hnp.arrays(float, 3, elements=st.floats(-500, 500)))
    return affine


shapes = st.tuples(st.integers(1, 1000), st.integers(16, 1024), st.integers(16, 1024))


@given(affines(), shapes, st.sampled_from([1, 2, 4]))
def test_corners_do_not_move(affine, shape, scale):
    finer = (shape[0], scale * shape[1], scale * shape[2])
    np.testing.assert_allclose(
        outer_corners(upscaled_affine(affine, scale), finer), outer_corners(affine, shape), atol=1e-3
    )


def test_corners_are_those_of_the_pixels():
    corners = outer_corners(np.diag([2.0, 3.0, 5.0, 1.0]), (2, 10, 20))
    np.testing.assert_array_equal(corners.min(axis=0), (-1.0, -1.5, 0.0))
    np.testing.assert_array_equal(corners.max(axis=0), (39.0, 28.5, 5.0))
    assert len(np.unique(corners, axis=0)) == 8


@given(affines(), st.sampled_from([2, 4]))
def test_pixels_shrink_and_slices_stay(affine, scale):
    finer = upscaled_affine(affine, scale)
    np.testing.assert_allclose(voxel_spacing(finer)[:2], voxel_spacing(affine)[:2] / scale)
    np.testing.assert_array_equal(finer[:3, 2], affine[:3, 2])


@given(affines())
def test_an_input_pixel_is_the_mean_place_of_its_four_pixels(affine):
    finer = upscaled_affine(affine, 2)
    children = np.array([(i, j, 0, 1) for i in (2, 3) for j in (4, 5)]) @ finer.T
    np.testing.assert_allclose(children.mean(axis=0), affine @ (1, 2, 0, 1), atol=1e-9)


@given(affines(), shapes, st.floats(0.2, 3.0))
def test_asked_spacing_is_met_around_the_same_centre(affine, shape, spacing):
    size, grid = grid_for_spacing(shape, affine, spacing)
    np.testing.assert_allclose(voxel_spacing(grid)[:2], spacing)
    centre = affine @ ((shape[2] - 1) / 2, (shape[1] - 1) / 2, 0, 1)
    np.testing.assert_allclose(grid @ ((size[1] - 1) / 2, (size[0] - 1) / 2, 0, 1), centre, atol=1e-6)
    extent = np.array([shape[1], shape[2]]) * voxel_spacing(affine)[[1, 0]]
    assert np.all(np.abs(np.array(size) * spacing - extent) <= np.maximum(spacing / 2, spacing - extent) + 1e-6)


def test_half_a_pixel_is_a_quarter_at_x2():
    np.testing.assert_allclose(half_pixel_shift(np.diag([0.8, 0.6, 3.0, 1.0]), (2, 2)), (-0.2, -0.15, 0.0))


def test_a_crop_begins_where_its_first_voxel_was():
    affine = np.diag([0.8, 0.6, 3.0, 1.0])
    np.testing.assert_allclose(cropped_affine(affine, (10, 20, 2))[:3, 3], (8.0, 12.0, 6.0))


@pytest.mark.parametrize(
    ("shape", "spacing", "axis"),
    [
        ((512, 512, 80), (0.7, 0.7, 2.0), 2),
        ((80, 512, 512), (2.0, 0.7, 0.7), 0),
        ((512, 80, 512), (0.7, 2.0, 0.7), 1),
        ((512, 512, 512), (0.7, 0.7, 0.7), 2),
        ((512, 400, 80), (0.7, 0.9, 2.0), 2),
        ((300, 512, 512), (0.5, 0.7, 0.7), 0),
    ],
)
def test_the_slice_axis_is_the_one_across_the_square_pixels(shape, spacing, axis):
    assert slice_axis(shape, spacing) == axis
