"""The application's graph, and its settings."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import yaml
from monai.deploy.conditions import CountCondition
from monai.deploy.core import Application

from ctsgan.errors import CTError
from ctsgan.workflow import Request

from .operators import EnhanceOperator, SeriesLoaderOperator, SeriesWriterOperator


class EnhanceApplication(Application):
    """Loads the CT series of a folder, enhances it and writes it as a derived series.

    Args:
        source: folder with the series.
        target: empty folder for the derived series.
        request: what to do, as for ``ctsgan enhance``.
    """

    def __init__(self, source: Path, target: Path, request: Request) -> None:
        # Holoscan's constructor may compose
        self.source, self.target, self.request = source, target, request
        super().__init__()

    def compose(self) -> None:
        loader = SeriesLoaderOperator(
            self, CountCondition(self, 1), folder=self.source, target=self.target, request=self.request, name="load"
        )
        enhancer = EnhanceOperator(self, request=self.request, name="enhance")
        options = self.request.series_options
        writer = SeriesWriterOperator(self, folder=self.target, options=options, name="write")
        self.add_flow(loader, enhancer, {("volume", "volume")})
        self.add_flow(enhancer, writer, {("volume", "volume"), ("description", "description")})


def read_settings(path: Path) -> Request:
    """The section ``enhance`` of a settings file: fields of :class:`ctsgan.workflow.Request`.

    Raises:
        CTError: if the file cannot be read, or names what is no setting.
    """
    try:
        settings = (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("enhance") or {}
    except (OSError, yaml.YAMLError, AttributeError):
        raise CTError(f"the settings {path} cannot be read; see app.yaml of this application for their form") from None
    known = [field.name for field in fields(Request)]
    unknown = sorted(set(settings) - set(known))
    if unknown:
        raise CTError(f"{path} has no setting {', '.join(unknown)} in enhance; choose from {', '.join(known)}")
    return Request(**settings)
