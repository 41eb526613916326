"""The report of cheap methods on a real CT, and a browser to see it in."""

from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import pytest

from ctsgan.evaluation.report import write_report
from evaluation.report.cheap import cheap_results
from evaluation.report.page_tree import parse


@pytest.fixture(scope="session")
def folder(tmp_path_factory) -> Path:
    """Where the report and its pictures are."""
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="session")
def results(abdomen: np.ndarray, folder: Path) -> dict:
    """What was measured; do not change it."""
    return cheap_results(abdomen, folder)


@pytest.fixture(scope="session")
def report(results: dict, folder: Path) -> Path:
    return write_report(results, folder)


@pytest.fixture(scope="session")
def page(report: Path) -> Element:
    return parse(report)
