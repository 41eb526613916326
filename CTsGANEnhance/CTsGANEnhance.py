"""CTsGANEnhance in 3D Slicer: a CT volume in, a sharper and cleaner CT volume of the same patient out."""

from pathlib import Path

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleLogic

from CTsGANEnhanceLib.Parameters import Parameters
from CTsGANEnhanceLib.Sample import register_sample_data
from CTsGANEnhanceLib.SelfTest import CTsGANEnhanceTest
from CTsGANEnhanceLib.Widget import CTsGANEnhanceWidget

__all__ = ["CTsGANEnhance", "CTsGANEnhanceLogic", "CTsGANEnhanceTest", "CTsGANEnhanceWidget"]


class CTsGANEnhance(ScriptedLoadableModule):
    """What Slicer says of the module in its menus."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("CTsGAN Enhance")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Filtering")]
        parent.dependencies = []
        parent.contributors = ["CTsGANEnhance maintainers"]
        parent.helpText = _("Makes the pixels of a CT volume finer, or cleans it. For research; not a medical device.")
        parent.acknowledgementText = ""
        resources = Path(__file__).resolve().parent / "Resources"
        slicer.app.connect("startupCompleted()", lambda: register_sample_data(resources))


class CTsGANEnhanceLogic(ScriptedLoadableModuleLogic):
    """Finds the settings of the scene; :class:`CTsGANEnhanceLib.Logic.EnhanceRun` does the work."""

    def getParameterNode(self) -> Parameters:
        """The settings of the scene."""
        return Parameters(super().getParameterNode())
