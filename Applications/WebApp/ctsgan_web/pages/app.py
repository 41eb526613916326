"""The app's frame: its pages, and what stands on all of them."""

import streamlit as st

from ctsgan_web.session import note

st.set_page_config(page_title="CTsGANEnhance", layout="wide")
page = st.navigation(
    [
        st.Page("enhance.py", title="Enhance", default=True),
        st.Page("batch.py", title="Batch"),
        st.Page("measure.py", title="Measure"),
        st.Page("about.py", title="About"),
    ],
    position="top",
)
st.title(f"CTsGANEnhance: {page.title}")
note("Sharper and cleaner CT of the same patient, in the same place. For research. Not a medical device.")
page.run()
