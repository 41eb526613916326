"""What a scripted module's classes inherit in Slicer, as far as this module uses it."""

import unittest
from pathlib import Path

RESOURCES = Path(__file__).resolve().parents[4] / "CTsGANEnhance/Resources"


class ScriptedLoadableModule:
    def __init__(self, parent) -> None:
        self.parent = parent


class ScriptedLoadableModuleWidget:
    def __init__(self, parent=None) -> None:
        self.parent = parent
        self.layout = parent.layout()

    def setup(self) -> None:
        pass

    def resourcePath(self, name: str) -> str:
        return str(RESOURCES / name)


class ScriptedLoadableModuleLogic:
    def getParameterNode(self):
        import slicer

        scene = slicer.mrmlScene
        found = scene.GetSingletonNode("CTsGANEnhance", "vtkMRMLScriptedModuleNode")
        if found is None:
            found = scene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
            found.UnRegister(None)
            found.SetSingletonTag("CTsGANEnhance")
            found = scene.AddNode(found)
        return found


class ScriptedLoadableModuleTest(unittest.TestCase):
    pass
