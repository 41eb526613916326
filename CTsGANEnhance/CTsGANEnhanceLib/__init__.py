"""The parts of the module; only :mod:`.Process` and :mod:`.Bundle` can be imported without 3D Slicer."""
