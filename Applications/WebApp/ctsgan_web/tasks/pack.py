"""The results of several jobs in one archive."""

from __future__ import annotations

import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ctsgan.io.common import split_suffix

ARCHIVE_NAME = "enhanced.zip"


def run(folder: Path, request: dict[str, Any], progress: Callable[[float, int], None]) -> dict[str, Any]:
    """Put ``request["files"]``, pairs of path and name, into an archive; names that occur again get a number."""
    seen: Counter[str] = Counter()
    with zipfile.ZipFile(folder / ARCHIVE_NAME, "w") as archive:
        for done, (path, name) in enumerate(request["files"], start=1):
            seen[name] += 1
            stem, suffix = split_suffix(name)
            archive.write(path, name if seen[name] == 1 else f"{stem}_{seen[name]}{suffix}")
            progress(done, len(request["files"]))
    return {"file": ARCHIVE_NAME, "name": ARCHIVE_NAME}
