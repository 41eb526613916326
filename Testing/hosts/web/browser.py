"""The app in a real Chromium, as its visitors use it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from playwright.sync_api import Page, expect

PAGES = ("Enhance", "Batch", "Measure", "About")

PATIENCE_MS = 180_000
"""On a machine that is busy with other work."""


def open_page(page: Page, address: str) -> None:
    """Load the app, which begins with the page Enhance."""
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_contain_text("Enhance")
    page.locator("input[type=file]").wait_for()


def go_to(page: Page, name: str) -> None:
    """Go to a page by its link, which a narrow window hides in a side bar."""
    link = page.get_by_role("link", name=name, exact=True)
    narrow = page.viewport_size["width"] < 600
    if narrow:
        page.get_by_test_id("stExpandSidebarButton").click()
    link.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(name)
    settle(page)
    if narrow:
        page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
        settle(page)


def settle(page: Page) -> None:
    """Wait until the page's script has run."""
    page.wait_for_timeout(300)
    page.wait_for_function("document.querySelector('[data-testid=stApp]').dataset.testScriptState !== 'running'")


def send(page: Page, files: Sequence[Path], place: int = 0) -> None:
    """Choose files in an uploader of the page."""
    page.locator("input[type=file]").nth(place).set_input_files(files)


def measure(page: Page, image: Path, reference: Path) -> None:
    """Send both to the page Measure, and ask for the scores."""
    for place, path in enumerate((image, reference)):
        send(page, [path], place)
        expect(page.get_by_test_id("stTable")).to_have_count(place + 1)
    page.get_by_role("button", name="Measure", exact=True).click()


def canvas_colours(page: Page) -> int:
    """How many grey values or colours the viewer shows."""
    return page.locator("canvas[role=img]").evaluate(
        """canvas => {
            const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
            const seen = new Set();
            for (let i = 0; i < pixels.length; i += 4) seen.add(pixels[i] << 16 | pixels[i + 1] << 8 | pixels[i + 2]);
            return seen.size;
        }"""
    )
