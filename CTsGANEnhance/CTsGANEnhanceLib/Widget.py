"""The module's panel: shows the settings of the scene, starts a run, follows it from a timer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

from .Compare import first_view, shown_slice
from .Installer import ensure_packages, missing_packages
from .Logic import EnhanceRun, explain
from .Panels import ComparePanel, ForecastPanel
from .Parameters import DEVICES, SCALES, likely_ct, offers_strength, settings_of

POLL_MS = 100


class CTsGANEnhanceWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel in Slicer's module area."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self._parameters = None
        self._gui_tag = None
        self._run: EnhanceRun | None = None
        self._is_preview = False
        self._preview: slicer.vtkMRMLScalarVolumeNode | None = None

    def setup(self) -> None:
        """Build the panel; called by Slicer when the module is first opened."""
        from CTsGANEnhance import CTsGANEnhanceLogic

        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/CTsGANEnhance.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = CTsGANEnhanceLogic()
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self.onTimer)
        self._requirements = Path(self.resourcePath("requirements.txt"))
        self._devices: dict[str, str] | None = None
        self._forecast = ForecastPanel(
            self.ui.forecastLabel, lambda: not missing_packages(self._requirements), self._name_devices
        )
        self._compare = ComparePanel(self.ui)
        self.ui.applyButton.clicked.connect(self.onApply)
        self.ui.previewButton.clicked.connect(self.onPreview)
        self.ui.cancelButton.clicked.connect(self.onCancel)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self._use(self.logic.getParameterNode())

    def cleanup(self) -> None:
        """End what is under way; called by Slicer when it ends or reloads the module."""
        self.onCancel()
        self._use(None)
        self._forecast.stop()
        self._compare.stop()
        self.removeObservers()

    def enter(self) -> None:
        """Show the settings of the scene; called by Slicer when the module is opened."""
        self._use(self.logic.getParameterNode())

    def exit(self) -> None:
        """Forget them; a run goes on. Called by Slicer when another module is opened."""
        self._use(None)

    def onSceneStartClose(self, *_event: object) -> None:
        """The nodes of a run under way go with the scene, and so does the run."""
        self.onCancel()
        self._use(None)

    def onSceneEndClose(self, *_event: object) -> None:
        """The new scene has settings of its own."""
        self._use(self.logic.getParameterNode())

    def onApply(self, *_checked: object) -> None:
        """Start a run with the settings that are shown."""
        self._start(lambda: {"output_node": self._parameters.output_volume})

    def onPreview(self, *_checked: object) -> None:
        """Enhance just the slice in the first view."""
        self._start(
            lambda: {
                "output_node": self._preview,
                "slice_index": shown_slice(self._parameters.input_volume, first_view(slicer.mrmlScene)),
            }
        )

    def _start(self, options: Callable[[], dict[str, object]]) -> None:
        """Start a run, with options that may be refused in one sentence."""
        self._say("")
        try:
            ensure_packages(self._requirements)
            given = options()
            self._run = EnhanceRun(
                self._parameters.input_volume,
                settings_of(self._parameters),
                roi_node=self._parameters.roi,
                temporary_folder=slicer.app.temporaryPath,
                **given,
            )
        except (OSError, RuntimeError, ValueError) as error:
            self._say(str(error))
            return
        self._is_preview = "slice_index" in given
        self._forecast.stop()
        self._timer.start()
        self._show_progress()
        self._update()

    def onCancel(self, *_checked: object) -> None:
        """End the run at once."""
        if self._run is not None:
            self._run.cancel()
            self.onTimer()

    def onTimer(self) -> None:
        """See how the run is doing, and finish it when it has ended."""
        outcome = self._run.poll()
        if outcome is None:
            self._show_progress()
            return
        run, self._run = self._run, None
        self._timer.stop()
        self.ui.progressBar.setVisible(False)
        has_failed = outcome.kind not in ("done", "cancelled")
        self._say(explain(outcome), run.log if has_failed else "")
        if outcome.kind == "done":
            self._show(run)
        self._update()

    def _show(self, run: EnhanceRun) -> None:
        if self._is_preview:
            self._preview = run.output_node
            self._compare.showVolumes(run.input_node, run.output_node)
            return
        slicer.util.setSliceViewerLayers(background=run.output_node)
        if self._parameters is not None:
            self._parameters.output_volume = run.output_node

    def _use(self, parameters) -> None:
        """Show these settings from now on; ``None`` shows none."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._gui_tag)
            self.removeObserver(self._parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._update)
        self._parameters = parameters
        if parameters is None:
            self._update()
            return
        if parameters.input_volume is None:
            parameters.input_volume = likely_ct(slicer.mrmlScene)
        self._gui_tag = parameters.connectGui(self.ui)
        self._name_choices()
        self.addObserver(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._update)
        self._update()

    def _name_choices(self) -> None:
        """The parameters' own values are no words for a user."""
        purposes = {2: _("Sharper pixels (x2)"), 4: _("Sharper pixels (x4)"), 1: _("Same grid, cleaner")}
        for index, scale in enumerate(SCALES):
            self.ui.scale.setItemText(index, purposes[scale])
        self._name_devices(self._devices)

    def _name_devices(self, found: dict[str, str] | None) -> None:
        """Which devices the machine has, and a GPU's own name; ``None`` as long as that is not known."""
        self._devices = found
        kinds = {"auto": _("Automatic"), "cpu": _("Processor"), "cuda": _("NVIDIA GPU"), "mps": _("Apple GPU")}
        for index, device in enumerate(DEVICES):
            text = kinds[device]
            if found is not None and device in ("cuda", "mps"):
                text += ": " + found.get(device, _("none here"))
            self.ui.device.setItemText(index, text)

    def _update(self, *_event: object) -> None:
        """Say what can be done now, and what would come of it."""
        parameters = self._parameters
        volume = parameters.input_volume if parameters is not None else None
        is_running = self._run is not None
        self.ui.applyButton.setEnabled(volume is not None and not is_running)
        self.ui.previewButton.setEnabled(volume is not None and not is_running)
        self.ui.cancelButton.setEnabled(is_running)
        self.ui.applyButton.setToolTip(_("Enhance the volume") if volume is not None else _("Choose a CT volume first"))
        if parameters is not None:
            # a strength that the model does not have can be taken back
            self.ui.strength.setEnabled(offers_strength(parameters) or parameters.strength > 0)
        self._compare.show(parameters)
        if not is_running:
            self._forecast.show(parameters)

    def _show_progress(self) -> None:
        progress = self._run.progress
        self.ui.progressBar.setVisible(True)
        self.ui.progressBar.setValue(round(1000 * progress.fraction))
        self._say(progress.text or _("Starting"))

    def _say(self, sentence: str, log: str = "") -> None:
        self.ui.statusLabel.setText(sentence)
        self.ui.logText.setPlainText(log)
        self.ui.logText.setVisible(bool(log))
