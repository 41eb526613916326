"""How it works, on the visitor's own slice; the models and what they were measured to do; limits; citation."""

import streamlit as st

from ctsgan import models
from ctsgan_web.components import viewer
from ctsgan_web.service import service
from ctsgan_web.session import current_visitor, finished, job_of, keep_job, note

PRESETS = {
    "area": "footprint mean: what wider detector elements do",
    "portable": "portable: blur, wider pixels and noise",
    "scanner": "scanner: a smaller scanner's kernel, dose and streaks",
    "paper": "paper: blur, resizing, noise and JPEG, twice",
}

visitor = current_visitor()
st.markdown(
    """
A network sees each slice on the 12-bit scale of HU and makes it sharper and cleaner. It learnt that from pairs of good
slices and the same slices degraded. What comes out is compared with what was measured: the mean of every region wider
than 5 mm is put back to what it was, so that HU stay true. Metal and padding pass by the network. Spacing is divided by
the scale, and the image stays in the same place.
"""
)
st.subheader("What the network learnt to undo, on your own slice", anchor=False)
read = job_of("read")
if read is None or read.state != "done":
    st.info("Send a volume or a picture on the page Enhance, and one of its slices is degraded here.")
else:
    facts = read.result("read")
    first, second, third = st.columns(3)
    preset = first.selectbox("Degradation", list(PRESETS), format_func=PRESETS.get)
    scale = second.segmented_control(
        "Pixels become wider", [1, 2, 4], default=2, format_func=lambda x: f"{x} times", required=True
    )
    count = facts["shape"][0]
    index = third.slider("Slice", 1, count, (count + 1) // 2) - 1 if count > 1 else 0
    if st.button("Degrade"):
        keep_job("degraded", lambda: service().degrade(visitor, read, index, preset, scale, seed=0))
    done = finished("degraded", "Degrading")
    if done:
        note("Input: the slice after degradation. Output: the slice itself, which the network is to come back to.")
        viewer(facts, done, done, "degraded", [], "about viewer")

st.subheader("Models", anchor=False)
for name, entry in models.catalogue()["models"].items():
    st.markdown(f"**{name}**: {entry['description']} Licence {entry['licence']}.")
    st.table(
        [
            {
                "Scale": f"x{scale}",
                "Strengths": "low to high" if "high" in offer["weights"] else "low",
                "Measured quality": offer["quality"],
            }
            for scale, offer in entry["scales"].items()
        ]
    )
st.subheader("Limits", anchor=False)
st.markdown(
    """
* Each slice is enhanced by itself, without its neighbours.
* It was trained on adults' chests, abdomens, necks and heads. Children, metal, motion and photon counting are not in
  its data.
* A picture has no HU: its grey values are put on the whole 12-bit scale, and a pixel is taken for 0.75 mm.
* Detail that the scanner did not see is not there to be found. Look at the input too.
* It is for research. It is not a medical device, and not for diagnosis.
"""
)
st.subheader("Citation", anchor=False)
st.markdown(
    "Cite the paper whose method this implements: *CTsGAN - Image Enhancement of Portable CT Scanner using ESRGAN*. "
    "The program is CTsGANEnhance, licence Apache-2.0."
)
