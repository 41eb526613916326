"""Time and memory of work whose cost is known."""

import ctypes
import time

import numpy as np
import pytest

from ctsgan.evaluation.cost import measure_cost, measure_slices, peak_memory, power_law

MIB = 2**20
needs_linux = pytest.mark.skipif(peak_memory(int) is None, reason="only Linux tells a peak that can be reset")


def sleeping(seconds):
    def enhance(low, spacing_mm):
        time.sleep(seconds)
        return low

    return enhance


def test_a_power_law_is_found():
    x = np.array([1.0, 2.0, 4.0, 8.0])
    fit = power_law(x, 3 * x**1.5)
    assert (fit["factor"], fit["exponent"], fit["r2"]) == pytest.approx((3, 1.5, 1))


def test_a_method_that_takes_four_times_as_long_has_a_ratio_of_four():
    cost = measure_cost({"quick": sleeping(0.02), "slow": sleeping(0.08)}, 1, "quick", matrix=64)
    assert cost["quick"]["ratio"] == 1
    assert cost["slow"]["ratio"] == pytest.approx(4, rel=0.3)
    assert cost["slow"]["seconds_a_slice"] == pytest.approx(0.08, rel=0.3)


def test_methods_get_slices_of_the_input_size():
    shapes = []

    def enhance(low, spacing_mm):
        shapes.append((low.shape, spacing_mm))
        return low

    measure_cost({"any": enhance}, 4, matrix=128, repetitions=1)
    assert {shape for shape, _ in shapes} == {(8, 8), (16, 16), (32, 32)}
    assert {spacing for _, spacing in shapes} == {(2.8, 2.8)}


def test_time_that_grows_with_the_square_of_the_pixels_has_the_exponent_two():
    def enhance(low, spacing_mm):
        time.sleep(4e-7 * low.size**2)
        return low

    growth = measure_cost({"square": enhance}, 1, matrix=64)["square"]["growth"]["matrix"]
    assert growth["x"] == [256, 1024, 4096]
    # the smallest takes 26 ms, so that sleep's own time does not count
    assert growth["fit"]["exponent"] == pytest.approx(2, abs=0.1)


@needs_linux
def test_memory_is_that_which_the_work_takes_at_most():
    def work():
        first = np.ones(200 * MIB, np.uint8)
        second = np.ones(50 * MIB, np.uint8)
        del first
        return np.ones(20 * MIB, np.uint8), second

    assert peak_memory(work) == pytest.approx(250, rel=0.02)


@needs_linux
def test_what_was_freed_before_does_not_hide_what_is_taken_now():
    kept = []

    def work(count):
        blocks = [bytes(1000) for _ in range(count)]
        # one at the end keeps the allocator from giving back what lies before it
        kept.append(blocks[-1])

    large, again = (peak_memory(lambda count=count: work(count)) for count in (200_000, 100_000))
    assert large > 150
    assert again == pytest.approx(large / 2, rel=0.2)


def test_where_no_peak_can_be_told_there_is_none(monkeypatch):
    def missing(name):
        raise TypeError

    monkeypatch.setattr(ctypes, "CDLL", missing)
    assert peak_memory(lambda: None) is None
    cost = measure_cost({"quick": sleeping(0.0)}, 1, matrix=16, repetitions=1)["quick"]
    assert cost["peak_mib"] is None
    assert cost["growth"]["matrix memory"]["fit"] is None


def test_time_of_a_volume_grows_with_its_slices_and_memory_hardly():
    growth = measure_slices(4, counts=(2, 8, 32), matrix=128)
    assert growth["slices"]["fit"]["exponent"] == pytest.approx(1, abs=0.4)
    memory = growth["slices memory"]["y"]
    assert memory[0] is None or memory[-1] - memory[0] < 10
