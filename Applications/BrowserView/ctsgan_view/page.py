"""The page: what is shown, and what its controls do. MRML is touched from the server's own thread only."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

import slicer
from trame.app import TrameApp
from trame.widgets import html
from trame.widgets import vuetify3 as vuetify
from trame_server.utils.asynchronous import create_task
from trame_slicer.core import LayoutManager, SlicerApp
from trame_slicer.rca_view import register_rca_factories
from trame_slicer.views import Layout, LayoutDirection, SliceView, ViewLayoutDefinition
from trame_vuetify.ui.vuetify3 import SinglePageWithDrawerLayout
from vtkmodules.vtkCommonCore import vtkCommand

from ctsgan.geometry import LPS_TO_RAS
from ctsgan.io.files import split_suffix
from ctsgan.volume import Volume
from CTsGANEnhanceLib.Compare import FIRST_VIEW, SECOND_VIEW, set_fade, show_side_by_side
from CTsGANEnhanceLib.Forecast import Forecast, SpeedTrial, describe, forecast
from CTsGANEnhanceLib.Logic import EnhanceRun, explain
from CTsGANEnhanceLib.Settings import Settings

from .volume_views import TISSUES, VolumeViews, layout

POLL_S = 0.1

PURPOSES = [
    {"title": "Sharper pixels (x2)", "value": 2},
    {"title": "Sharper pixels (x4)", "value": 4},
    {"title": "Same grid, cleaner", "value": 1},
]

LAYOUTS = ["Slices", "3D"]

SOFT_TISSUE = (400, 40)
"""Window and level in HU that a volume is shown with at first."""


class Page(TrameApp):
    """Input and output side by side, in a scene of Slicer's.

    Args:
        volume: to be looked at.
        name: of it.
    """

    def __init__(self, volume: Volume, name: str) -> None:
        super().__init__()
        self._app = SlicerApp()
        slicer.mrmlScene = self._app.scene
        self._run: EnhanceRun | None = None
        self._output: slicer.vtkMRMLScalarVolumeNode | None = None
        self._measured: dict[int, SpeedTrial] = {}
        register_rca_factories(self._app.view_manager, self.server)
        self._layout = LayoutManager(self._app.scene, self._app.view_manager, self.server)
        views = [ViewLayoutDefinition.axial_view(label=view) for view in (FIRST_VIEW, SECOND_VIEW)]
        self._layout.register_layout(LAYOUTS[0], Layout(LayoutDirection.Horizontal, views))
        self._layout.register_layout(LAYOUTS[1], layout(), lazy_initialization=True)
        self._layout.set_layout(LAYOUTS[0])
        self._bodies = VolumeViews(self._app)
        self._input = self._add(volume, split_suffix(name)[0])
        self.state.update({"scale": 2, "fade": 0.0, "progress": 0.0, "running": False, "message": ""})
        self.state.update({"done": False, "saved_as": "", "layout": LAYOUTS[0], "tissue": TISSUES[0]["value"]})
        self.state.change("scale")(self._say_forecast)
        self.state.change("fade")(self._fade)
        self.state.change("layout", "tissue")(self._show_bodies)
        self._build(name)
        self._show(self._input)
        for view in self._app.view_manager.get_slice_views():
            self._tie(view)

    def _add(self, volume: Volume, name: str) -> slicer.vtkMRMLScalarVolumeNode:
        node = self._app.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        slicer.util.updateVolumeFromArray(node, volume.voxels)
        node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(LPS_TO_RAS @ volume.affine))
        node.CreateDefaultDisplayNodes()
        node.GetDisplayNode().SetAutoWindowLevel(False)
        node.GetDisplayNode().SetWindowLevel(*SOFT_TISSUE)
        return node

    def _build(self, name: str) -> None:
        with SinglePageWithDrawerLayout(self.server) as self.ui:
            self.ui.title.set_text(f"{name}: for research, not for diagnosis")
            with self.ui.drawer as drawer:
                drawer.width = 330
                with html.Div(classes="pa-4"):
                    vuetify.VSelect(
                        label="Purpose", v_model=("scale",), items=("purposes", PURPOSES), disabled=("running",)
                    )
                    html.Div("{{ forecast }}", classes="text-body-2 mb-4 forecast", style="white-space: pre-line")
                    vuetify.VBtn(
                        "Enhance",
                        block=True,
                        color="primary",
                        classes="enhance",
                        disabled=("running",),
                        click=self.enhance,
                    )
                    vuetify.VBtn("Cancel", block=True, classes="mt-2 cancel", disabled=("!running",), click=self.cancel)
                    vuetify.VProgressLinear(v_model=("progress",), max=1, classes="my-4", height=8)
                    html.Div("{{ message }}", classes="text-body-2 mb-4 message")
                    with vuetify.VBtnToggle(
                        v_model=("layout",), mandatory=True, density="compact", classes="mb-4 layout"
                    ):
                        for name in LAYOUTS:
                            vuetify.VBtn(name, value=name)
                    with html.Div(v_if=(f"layout == '{LAYOUTS[0]}'",)):
                        html.Div("Output over the input, on the left", classes="text-body-2")
                        vuetify.VSlider(
                            v_model=("fade",),
                            min=0,
                            max=1,
                            step=0.05,
                            disabled=("!done",),
                            classes="fade",
                            hide_details=True,
                        )
                    vuetify.VSelect(
                        v_else=True, label="Tissue", v_model=("tissue",), items=("tissues", TISSUES), classes="tissue"
                    )
                    vuetify.VBtn("Save", classes="save", block=True, disabled=("!done",), click=self._download_script())
            with self.ui.content:
                self._layout.initialize_layout_grid(self.ui)

    def _download_script(self) -> str:
        trigger = self.server.controller.trigger_name(self.saved)
        return f"utils.download(saved_as, trigger('{trigger}'), 'application/octet-stream')"

    def saved(self) -> object:
        """The output as a NRRD file for the browser to keep."""
        with TemporaryDirectory(prefix="CTsGANEnhance-") as folder:
            path = Path(folder) / "output.nrrd"
            self._app.io_manager.write_volume(self._output, path)
            return self.server.protocol.addAttachment(path.read_bytes())

    def _show(self, right: slicer.vtkMRMLScalarVolumeNode) -> None:
        show_side_by_side(self._input, right, self.state.fade)
        self._draw()

    def _tie(self, view: SliceView) -> None:
        """Keep the whole volume in the view when its size changes, and the other view on the same slice."""
        view.interactor().AddObserver(vtkCommand.WindowResizeEvent, lambda *_event: view.fit_view_to_content())

        def follow(*_event: object) -> None:
            for other in self._app.view_manager.get_slice_views():
                other.set_slice_value(view.get_slice_value())

        view.get_view_node().AddObserver(vtkCommand.ModifiedEvent, follow)

    def _say_forecast(self, scale: int, **_state: object) -> None:
        settings = Settings(scale=scale)
        expected = forecast(self._input, settings)
        self.state.forecast = describe(expected, self._measured.get(scale))
        if scale not in self._measured:
            create_task(self._say_time(expected, settings))

    async def _say_time(self, expected: Forecast, settings: Settings) -> None:
        """Add the time, once the speed with these settings has been tried."""
        trial = SpeedTrial(self._input, settings)
        while not trial.poll():
            await asyncio.sleep(POLL_S)
        self._measured[settings.scale] = trial
        if self.state.scale == settings.scale:
            with self.state:
                self.state.forecast = describe(expected, trial)

    def _fade(self, fade: float, **_state: object) -> None:
        set_fade(self._app.scene, fade)
        self._draw()

    def _show_bodies(self, layout: str, tissue: str, **_state: object) -> None:
        """The chosen layout; rendering in 3D is begun when it is asked for, because it costs memory and time."""
        self._layout.set_layout(layout)
        if layout == LAYOUTS[1]:
            self._bodies.show((self._input, self._output) if self._output else (self._input,), tissue)

    def _draw(self) -> None:
        for view in self._app.view_manager.get_slice_views():
            view.schedule_render()

    def enhance(self) -> None:
        """Start a run with the purpose that is chosen."""
        try:
            self._run = EnhanceRun(self._input, Settings(scale=self.state.scale))
        except (OSError, ValueError) as error:
            self.state.message = str(error)
            return
        self.state.running = True
        create_task(self._follow(self._run))

    def cancel(self) -> None:
        """End the run at once."""
        self._run.cancel()

    async def _follow(self, run: EnhanceRun) -> None:
        while (outcome := run.poll()) is None:
            with self.state:
                self.state.progress = run.progress.fraction
                self.state.message = run.progress.text or "Starting"
            await asyncio.sleep(POLL_S)
        with self.state:
            self.state.update({"running": False, "progress": 0.0, "message": explain(outcome)})
            if outcome.kind == "done":
                self._take(run.output_node)

    def _take(self, output: slicer.vtkMRMLScalarVolumeNode) -> None:
        """Show it in the place of the one before."""
        self._show(output)
        if self._output is not None:
            self._app.scene.RemoveNode(self._output)
        self._output = output
        self._show_bodies(self.state.layout, self.state.tissue)
        self.state.update({"done": True, "saved_as": f"{output.GetName()}.nrrd"})
