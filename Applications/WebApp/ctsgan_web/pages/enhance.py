"""One volume, series or picture: sent, looked at, enhanced, compared, downloaded."""

from dataclasses import replace

import streamlit as st

from ctsgan.io.common import split_suffix
from ctsgan_web.components import uploader, viewer
from ctsgan_web.limits import shown_bytes
from ctsgan_web.service import Options, service
from ctsgan_web.session import (
    ask_options,
    current_visitor,
    drop_job,
    finished,
    job_of,
    keep_job,
    note,
    plain,
    show_facts,
    upload_job,
)
from ctsgan_web.tasks.facts import DICOM_SERIES
from ctsgan_web.uploads import ARCHIVE

visitor = current_visitor()
limits = service().limits
sent = uploader(
    visitor, "Choose a CT volume, the files of a DICOM series, or a picture, or drop them here", "enhance upload"
)
note(
    f"Pictures of at most {shown_bytes(limits.picture_bytes)}, volumes of at most "
    f"{shown_bytes(limits.volume_bytes)} in memory. Files stay on this server, for you alone, and are "
    f"removed when you leave or after {limits.kept_s / 60:.0f} minutes."
)
with st.expander("How it is read"):
    series = st.text_input("series: UID or number, where there are several")
    force = st.checkbox("force: take it as HU although it does not look like a CT")
    fill = st.text_input("fill: HU in the place of NaN and Inf, such as -1024")
    again = st.button("Read it again")
try:
    reading = Options(series=series or None, force=force, fill=float(fill) if fill else None)
except ValueError:
    st.error("fill must be a number of HU, such as -1024.")
    st.stop()

old = job_of("read")
if sent is not None or (again and old):
    drop_job("enhanced")
if sent is None and again and old:
    keep_job("read", lambda: service().read_again(visitor, old, reading))
upload_job("read", sent, visitor, reading)

read = finished("read", "Reading")
if read is None:
    st.stop()
facts = read.result("read")
left, right = st.columns([1, 2])
with left:
    show_facts(facts)
with right:
    options = ask_options("enhance")
    wanted = replace(options, series=reading.series, force=reading.force, fill=reading.fill)
    for caution in facts.get("cautions", {}).get(str(options.scale), []):
        st.warning(plain(caution.capitalize()))
    foreign = facts["kind"] == "volume" and facts["format"] != DICOM_SERIES
    if foreign and st.checkbox("Result as DICOM", help="A series in a new study, of a patient without a name."):
        wanted = replace(wanted, dicom=True)
    if st.button("Enhance"):
        keep_job("enhanced", lambda: service().enhance(visitor, read, wanted))
    done = finished("enhanced", "Enhancing")
    if done:
        result = done.result("enhance")
        size = " x ".join(str(count) for count in result["shape"][::-1])
        st.success(f"Done in {result['seconds']} s: {size}.")

name = split_suffix(facts["name"])[0]
downloads = []
if done:
    suffix = split_suffix(done.result("enhance")["file"])[1]
    kind = f"{DICOM_SERIES} (zip)" if suffix == ARCHIVE else suffix
    downloads = [{"label": f"Download the result: {kind}", "url": f"/jobs/{done.id}/file"}]
viewer(facts, read, done, name, downloads, "enhance viewer")
