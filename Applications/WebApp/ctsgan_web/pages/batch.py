"""Many volumes and pictures at once: one table, one archive."""

from dataclasses import replace

import streamlit as st

from ctsgan.errors import CTError
from ctsgan_web.components import uploader
from ctsgan_web.service import service
from ctsgan_web.session import (
    POLL_S,
    ask_options,
    current_visitor,
    drop_job,
    finished,
    keep_job,
    note,
    plain,
    progress_text,
)

visitor = current_visitor()
options = replace(ask_options("batch"), score=True)
sent = uploader(visitor, "Choose volumes, pictures or zipped series, or drop them here", "batch upload")
note("Each file is one volume or picture; DICOM files that are not in a zip are taken for one series.")
rows = st.session_state.setdefault("batch", [])
if sent is not None:
    drop_job("batch archive")
    for part in service().split(visitor, sent):
        first = next(iter(part.names.values()))
        title = first if len(part.names) == 1 else f"{first} and {len(part.names) - 1} more"
        try:
            rows.append({"title": title, "job": service().process(visitor, part, options).id, "error": ""})
        except CTError as error:
            rows.append({"title": title, "job": "", "error": str(error)})


def found(row: dict) -> dict[str, str]:
    """A row of the table."""
    job = service().queue.get(row["job"])
    cells = {"File": plain(row["title"]), "State": "failed", "Time": "", "NIQE before": "", "NIQE after": ""}
    if job is None:
        return {**cells, "What": plain(row["error"])}
    cells |= {"State": job.state, "What": ""}
    if job.state == "done":
        result = job.result("enhance")
        before, after = ("too small" if score is None else f"{score:.2f}" for score in result["niqe"])
        return {**cells, "Time": f"{result['seconds']} s", "NIQE before": before, "NIQE after": after}
    if job.state in ("waiting", "running"):
        return {**cells, "What": progress_text(job, "Reading" if job.steps[0] == "read" else "Enhancing")}
    return {**cells, "What": plain(job.error)}


def unfinished() -> list:
    """Jobs of the batch that wait or run."""
    jobs = [service().queue.get(row["job"]) for row in rows]
    return [job for job in jobs if job and not job.finished.is_set()]


@st.fragment(run_every=POLL_S)
def follow() -> None:
    """The table while jobs run."""
    if not unfinished():
        st.rerun()
    st.table([found(row) for row in rows])
    if st.button("Cancel all"):
        for job in unfinished():
            service().queue.cancel(job)
        st.rerun()


if rows and unfinished():
    follow()
elif rows:
    st.table([found(row) for row in rows])
    jobs = [service().queue.get(row["job"]) for row in rows]
    done = [job for job in jobs if job and job.state == "done"]
    if done and st.button(f"Pack {len(done)} results"):
        keep_job("batch archive", lambda: service().pack(visitor, done))
    archive = finished("batch archive", "Packing")
    if archive:
        st.markdown(f'<a href="/jobs/{archive.id}/file" download>Download all as zip</a>', unsafe_allow_html=True)
    if st.button("Clear the list"):
        for job in jobs:
            if job:
                service().drop(job)
        rows.clear()
        drop_job("batch archive")
        st.rerun()
    note(
        "NIQE says how natural a picture looks (lower is more natural), of the middle slice in the soft-tissue window; "
        "it says nothing of whether what is shown is true."
    )
