# What Slicer would tell users of the extension, one field a line.
foreach(field CONTRIBUTORS DEPENDS DESCRIPTION HOMEPAGE ICONURL SCREENSHOTURLS)
  message(STATUS "EXTENSION_${field}=${EXTENSION_${field}}")
endforeach()
