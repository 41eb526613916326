"""The app for everybody: keyboard and screen reader, telephone, light and dark."""

from __future__ import annotations

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe_playwright = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")

from playwright.sync_api import Page, expect  # noqa: E402

from hosts.web.browser import PAGES, go_to, measure, open_page, send, settle  # noqa: E402

VIEWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]


@pytest.fixture(params=VIEWS, ids=lambda view: f"{view[0]}-{view[1]}")
def view(request, tab: Page, server, files) -> Page:
    """The page Enhance at a width and in a colour scheme, with a volume."""
    width, scheme = request.param
    tab.set_viewport_size({"width": width, "height": 900})
    tab.emulate_media(color_scheme=scheme)
    open_page(tab, server.address)
    send(tab, [files[".nii.gz"]])
    expect(tab.locator(".viewer[data-shown='2']")).to_be_visible()
    return tab


def serious(page: Page) -> list[str]:
    """What axe finds that keeps people from using the page: rule, element and why."""
    found = axe_playwright.Axe().run(page).response["violations"]
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}"
        for rule in found
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
    ]


def test_axe_finds_nothing_serious_and_no_page_is_wider_than_the_window(view):
    dark = view.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    for name in PAGES:
        if name != "Enhance":
            go_to(view, name)
        assert serious(view) == [], name
        assert view.evaluate("document.documentElement.scrollWidth") <= view.viewport_size["width"], name
        background = view.get_by_test_id("stApp").evaluate("x => getComputedStyle(x).backgroundColor.match(/\\d+/g)[0]")
        assert (int(background) < 60) == dark


def show_enhanced(page: Page, files) -> None:
    page.get_by_role("button", name="Enhance", exact=True).click()
    expect(page.get_by_text("Done in ")).to_be_visible()


def show_batch(page: Page, files) -> None:
    go_to(page, "Batch")
    send(page, [files[".nrrd"], files[".png"]])
    expect(page.get_by_role("button", name="Pack 2 results")).to_be_visible()


def show_measured(page: Page, files) -> None:
    go_to(page, "Measure")
    measure(page, files[".nrrd"], files[".mha"])
    expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()


def test_axe_finds_nothing_serious_in_results(view, files):
    for show in (show_enhanced, show_batch, show_measured):
        show(view, files)
        settle(view)
        assert serious(view) == [], show.__name__
        assert view.evaluate("document.documentElement.scrollWidth") <= view.viewport_size["width"], show.__name__


def test_a_volume_is_enhanced_by_keyboard_alone(tab, server, files):
    open_page(tab, server.address)
    with tab.expect_file_chooser() as chooser:
        for _ in range(30):
            tab.keyboard.press("Tab")
            if tab.evaluate("document.activeElement.shadowRoot?.activeElement?.type") == "file":
                break
        tab.keyboard.press("Enter")
    chooser.value.set_files([files[".nii.gz"]])
    expect(tab.locator(".viewer[data-shown='2']")).to_be_visible()
    for _ in range(30):
        tab.keyboard.press("Tab")
        if (
            tab.evaluate("document.activeElement.textContent") == "Enhance"
            and tab.evaluate("document.activeElement.tagName") == "BUTTON"
        ):
            break
    tab.keyboard.press("Enter")
    expect(tab.get_by_text("Done in ")).to_be_visible()
