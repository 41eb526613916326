"""An image against its reference: scores, a line profile, and a region of both."""

import numpy as np
import streamlit as st

from ctsgan_web.components import uploader
from ctsgan_web.service import Options, service
from ctsgan_web.session import current_visitor, drop_job, finished, keep_job, show_facts, upload_job

WINDOWS = {"soft": "soft tissue", "wide": "whole range", "lung": "lung", "bone": "bone"}
"""Of ``ctsgan.metrics.fidelity``, here so that the server need not load PyTorch."""

visitor = current_visitor()
columns = st.columns(2)
reads = []
for column, (name, label) in zip(
    columns,
    (("measured", "Choose the image to measure"), ("reference", "Choose its reference, of the same size")),
    strict=True,
):
    with column:
        st.subheader(name.capitalize(), anchor=False)
        sent = uploader(visitor, label, f"{name} upload")
        if sent is not None:
            drop_job("scores")
        upload_job(name, sent, visitor, Options())
        read = finished(name, "Reading")
        reads.append(read)
        if read:
            show_facts(read.result("read"))
if None in reads:
    st.stop()
image, reference = (read.result("read") for read in reads)
window = "wide"
if image["kind"] == "volume":
    window = st.selectbox("Window", list(WINDOWS), format_func=WINDOWS.get)
if st.button("Measure"):
    keep_job("scores", lambda: service().measure(visitor, *reads, window))
done = finished("scores", "Measuring")
if done is None:
    st.stop()
scores = done.result("measure")


def mean(name: str, digits: int) -> str:
    """Of a score over the slices that have it."""
    values = [value for value in scores[name] if value is not None]
    return f"{np.mean(values):.{digits}f}" if values else "none"


unit = scores["unit"]
psnr = "no difference" if scores["identical"] else f"{mean('psnr', 2)} dB"
st.table(
    {
        "PSNR": psnr,
        "SSIM": mean("ssim", 4),
        "RMSE": f"{mean('rmse', 2)} {unit}",
        "NIQE of the image": mean("niqe", 2),
        "NIQE of the reference": mean("niqe_reference", 2),
        "Window": f"{scores['window'][0]:.0f} to {scores['window'][1]:.0f} HU" if unit == "HU" else "all grey values",
        "Slices measured": f"{len(scores['slices'])} of {image['shape'][0]}",
    }
)
stacks = [np.load(read.folder / "before.npy", mmap_mode="r") for read in reads]
count, height, width = image["shape"]
index = st.slider("Slice", 1, count, (count + 1) // 2) - 1 if count > 1 else 0
slices = [np.asarray(stack[index], dtype=np.float32) for stack in stacks]
# of colours the profile shows the mean
slices = [picture.mean(axis=2) if picture.ndim == 3 else picture for picture in slices]

st.subheader("Line profile", anchor=False)
row = st.slider("Row", 0, height - 1, height // 2)
profiles = {"image": slices[0][row], "reference": slices[1][row]}
# Streamlit's own line chart has marks without a name for a screen reader
st.vega_lite_chart(
    {
        "column": np.tile(np.arange(slices[0].shape[1]), len(profiles)),
        unit: np.concatenate(list(profiles.values())),
        "of": np.repeat(list(profiles), slices[0].shape[1]),
    },
    {
        "description": f"Line profile of row {row} in the image and in its reference",
        "mark": "line",
        "encoding": {
            "x": {"field": "column", "type": "quantitative"},
            "y": {"field": unit, "type": "quantitative"},
            "color": {
                "field": "of",
                "type": "nominal",
                "title": None,
                "scale": {"domain": list(profiles), "range": ["#d95f02", "#1769aa"]},
            },
        },
    },
)

st.subheader("Region", anchor=False)
left, top, edge = (
    column.number_input(label, 0 if label != "Edge" else 1, largest, start)
    for column, (label, largest, start) in zip(
        st.columns(3),
        (
            ("First column", width - 1, width // 2),
            ("First row", height - 1, height // 2),
            ("Edge", max(width, height), 16),
        ),
        strict=True,
    )
)
regions = [picture[top : top + edge, left : left + edge] for picture in slices]
st.table(
    [
        {
            "": name,
            f"mean ({unit})": f"{region.mean():.1f}",
            f"standard deviation ({unit})": f"{region.std():.1f}",
            "smallest": f"{region.min():.0f}",
            "largest": f"{region.max():.0f}",
            "pixels": str(region.size),
        }
        for name, region in zip(("image", "reference"), regions, strict=True)
    ]
)
