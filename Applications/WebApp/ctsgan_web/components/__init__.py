"""What Streamlit lacks: an uploader that writes to disk, and a viewer of HU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from ..interface import plain_type
from ..jobs import Job
from ..service import service
from ..uploads import KINDS
from ..visitors import Visitor

_FOLDER = Path(__file__).parent


def _component(name: str) -> Any:
    parts = {kind: (_FOLDER / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js")}
    return st.components.v2.component(f"ctsgan_{name}", **parts)


_uploader, _viewer = _component("uploader"), _component("viewer")


def uploader(visitor: Visitor, label: str, key: str, multiple: bool = True) -> Path | None:
    """A place for files; gives the folder of an upload once, when it has arrived."""
    largest = service().limits.volume_bytes
    data = {"label": label, "kinds": KINDS, "multiple": multiple, "url": f"/uploads/{visitor.id}", "largest": largest}
    sent = _uploader(key=key, data=data, on_uploaded_change=lambda: None).uploaded
    # the name comes from the browser, so that it may be anything
    known = {path.name: path for path in visitor.folder.glob("upload-*")}
    return known.get(sent) if sent else None


def viewer(
    read: dict[str, Any], before: Job, after: Job | None, name: str, downloads: list[dict[str, str]], key: str
) -> None:
    """Input and output of the same place, to be looked at.

    Args:
        read: what the read job found out.
        before: the job that left ``before.npy``.
        after: the one that left ``after.npy``, or ``None``.
        name: of pictures that are saved.
        downloads: each with ``label`` and ``url``.
        key: of the widget.
    """
    column_mm, row_mm = read.get("spacing_mm", (1.0, 1.0))[:2]
    data = {
        "before": _image(before, "before"),
        "after": _image(after, "after") if after else None,
        "slices": len(_stack(before, "before")),
        "hu": read["kind"] == "volume",
        "steps": read.get("steps", 0),
        "spacing": [column_mm, row_mm],
        "window": read.get("window"),
        "name": name,
        "downloads": downloads,
    }
    _viewer(key=key, data=data)


def _stack(job: Job, which: str) -> np.ndarray:
    return np.load(job.folder / f"{which}.npy", mmap_mode="r")


def _image(job: Job, which: str) -> dict[str, Any]:
    stack = _stack(job, which)
    url = f"/jobs/{job.id}/slices/{which}/"
    return {"url": url, "type": plain_type(stack.dtype), "rows": stack.shape[1], "columns": stack.shape[2]}
