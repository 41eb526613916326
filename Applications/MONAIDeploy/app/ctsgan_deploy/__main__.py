"""``python -m ctsgan_deploy -i FOLDER -o OUT``"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ctsgan.errors import CTError

SERIES_FOLDER = "enhanced"
"""Where in the output folder the series is put; that folder itself may be a mount, which nothing can replace."""

SETTINGS_FILE = Path(__file__).resolve().parents[2] / "app.yaml"
"""Settings of a checkout; a package names its own in HOLOSCAN_CONFIG_PATH."""


def _prepare_host() -> None:
    """What Holoscan needs before it is imported: its own messages quiet, the CUDA runtime found."""
    # an operator's exception comes back to the caller, so that Holoscan need not print it as well
    os.environ.setdefault("HOLOSCAN_LOG_LEVEL", "CRITICAL")
    from cuda.pathfinder import load_nvidia_dynamic_lib

    # linked by Holoscan on machines without a GPU too; the wheel that brings it is on no library path
    load_nvidia_dynamic_lib("cudart")


def main() -> int:
    """Enhance the series in the input folder; exit status 0, or 1 after one sentence on standard error."""
    _prepare_host()
    from monai.deploy.core import init_app_context

    from ctsgan.io.output import partial_output

    from .application import EnhanceApplication, read_settings

    context = init_app_context()
    source, target = Path(context.input_path), Path(context.output_path) / SERIES_FOLDER
    try:
        request = read_settings(Path(os.environ.get("HOLOSCAN_CONFIG_PATH", SETTINGS_FILE)))
        with partial_output(target, overwrite=request.overwrite, source=source) as partial:
            EnhanceApplication(source, partial, request).run()
    except CTError as error:
        print(f"ctsgan: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
