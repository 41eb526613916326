"""``python -m ctsgan_web``: `ctsgan web` where the package is not installed."""

from __future__ import annotations

import argparse
import sys

from ctsgan.errors import CTError

from .commands import add_options


def main() -> int:
    """Serve; 0 when it was ended, 1 after one sentence."""
    parser = argparse.ArgumentParser(
        prog="ctsgan_web", description="The web app and the HTTP interface of CTsGANEnhance."
    )
    add_options(parser)
    arguments = parser.parse_args()
    try:
        return arguments.run(arguments)
    except CTError as error:
        print(f"ctsgan: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
