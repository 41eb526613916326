"""Pictures of every page for the documentation.

    PYTHONPATH=Testing python -m hosts.web.screenshots [FOLDER]

Starts a server in the environment of `make hosts` and drives Chromium with the clinical CT of `make data`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from ctsgan.io.files import read_volume, write_volume
from ctsgan.volume import Volume
from hosts.environments import ENVIRONMENTS, ROOT
from hosts.web.browser import go_to, measure, open_page, send, settle
from hosts.web.server import started

CT = ROOT / "data/totalsegmentator-2.18.0/tests/reference_files/example_ct_dicom"

COLOURS = 256
"""That are kept: small files, and no eye misses the rest."""


def shot(page: Page, path: Path) -> None:
    """A picture of what the window shows."""
    page.wait_for_timeout(800)
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(COLOURS).save(path, optimize=True)
    print(path)


def make_files(folder: Path) -> dict[str, Path]:
    """A series of two slices as zip; a part of it as reference, and with noise; a picture."""
    paths = sorted(CT.iterdir())[8:10]
    with zipfile.ZipFile(folder / "abdomen.zip", "w") as archive:
        for path in paths:
            archive.write(path, path.name)
    volume = read_volume(CT)
    truth = np.ascontiguousarray(volume.voxels[8:10, 170:370, 120:340])
    noisy = truth + np.random.default_rng(0).normal(0, 20, truth.shape).astype(np.int16)
    for name, voxels in (("reference", truth), ("noisy", noisy)):
        write_volume(Volume(voxels, volume.affine), folder / f"{name}.nii.gz")
    Image.fromarray(np.clip((truth[0] + 160) * (255 / 400), 0, 255).astype(np.uint8)).save(folder / "slice.png")
    return {path.name: path for path in folder.iterdir()}


def enhanced(page: Page, file: Path) -> None:
    """Send and enhance a file."""
    send(page, [file])
    page.get_by_role("button", name="Enhance", exact=True).click()
    expect(page.get_by_text("Done in ")).to_be_visible()
    expect(page.get_by_role("combobox", name="Show")).to_have_value("compare")
    page.locator(".viewer[data-shown]").wait_for()
    page.locator("canvas[role=img]").scroll_into_view_if_needed()


def draw(browser: Browser, address: str, files: dict[str, Path], folder: Path) -> None:
    """All pictures."""
    page = browser.new_page(viewport={"width": 1280, "height": 1400})
    open_page(page, address)
    enhanced(page, files["abdomen.zip"])
    page.get_by_role("slider", name="Zoom").fill("2.5")
    page.get_by_role("heading", level=1).scroll_into_view_if_needed()
    page.locator("canvas[role=img]").hover(position={"x": 700, "y": 300})
    shot(page, folder / "web_enhance.png")
    go_to(page, "About")
    page.get_by_role("button", name="Degrade").click()
    expect(page.locator(".viewer[data-shown='1']")).to_be_visible()
    shot(page, folder / "web_about.png")
    go_to(page, "Batch")
    send(page, [files["slice.png"], files["noisy.nii.gz"]])
    page.get_by_role("button", name="Pack 2 results").click()
    expect(page.get_by_role("link", name="Download all as zip")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 800})
    shot(page, folder / "web_batch.png")
    go_to(page, "Measure")
    measure(page, files["noisy.nii.gz"], files["reference.nii.gz"])
    expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 1700})
    settle(page)
    shot(page, folder / "web_measure.png")
    phone = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme="dark", device_scale_factor=2)
    open_page(phone, address)
    enhanced(phone, files["slice.png"])
    shot(phone, folder / "web_phone.png")


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as place, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        (Path(place) / "files").mkdir()
        with started(ENVIRONMENTS / "web/bin/python", Path(place) / "kept") as server:
            draw(browser, server.address, make_files(Path(place) / "files"), folder)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "Resources/screenshots"))
