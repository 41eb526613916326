"""The module's panel: shows the settings of the scene, starts a run, follows it from a timer."""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleWidget
from slicer.util import VTKObservationMixin

from .Installer import ensure_packages
from .Logic import EnhanceRun, explain
from .Parameters import DEVICES, SCALES, likely_ct, settings_of

POLL_MS = 100


class CTsGANEnhanceWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The panel in Slicer's module area."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self._parameters = None
        self._gui_tag = None
        self._run: EnhanceRun | None = None

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
        self.ui.applyButton.clicked.connect(self.onApply)
        self.ui.cancelButton.clicked.connect(self.onCancel)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEndClose)
        self._use(self.logic.getParameterNode())

    def cleanup(self) -> None:
        """End what is under way; called by Slicer when it ends or reloads the module."""
        self.onCancel()
        self._use(None)
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
        self._say("")
        try:
            ensure_packages(Path(self.resourcePath("requirements.txt")))
            self._run = EnhanceRun(
                self._parameters.input_volume,
                settings_of(self._parameters),
                self._parameters.output_volume,
                self._parameters.roi,
                slicer.app.temporaryPath,
            )
        except (OSError, RuntimeError, ValueError) as error:
            self._say(str(error))
            return
        self._timer.start()
        self._show_progress()
        self._update_buttons()

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
            slicer.util.setSliceViewerLayers(background=run.output_node)
            if self._parameters is not None:
                self._parameters.output_volume = run.output_node
        self._update_buttons()

    def _use(self, parameters) -> None:
        """Show these settings from now on; ``None`` shows none."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._gui_tag)
            self.removeObserver(self._parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._update_buttons)
        self._parameters = parameters
        if parameters is None:
            self._update_buttons()
            return
        if parameters.input_volume is None:
            parameters.input_volume = likely_ct(slicer.mrmlScene)
        self._gui_tag = parameters.connectGui(self.ui)
        self._name_choices()
        self.addObserver(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self._update_buttons)
        self._update_buttons()

    def _name_choices(self) -> None:
        """The parameters' own values are no words for a user."""
        purposes = {2: _("Sharper pixels (x2)"), 4: _("Sharper pixels (x4)"), 1: _("Same grid, cleaner")}
        for index, scale in enumerate(SCALES):
            self.ui.scale.setItemText(index, purposes[scale])
        devices = {"auto": _("Automatic"), "cpu": _("Processor"), "cuda": _("NVIDIA GPU"), "mps": _("Apple GPU")}
        for index, device in enumerate(DEVICES):
            self.ui.device.setItemText(index, devices[device])

    def _update_buttons(self, *_event: object) -> None:
        volume = self._parameters.input_volume if self._parameters is not None else None
        is_running = self._run is not None
        self.ui.applyButton.setEnabled(volume is not None and not is_running)
        self.ui.cancelButton.setEnabled(is_running)
        self.ui.applyButton.setToolTip(_("Enhance the volume") if volume is not None else _("Choose a CT volume first"))

    def _show_progress(self) -> None:
        progress = self._run.progress
        self.ui.progressBar.setVisible(True)
        self.ui.progressBar.setValue(round(1000 * progress.fraction))
        self._say(progress.text or _("Starting"))

    def _say(self, sentence: str, log: str = "") -> None:
        self.ui.statusLabel.setText(sentence)
        self.ui.logText.setPlainText(log)
        self.ui.logText.setVisible(bool(log))
