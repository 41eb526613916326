"""Takes the pictures of ``ctsgan view`` that the documents show.

Usage: PYTHONPATH=monai_bundle:Testing python -m hosts.browser_view.screenshots
"""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from hosts.browser_view.server import View, opened
from hosts.environments import ENVIRONMENTS, ROOT, process_environment

FOLDER = ROOT / "Resources/screenshots"


def take(view: View) -> None:
    """The sample at x2 beside its input, made larger around the spine."""
    view.page.click(".enhance")
    view.wait_for_message("Done.")
    view.page.mouse.move(600, 200)
    view.page.mouse.down(button="right")
    view.page.mouse.move(600, 460, steps=10)
    view.page.mouse.up(button="right")
    view.picture("left")
    view.picture("right")
    view.page.screenshot(path=FOLDER / "browser_view.png")


def main() -> None:
    python = ENVIRONMENTS / "browser_view/bin/python"
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        chromium = driver.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        with opened(python, process_environment(), chromium, Path(folder)) as view:
            take(view)


if __name__ == "__main__":
    main()
