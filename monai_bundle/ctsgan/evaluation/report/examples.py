"""Crops side by side, with maps of their difference from the reference, as pictures inside the page."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from ...errors import CTError
from .markup import MINUS, element
from .table import method_name

PNG = b"\x89PNG\r\n\x1a\n"


def picture(out: Path, name: str, text: str) -> Element:
    """A PNG of the output folder as a data URI, with its size, so that nothing moves while the page loads.

    Raises:
        CTError: if it is missing, outside the folder, or no PNG.
    """
    path = out / name
    if not path.resolve().is_relative_to(out.resolve()) or not path.is_file():
        raise CTError(f"the picture {name} is missing from {out}; evaluate again")
    content = path.read_bytes()
    if not content.startswith(PNG):
        raise CTError(f"{path} is no PNG; evaluate again")
    # the header chunk comes first: length, IHDR, width, height
    width, height = (int.from_bytes(content[start : start + 4], "big") for start in (16, 20))
    source = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return element("img", src=source, alt=text, width=width, height=height)


def _cell(caption: list[Any], pictures: list[Element]) -> Element:
    return element("figure", *pictures, element("figcaption", *caption))


def example(results: Mapping[str, Any], found: Mapping[str, Any], out: Path) -> Element:
    """One place of one slice as every method shows it, the reference first."""
    rows = "row {} to {}, column {} to {}".format(*found["box"])
    place = f"{found['file']}, slice {found['slice']}, {rows}"
    title = f"{found['preset']}: {place}; {found['window']} window"
    if found.get("difference_hu"):
        title += (
            f", differences from {MINUS}{found['difference_hu']:g} HU (blue) to +{found['difference_hu']:g} HU (red)"
        )
    cells = [_cell(["reference"], [picture(out, found["reference"], f"reference, {place}")])]
    for method in (name for name in results["methods"] if name in found["methods"]):
        shown = found["methods"][method]
        images = [picture(out, shown["image"], f"{method}, {place}")]
        if shown.get("difference"):
            images.append(picture(out, shown["difference"], f"difference of {method} from the reference, {place}"))
        cells.append(_cell(method_name(method, results["methods"]), images))
    return element("section", element("h3", title), element("div", *cells, class_="crops"))
