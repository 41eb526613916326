# Slicer's macros are in SlicerConfig.cmake here.
