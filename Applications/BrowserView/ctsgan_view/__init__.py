"""``ctsgan view``: a CT volume in Slicer's views, in a browser, enhanced by the Slicer extension's own logic."""
