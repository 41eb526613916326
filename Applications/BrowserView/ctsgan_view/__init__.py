"""``ctsgan view``: a CT volume in Slicer's views, in a browser, enhanced by the Slicer extension's own logic."""

from __future__ import annotations

from pathlib import Path


def view(path: Path, port: int, should_open_browser: bool) -> int:
    """Serve the volume until the program is ended.

    Args:
        path: of a volume or DICOM series that the bundle reads.
        port: on this machine alone; 0 takes a free one.
        should_open_browser: show it as well.

    Raises:
        ctsgan.errors.CTError: if it cannot be read.
    """
    from ctsgan.io.files import read_volume

    from .page import Page

    volume = read_volume(path)
    Page(volume, path.name).server.start(
        port=port, host="127.0.0.1", open_browser=should_open_browser, exec_mode="main", disable_logging=True
    )
    return 0
