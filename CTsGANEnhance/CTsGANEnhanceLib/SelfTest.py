"""What Slicer's developers run inside Slicer: the sample CT is loaded, enhanced, cancelled and compared."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import slicer
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTest

from .Compare import FIRST_VIEW, show_side_by_side
from .Installer import missing_packages
from .Logic import EnhanceRun
from .Process import Outcome
from .Region import mean_and_deviation
from .Sample import SAMPLE
from .Settings import Settings

REQUIREMENTS = Path(__file__).resolve().parent.parent / "Resources/requirements.txt"

LONGEST_S = 300


class CTsGANEnhanceTest(ScriptedLoadableModuleTest):
    """The module's self test; it needs no network, but PyTorch, which it does not install."""

    def setUp(self) -> None:
        """An empty scene with the sample."""
        if missing := missing_packages(REQUIREMENTS):
            self.skipTest(f"not installed: {', '.join(map(str, missing))}")
        import SampleData

        slicer.mrmlScene.Clear(0)
        self.ct = SampleData.SampleDataLogic().downloadSample(SAMPLE)

    def runTest(self) -> None:
        """All of it, as the button in the module's panel does."""
        for test in (self.test_apply_and_compare, self.test_cancel):
            self.setUp()
            test()

    def test_apply_and_compare(self) -> None:
        """The output is finer, in the same place, keeps the mean of the liver, and is shown beside the input."""
        run = EnhanceRun(self.ct, Settings(scale=2))
        assert self._end_of(run).kind == "done", run.log
        columns, rows, slices = self.ct.GetImageData().GetDimensions()
        assert run.output_node.GetImageData().GetDimensions() == (2 * columns, 2 * rows, slices)
        bounds, output_bounds = np.zeros(6), np.zeros(6)
        self.ct.GetRASBounds(bounds)
        run.output_node.GetRASBounds(output_bounds)
        np.testing.assert_allclose(output_bounds, bounds, atol=1e-3)
        liver = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "liver")
        first, last = bounds[::2], bounds[1::2]
        liver.SetCenter(*(last + (first - last) * np.array([0.2, 0.55, 0.5])))
        liver.SetSize(20, 20, 4)
        before, after = (mean_and_deviation(volume, liver) for volume in (self.ct, run.output_node))
        assert abs(before[0] - after[0]) < 1.0
        # without a window there are no views
        views = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        if views:
            show_side_by_side(self.ct, run.output_node, fade=0.5)
            shown = next(view for view in views if view.GetLayoutName() == FIRST_VIEW)
            assert shown.GetForegroundVolumeID() == run.output_node.GetID()

    def test_cancel(self) -> None:
        """A run that is cancelled leaves the scene as it was."""
        nodes = slicer.mrmlScene.GetNumberOfNodes()
        run = EnhanceRun(self.ct, Settings(scale=4))
        run.cancel()
        assert self._end_of(run).kind == "cancelled"
        assert slicer.mrmlScene.GetNumberOfNodes() == nodes

    def _end_of(self, run: EnhanceRun) -> Outcome:
        deadline = time.monotonic() + LONGEST_S
        while (outcome := run.poll()) is None and time.monotonic() < deadline:
            slicer.app.processEvents()
            time.sleep(0.05)
        run.cancel()
        return outcome or run.poll()
