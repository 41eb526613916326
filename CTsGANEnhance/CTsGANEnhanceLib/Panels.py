"""Parts of the module's panel: what is said before a run, and how input and output are compared after it."""

from __future__ import annotations

from collections.abc import Callable

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from .Compare import set_fade, show_side_by_side
from .Forecast import SpeedTrial, describe, forecast
from .Parameters import Parameters, settings_of
from .Region import mean_and_deviation
from .Settings import Settings

SETTLED_MS = 300
"""Nothing is computed anew while a user is still turning a knob or moving a region."""


def _timer(milliseconds: int, action: Callable[[], None]) -> qt.QTimer:
    timer = qt.QTimer()
    timer.setInterval(milliseconds)
    timer.timeout.connect(action)
    return timer


class ForecastPanel:
    """Says what a run with the settings would do. Speeds are measured once for each set of settings.

    Args:
        label: to say it in.
        may_try: whether the packages that a trial needs are there.
        tell_devices: is told the names of the machine's devices when a trial has found them.
    """

    def __init__(
        self, label: qt.QWidget, may_try: Callable[[], bool], tell_devices: Callable[[dict[str, str]], None]
    ) -> None:
        self._label = label
        self._may_try = may_try
        self._tell_devices = tell_devices
        self._parameters: Parameters | None = None
        self._measured: dict[Settings, SpeedTrial] = {}
        self._trial: tuple[Settings, SpeedTrial] | None = None
        self._timer = _timer(SETTLED_MS, self._look)

    def show(self, parameters: Parameters | None) -> None:
        """Follow these parameters, once they have settled; ``None`` follows none."""
        self._parameters = parameters
        self._timer.start()

    def stop(self) -> None:
        """End what is under way."""
        self._timer.stop()
        if self._trial is not None:
            self._trial[1].cancel()
            self._trial = None

    def _look(self) -> None:
        parameters = self._parameters
        if parameters is None or parameters.input_volume is None:
            self.stop()
            self._label.setText("")
            return
        settings = settings_of(parameters)
        if self._trial is not None and self._trial[0] != settings:
            self.stop()
            self._timer.start()
        try:
            expected = forecast(parameters.input_volume, settings, parameters.roi, slicer.app.temporaryPath)
            self._try(parameters.input_volume, settings)
        except (OSError, ValueError) as error:
            self.stop()
            self._label.setText(str(error))
            return
        self._label.setText(describe(expected, self._measured.get(settings)))
        if self._trial is None:
            self._timer.stop()

    def _try(self, volume: slicer.vtkMRMLScalarVolumeNode, settings: Settings) -> None:
        """Measure the speed if it is not known, or see whether that is over."""
        if self._trial is None and settings not in self._measured and self._may_try():
            self._trial = settings, SpeedTrial(volume, settings, slicer.app.temporaryPath)
        if self._trial is not None and self._trial[1].poll():
            trial = self._measured[settings] = self._trial[1]
            self._trial = None
            if trial.devices:
                self._tell_devices(trial.devices)


class ComparePanel(VTKObservationMixin):
    """Input and output beside each other, and what a region measures in both.

    Args:
        ui: the widgets of the module's panel.
    """

    def __init__(self, ui: object) -> None:
        VTKObservationMixin.__init__(self)
        self._ui = ui
        self._parameters: Parameters | None = None
        self._is_shown = False
        self._timer = _timer(SETTLED_MS, self._measure)
        ui.compareButton.clicked.connect(self.onCompare)

    def show(self, parameters: Parameters | None) -> None:
        """Follow these parameters; ``None`` follows none."""
        self.removeObservers()
        self._parameters = parameters
        pair = self._pair()
        self._ui.compareButton.setEnabled(pair is not None)
        if self._is_shown and parameters is not None:
            set_fade(slicer.mrmlScene, parameters.fade)
        for node in (*(pair or ()), parameters.compare_roi if parameters is not None else None):
            if node is not None:
                self.addObserver(node, vtk.vtkCommand.AnyEvent, self._wait)
        self._wait()

    def stop(self) -> None:
        """Follow nothing any more."""
        self._timer.stop()
        self.removeObservers()

    def onCompare(self, *_checked: object) -> None:
        """Show input and output."""
        self.showVolumes(*self._pair())

    def showVolumes(
        self, input_node: slicer.vtkMRMLScalarVolumeNode, output_node: slicer.vtkMRMLScalarVolumeNode
    ) -> None:
        """Show these two side by side."""
        show_side_by_side(input_node, output_node, self._parameters.fade if self._parameters is not None else 0.0)
        self._is_shown = True

    def _pair(self) -> tuple[slicer.vtkMRMLScalarVolumeNode, slicer.vtkMRMLScalarVolumeNode] | None:
        parameters = self._parameters
        if parameters is None or parameters.input_volume is None or parameters.output_volume is None:
            return None
        return parameters.input_volume, parameters.output_volume

    def _wait(self, *_event: object) -> None:
        self._timer.start()

    def _measure(self) -> None:
        self._timer.stop()
        pair = self._pair()
        roi = self._parameters.compare_roi if self._parameters is not None else None
        if pair is None or roi is None:
            self._ui.statisticsLabel.setText("")
            return
        try:
            lines = [self._line(volume, roi) for volume in pair]
        except ValueError as error:
            lines = [str(error)]
        self._ui.statisticsLabel.setText("\n".join(lines))

    @staticmethod
    def _line(volume: slicer.vtkMRMLScalarVolumeNode, roi: slicer.vtkMRMLMarkupsROINode) -> str:
        mean, deviation = mean_and_deviation(volume, roi)
        return _("{volume}: mean {mean:.1f} HU, standard deviation {deviation:.1f} HU").format(
            volume=volume.GetName(), mean=mean, deviation=deviation
        )
