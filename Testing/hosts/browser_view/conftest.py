"""The page in a browser, for each test anew."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hosts.browser_view.server import View, opened


@pytest.fixture
def view(
    host_python: Callable[[str], Path], host_environment: dict[str, str], chromium: object, tmp_path: Path
) -> Iterator[View]:
    (tmp_path / "server").mkdir()
    with opened(host_python("browser_view"), host_environment, chromium, tmp_path / "server") as found:
        yield found
