"""Input and output as bodies in two 3D views that turn together."""

from __future__ import annotations

import slicer
from trame_slicer.core import SlicerApp, ViewManager
from trame_slicer.views import Layout, LayoutDirection, ThreeDView, ViewLayoutDefinition, ViewProps, ViewType
from vtkmodules.vtkCommonCore import vtkCommand

NAMES = ("Input", "Output")
"""Of the two views, from left to right."""
TISSUES = [
    {"title": "Bone", "value": "CT-Bones"},
    {"title": "Soft tissue", "value": "CT-Muscle"},
    {"title": "Vessels and organs", "value": "CT-AAA"},
    {"title": "Lung", "value": "CT-Lung"},
]
"""Slicer's presets for rendering a CT volume, and what they show."""

BACKGROUND = ("#1f2020", "#3c3c3c")
ELEVATION = 40
"""Degrees that the volume is seen from above at first: from the front alone, a few slices are a line."""


def layout() -> Layout:
    """Both views side by side."""
    properties = [ViewProps(label=name, background_color=BACKGROUND, box_visible=False) for name in NAMES]
    views = [ViewLayoutDefinition(each.label, ViewType.THREE_D_VIEW, each) for each in properties]
    return Layout(LayoutDirection.Horizontal, views)


class VolumeViews:
    """What the two views show; they exist once the layout has been chosen for the first time.

    Args:
        app: whose scene has the volumes.
    """

    def __init__(self, app: SlicerApp) -> None:
        self._rendering = app.volume_rendering
        self._views: ViewManager = app.view_manager
        self._tied = False

    def show(self, volumes: tuple[slicer.vtkMRMLScalarVolumeNode, ...], preset: str) -> None:
        """Each volume in its view, and none elsewhere.

        Args:
            volumes: the input, and the output where there is one.
            preset: one of :data:`TISSUES`.
        """
        pair = [view for name in NAMES for view in self._views.get_threed_views() if view.name == name]
        for view, volume in zip(pair, volumes, strict=False):
            display = self._rendering.create_display_node(volume, preset)
            self._rendering.apply_preset(display, preset)
            display.SetViewNodeIDs([view.get_view_node().GetID()])
            # Coarser while it turns: without a GPU, a fine picture takes a second.
            view.get_view_node().SetVolumeRenderingQuality(slicer.vtkMRMLViewNode.Adaptive)
        if not self._tied:
            self._tied = True
            pair[0].fit_view_to_content()
            camera = pair[0].get_camera_node().GetCamera()
            camera.Elevation(ELEVATION)
            camera.OrthogonalizeViewUp()
            pair[0].renderer().ResetCameraClippingRange()
            for view, other in (pair, pair[::-1]):
                _follow(other, view)
            _copy(pair[0], pair[1])
        for view in pair:
            view.schedule_render()


def _follow(follower: ThreeDView, leader: ThreeDView) -> None:
    """Keep a view's camera where another's is."""
    leader.get_camera_node().AddObserver(vtkCommand.ModifiedEvent, lambda *_event: _copy(leader, follower))


def _copy(source: ThreeDView, target: ThreeDView) -> None:
    place, other = (view.get_camera_node() for view in (source, target))
    if [*place.GetPosition(), *place.GetFocalPoint(), *place.GetViewUp()] == [
        *other.GetPosition(),
        *other.GetFocalPoint(),
        *other.GetViewUp(),
    ]:
        return
    other.GetCamera().DeepCopy(place.GetCamera())
    other.ResetClippingRange()
    target.schedule_render()
