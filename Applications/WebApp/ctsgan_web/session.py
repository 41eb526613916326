"""The visitor behind a Streamlit session, and what several pages show."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime import get_instance
from streamlit.runtime.scriptrunner import get_script_run_ctx

from ctsgan import models
from ctsgan.errors import CTError

from .jobs import Job
from .service import Options, service
from .uploads import load
from .visitors import Visitor

POLL_S = 1.0

STRENGTH_NAMES = {"low": "low (nearest to the data)", "medium": "medium", "high": "high (most detail)"}


def current_visitor() -> Visitor:
    """Who looks at the page; one whose files were removed begins anew, and is told so."""
    state = st.session_state
    found = service().visitors.get(state.get("visitor", ""))
    if found is None:
        if "visitor" in state:
            st.info("Your files were removed, because nothing was asked for in a while. Send them again.")
            state.clear()
        session = get_script_run_ctx().session_id
        found = service().visitors.enter(lambda: get_instance().is_active_session(session))
        state.visitor = found.id
    return found


def job_of(name: str) -> Job | None:
    """The job that the session keeps under a name, if it is still there."""
    return service().queue.get(st.session_state.get(name, ""))


def keep_job(name: str, start: Callable[[], Job]) -> None:
    """Start a job under a name, in the place of the one that has it; what refuses it is shown."""
    old = job_of(name)
    try:
        st.session_state[name] = start().id
        st.session_state.pop(f"{name} refused", None)
    except CTError as error:
        st.session_state.pop(name, None)
        st.session_state[f"{name} refused"] = str(error)
    if old:
        service().drop(old)


def drop_job(name: str) -> None:
    """End and forget the job of a name, and remove its files."""
    old = job_of(name)
    for key in (name, f"{name} refused"):
        st.session_state.pop(key, None)
    if old:
        service().drop(old)


def finished(name: str, doing: str) -> Job | None:
    """The job of that name if it is done; else its progress with a way to cancel, or why it failed, is shown."""
    if refused := st.session_state.get(f"{name} refused"):
        st.error(plain(refused))
    job = job_of(name)
    if job is None or job.state == "done":
        return job
    if job.state == "failed":
        st.error(plain(job.error))
    elif job.state == "cancelled":
        st.info("Cancelled; nothing was kept.")
    else:
        _follow(name, doing)
    return None


@st.fragment(run_every=POLL_S)
def _follow(name: str, doing: str) -> None:
    job = job_of(name)
    if job is None or job.finished.is_set():
        st.rerun()
    st.progress(min(job.fraction, 1.0), text=progress_text(job, doing))
    if st.button("Cancel", key=f"{name} cancel"):
        service().queue.cancel(job)
        st.rerun()


def progress_text(job: Job, doing: str) -> str:
    """Place in the queue, or how much is done and how long it will take."""
    if job.state == "waiting":
        place = service().queue.place(job)
        return f"Waiting: place {place} in the queue" if place else "Waiting"
    left = job.seconds_left
    return f"{doing}: {job.fraction:.0%}" + ("" if left is None else f", about {left:.0f} s left")


def upload_job(name: str, folder: Path | None, visitor: Visitor, options: Options) -> None:
    """Read an upload that has just arrived."""
    if folder is not None:
        keep_job(name, lambda: service().read(visitor, load(folder), options))


def note(text: str) -> None:
    """A remark in small print; Streamlit's captions are too pale to be read by everybody."""
    st.markdown(f":small[{text}]")


def plain(text: str) -> str:
    """Text of a visitor, or with names of one, that Streamlit is to show as it is, not as Markdown."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|~<>$:&])", r"\\\1", text)


def show_facts(read: Mapping[str, Any]) -> None:
    """What was read."""
    slices, rows, columns = read["shape"]
    table = {"File": plain(read["name"]), "Kind": plain(read["format"])}
    if read["kind"] == "volume":
        table["Modality"] = "CT, in HU"
        table["Size"] = f"{columns} x {rows} x {slices} voxels"
        table["Spacing"] = " x ".join(f"{mm:.4g}" for mm in read["spacing_mm"]) + " mm"
        table["Values"] = f"{read['lowest']:.0f} to {read['highest']:.0f} HU"
        if read["window"]:
            table["Window"] = f"level {read['window'][0]:g}, width {read['window'][1]:g} HU"
    else:
        table["Size"] = f"{columns} x {rows} pixels"
        table["Values"] = f"{read['lowest']} to {read['highest']} of {read['steps']} grey values"
    st.table(table)
    if read["kind"] == "picture":
        colour = (
            " Its colours are kept: the brightness is enhanced, and colours are interpolated." if read["colour"] else ""
        )
        st.info(f"This is a picture: it has no HU, and its grey values go through as they are.{colour}")


def ask_options(key: str) -> Options:
    """Widgets for scale, strength, model and tile, as far as the shipped models offer them."""
    offered = models.catalogue()["models"]
    first, second, third, fourth = st.columns(4)
    model = first.selectbox("Model", list(offered), key=f"{key} model")
    choices = list(models.scales(model))
    scale = second.segmented_control(
        "Scale",
        choices,
        default=2 if 2 in choices else choices[0],
        format_func=lambda x: f"x{x}",
        key=f"{key} scale",
        required=True,
    )
    weights = offered[model]["scales"][str(scale)]["weights"]
    names = [name for name, value in models.STRENGTHS.items() if value == 0.0 or "high" in weights]
    strength = third.selectbox(
        "Restoration strength",
        names,
        format_func=STRENGTH_NAMES.get,
        key=f"{key} strength",
        help="Medium and high need weights of the second training stage, which this model may not have.",
    )
    tile = fourth.select_slider(
        "Tile (pixels)",
        ["whole", 512, 256, 128, 64],
        key=f"{key} tile",
        help="Smaller tiles need less memory; the result is the same.",
    )
    return Options(scale=scale, model=model, strength=strength, tile=None if tile == "whole" else tile)
