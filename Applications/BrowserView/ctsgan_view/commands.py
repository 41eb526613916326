"""`ctsgan view`: what the command line finds by the entry point, without loading more than it must."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction) -> None:
    """Add `view` to the commands of ``ctsgan``."""
    view = commands.add_parser("view", help="look at a volume in a browser, enhance it, compare")
    view.add_argument("input", type=Path, help="a volume or a DICOM series folder")
    view.add_argument("--port", type=int, default=0, metavar="N", help="of this machine (default a free one)")
    view.add_argument("--no-browser", action="store_true", help="only serve the page")
    view.set_defaults(run=_view)


def _view(arguments: argparse.Namespace) -> int:
    from ctsgan.io.files import read_volume

    volume = read_volume(arguments.input)
    from .page import Page

    Page(volume, arguments.input.name).server.start(
        port=arguments.port, host="127.0.0.1", open_browser=not arguments.no_browser, disable_logging=True
    )
    return 0
