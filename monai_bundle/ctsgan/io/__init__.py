"""Reading and writing CT volumes; see :mod:`ctsgan.io.files` for the formats."""
