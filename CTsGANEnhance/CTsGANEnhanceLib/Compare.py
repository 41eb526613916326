"""Input and output side by side in linked views, one fading into the other."""

from __future__ import annotations

import numpy as np
import slicer
from slicer.i18n import tr as _

from .Region import bundle_axes, ijk_to_ras

FIRST_VIEW, SECOND_VIEW = "Red", "Yellow"
"""Names of the slice views in Slicer's layout with two of them side by side."""


def show_side_by_side(
    input_node: slicer.vtkMRMLScalarVolumeNode, output_node: slicer.vtkMRMLScalarVolumeNode, fade: float = 0.0
) -> None:
    """The input on the left and the output on the right, at the same place, moving together.

    Args:
        input_node, output_node: to be shown.
        fade: how much of the output lies over the input on the left, 0 to 1.
    """
    scene = input_node.GetScene()
    for layout in slicer.util.getNodesByClass("vtkMRMLLayoutNode", scene):
        layout.SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutSideBySideView)
    first, second = (_view(scene, name) for name in (FIRST_VIEW, SECOND_VIEW))
    for composite, background in ((first[1], input_node), (second[1], output_node)):
        composite.SetBackgroundVolumeID(background.GetID())
        composite.SetForegroundVolumeID(None)
        composite.SetLinkedControl(1)
    first[1].SetForegroundVolumeID(output_node.GetID())
    second[0].GetSliceToRAS().DeepCopy(first[0].GetSliceToRAS())
    second[0].SetFieldOfView(*first[0].GetFieldOfView())
    second[0].UpdateMatrices()
    set_fade(scene, fade)


def set_fade(scene: slicer.vtkMRMLScene, fade: float) -> None:
    """How much of the output lies over the input on the left, 0 (input alone) to 1 (output alone)."""
    _view(scene, FIRST_VIEW)[1].SetForegroundOpacity(fade)


def shown_slice(volume_node: slicer.vtkMRMLScalarVolumeNode, slice_node: slicer.vtkMRMLSliceNode) -> int:
    """The slice of the volume, as the bundle counts them, that lies at the middle of a view.

    Raises:
        ValueError: if the view shows a place outside the volume.
    """
    middle = [slice_node.GetSliceToRAS().GetElement(row, 3) for row in range(3)]
    local = [0.0, 0.0, 0.0]
    volume_node.TransformPointFromWorld(middle, local)
    matrix = ijk_to_ras(volume_node)
    axis = bundle_axes(volume_node)[2]
    index = round((np.linalg.inv(matrix) @ [*local, 1.0])[axis])
    if not 0 <= index < volume_node.GetImageData().GetDimensions()[axis]:
        raise ValueError(
            _("The view shows no slice of {volume}; move it to the volume.").format(volume=volume_node.GetName())
        )
    return index


def first_view(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLSliceNode:
    """The slice view on the left."""
    return _view(scene, FIRST_VIEW)[0]


def _view(scene: slicer.vtkMRMLScene, name: str) -> tuple[slicer.vtkMRMLSliceNode, slicer.vtkMRMLSliceCompositeNode]:
    """A view's place, and what it shows."""
    found = []
    for kind in ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode"):
        nodes = [node for node in slicer.util.getNodesByClass(kind, scene) if node.GetLayoutName() == name]
        if not nodes:
            raise RuntimeError(f"the scene has no slice view {name}")
        found.append(nodes[0])
    return found[0], found[1]
