"""What makes a report repeatable: command, settings, versions, weights, licences and files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .markup import EN_DASH, Child, element
from .table import definitions, method_name, simple_table


def provenance(results: Mapping[str, Any]) -> list[Child]:
    """The sections at the end of the page."""
    settings = {name: value for name, value in results["settings"].items() if name != "command"}
    methods = [
        [
            method_name(name, results["methods"]),
            element("code", method.get("identity") or EN_DASH),
            method.get("licence") or EN_DASH,
            method.get("missing") or ("told the true degradation" if method["told"] else "measured"),
        ]
        for name, method in results["methods"].items()
    ]
    files = [
        [
            file["name"],
            file["patient"],
            str(file["slices"]),
            element("code", file.get("sha256") or EN_DASH),
            file.get("skipped") or "measured",
        ]
        for file in results["files"]
    ]
    method_header = ["Method", "Identity (weights, settings)", "Licence", "Status"]
    file_header = ["File", "Patient", "Slices", "SHA-256", "Status"]
    return [
        element("h3", "Command"),
        element("pre", element("code", results["settings"].get("command") or EN_DASH), tabindex=0),
        element("h3", "Settings"),
        definitions(settings),
        element("h3", "Environment"),
        definitions(results["environment"]),
        simple_table("Methods, what identifies them, and their licences", method_header, methods, "Methods", "wrap"),
        element("details", element("summary", "Files"), simple_table("Files", file_header, files, "Files")),
    ]
