"""A CT in Slicer's views in Chromium: looked at, enhanced, cancelled, compared, saved."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ctsgan.io.files import read_volume
from ctsgan.workflow import Request, enhance_file
from hosts.browser_view.server import SAMPLE
from slicer_extension.workers import at_once, ends_within

REMOVED_S = 5.0
SHOWN = 0.5
"""Grey values that a view of the sample's bones differs by, in the mean, from an empty one or one that was turned."""
DRAWN_S = 60.0
"""A picture in 3D takes so long at most where the processor draws it."""
HAND_MS = 100
"""Between the places of a pointer that a hand moves; the page sends none that follow faster than it can draw."""

CANCEL = """
() => new Promise(resolve => {
    const started = performance.now(), message = document.querySelector('.message')
    new MutationObserver(() => {
        if (message.innerText.startsWith('Cancelled; the scene is as it was.'))
            resolve((performance.now() - started) / 1000)
    }).observe(message, {childList: true, characterData: true, subtree: true})
    document.querySelector('.cancel').click()
})
"""
"""Seconds from the click to the answer, as the page itself sees it."""


def difference(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.abs(first - second).mean())


def comes_true(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DRAWN_S
    while not (true := condition()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return true


def worker_of(server: int) -> int:
    """The process that enhances, by its id; it leads a session of its own."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        fields = stat.read_text().rpartition(")")[2].split()
        if int(fields[1]) == server and int(fields[3]) == int(stat.parent.name):
            return int(stat.parent.name)
    raise LookupError(f"{server} has no worker")


def test_a_volume_is_shown_twice_at_one_place_and_what_enhancing_does_is_said(view):
    left, right = view.picture("left"), view.picture("right")
    assert left.std() > 40
    np.testing.assert_array_equal(left, right)
    said = view.page.inner_text(".forecast")
    assert "288 x 224 x 6 voxels" in said
    assert "576 x 448 x 6 voxels" in said
    assert "GiB free" in said
    view.wait_for_time()
    assert "not for diagnosis" in view.page.inner_text(".v-toolbar")


def test_enhanced_beside_the_input_compared_and_saved(view, tmp_path):
    before = view.picture("left")
    assert view.page.locator(".save").is_disabled()
    view.page.click(".enhance")
    view.wait_for_message("slice ")
    view.wait_for_message("Done.")
    left, right = view.picture("left"), view.picture("right")
    np.testing.assert_array_equal(left, before)
    sharper = difference(left, right)
    assert sharper > 0.5

    slider = view.page.locator(".fade [role=slider]")
    for _ in range(20):
        slider.press("ArrowRight")
    faded = view.picture("left")
    assert difference(faded, right) < sharper / 10
    assert difference(faded, before) > sharper / 2

    with view.page.expect_download() as download:
        view.page.click(".save")
    assert download.value.suggested_filename == "abdomen_x2.nrrd"
    download.value.save_as(tmp_path / "saved.nrrd")
    enhance_file(SAMPLE, tmp_path / "expected.nrrd", Request(scale=2, threads=1))
    saved, expected = read_volume(tmp_path / "saved.nrrd"), read_volume(tmp_path / "expected.nrrd")
    np.testing.assert_array_equal(saved.voxels, expected.voxels, strict=True)
    np.testing.assert_allclose(saved.affine, expected.affine, atol=1e-4)
    assert list(view.runs.glob("CTsGANEnhance-*")) == []


def test_both_views_show_one_slice(view):
    left = view.picture("left")
    view.page.locator(".slice-slider [role=slider]").first.press("ArrowLeft")
    next_left, next_right = view.picture("left"), view.picture("right")
    assert difference(left, next_left) > 1
    np.testing.assert_array_equal(next_left, next_right)
    view.page.mouse.move(600, 400)
    view.page.mouse.wheel(0, 200)
    last_left, last_right = view.picture("left"), view.picture("right")
    assert difference(last_left, next_left) > 1
    np.testing.assert_array_equal(last_left, last_right)


def test_input_and_output_turn_together_in_3d(view):
    view.page.click(".layout button:has-text('3D')")
    view.wait_for_time()
    empty = view.picture("right")
    view.page.click(".enhance")
    view.wait_for_message("Done.")
    assert comes_true(lambda: difference(view.picture("right"), empty) > SHOWN)
    before = view.picture("left")
    view.page.mouse.move(600, 300)
    view.page.mouse.down()
    for step in range(1, 9):
        view.page.wait_for_timeout(HAND_MS)
        view.page.mouse.move(600 + 10 * step, 300 + 10 * step)
    view.page.wait_for_timeout(HAND_MS)
    view.page.mouse.up()
    assert comes_true(lambda: difference(view.picture("left"), before) > SHOWN)
    turned = view.picture("left")
    assert comes_true(lambda: difference(view.picture("right"), turned) < difference(before, turned) * 0.7)


def test_cancel_answers_at_once_and_leaves_nothing(view):
    view.wait_for_time()
    before = view.picture("right")

    def cancel_once():
        view.page.click(".enhance")
        view.wait_for_message("Starting")
        worker = worker_of(view.process.pid)
        seconds = view.page.evaluate(CANCEL)
        assert ends_within(worker, REMOVED_S)
        assert list(view.runs.glob("CTsGANEnhance-*")) == []
        return seconds

    assert at_once(cancel_once)
    np.testing.assert_array_equal(view.picture("right"), before)
    assert view.page.locator(".enhance").is_enabled()


def test_the_worker_ends_with_the_server(view):
    view.wait_for_time()
    view.page.click(".enhance")
    view.wait_for_message("Starting")
    worker = worker_of(view.process.pid)
    os.kill(view.process.pid, signal.SIGKILL)
    assert ends_within(worker, REMOVED_S)
