"""The page in a real browser, at two widths, light and dark."""

import pytest

VIEWS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]

LUMINANCE = """
(selector) => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = parts(colour).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const element = document.querySelector(selector);
  let behind = element;
  while (parts(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement;
  const style = getComputedStyle(element);
  const pair = [light(element.closest('svg') ? style.fill : style.color),
                light(getComputedStyle(behind).backgroundColor)].sort((a, b) => b - a);
  return (pair[0] + 0.05) / (pair[1] + 0.05);
}
"""
"""Contrast of a text to what is behind it (WCAG 2.2)."""


@pytest.fixture(params=VIEWS, ids=lambda view: f"{view[0]}-{view[1]}")
def view(request, chromium, report):
    """The page, open; with what it asked for and complained about."""
    width, scheme = request.param
    phone = width < 600
    tab = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme, is_mobile=phone)
    tab.width = width
    tab.asked, tab.said = [], []
    tab.on("request", lambda call: tab.asked.append(call.url))
    tab.on("console", lambda message: tab.said.append(message.text))
    tab.on("pageerror", lambda error: tab.said.append(str(error)))
    tab.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => list.getEntries().forEach(e => window.shift += e.value))"
        ".observe({type: 'layout-shift', buffered: true});"
    )
    tab.goto(report.as_uri(), wait_until="load")
    tab.wait_for_timeout(100)
    yield tab
    tab.close()


def test_only_the_file_is_asked_for(view, report):
    assert [url for url in view.asked if not url.startswith("data:")] == [report.as_uri()]
    assert view.said == []


def test_the_page_is_as_wide_as_the_window(view):
    assert view.evaluate("document.documentElement.scrollWidth") == view.width
    view.evaluate("document.querySelectorAll('details').forEach(x => x.open = true)")
    assert view.evaluate("document.documentElement.scrollWidth") == view.width


def test_nothing_moves_while_it_loads(view):
    assert view.evaluate("window.shift") == 0


def test_text_can_be_read(view):
    for selector in ("p", ".muted", "td small", "td.difference", ".better, .worse", "caption", "a", "figure .tick"):
        assert view.evaluate(LUMINANCE, selector) >= 4.5, selector


def test_colours_follow_the_scheme(view):
    dark = view.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    brightness = view.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)[0]")
    assert (brightness < 60) == dark
    assert (brightness > 200) != dark


def test_names_of_methods_stay_in_sight_while_the_keyboard_scrolls_a_table(view):
    region = view.locator(".scroll").first
    # a window as narrow as a phone's, if it is not one
    region.evaluate("x => x.style.width = '300px'")
    name = region.locator("tbody th").first
    before = name.bounding_box()["x"]
    region.focus()
    for _ in range(5):
        view.keyboard.press("ArrowRight")
    view.wait_for_timeout(300)
    assert region.evaluate("x => x.scrollLeft") > 0
    assert name.bounding_box()["x"] == pytest.approx(before, abs=1)


def test_the_header_stays_in_sight_while_a_table_scrolls_down(view):
    region = view.locator(".scroll").first
    region.evaluate("x => { x.style.maxHeight = '220px'; x.scrollTop = 120; }")
    assert region.evaluate("x => x.scrollTop") == 120
    top = region.bounding_box()["y"]
    assert region.locator("thead").bounding_box()["y"] == pytest.approx(top, abs=2)


def test_the_keyboard_reaches_the_result_first(view):
    view.keyboard.press("Tab")
    assert view.evaluate("document.activeElement.textContent") == "Skip to the result"
    view.keyboard.press("Enter")
    assert view.evaluate("location.hash") == "#result"


def test_tables_unfold_by_keyboard(view):
    folded = view.locator("details:not([open]) summary").first
    name = folded.text_content()
    folded.focus()
    view.keyboard.press("Enter")
    assert view.locator("details[open] summary", has_text=name).count() == 1
