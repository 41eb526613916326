"""CTsGANEnhance in a browser and over HTTP: one queue of jobs, a Streamlit app and a plain interface on one port."""
