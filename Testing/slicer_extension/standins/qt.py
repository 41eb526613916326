"""Qt as Slicer's Python sees it: one module, and widgets of Slicer's own where a .ui file names them."""

from PySide6.QtCore import QFile, QTimer, Signal
from PySide6.QtUiTools import QUiLoader as _QUiLoader
from PySide6.QtWidgets import QApplication, QDoubleSpinBox, QGroupBox, QVBoxLayout, QWidget

__all__ = ["QApplication", "QFile", "QTimer", "QUiLoader", "QVBoxLayout", "QWidget"]


class ctkCollapsibleButton(QGroupBox):
    """A box with a title."""


class ctkSliderWidget(QDoubleSpinBox):
    """A number in a range."""


class qMRMLWidget(QWidget):
    """Hands its scene to the widgets that it holds, as the signal in the .ui file does."""

    def setMRMLScene(self, scene) -> None:
        for selector in self.findChildren(qMRMLNodeComboBox):
            selector.scene = scene


class qMRMLNodeComboBox(QWidget):
    """A node of the scene, or none."""

    currentNodeChanged = Signal(object)
    _node = None

    def currentNode(self):
        return self._node

    def setCurrentNode(self, node) -> None:
        if node is not self._node:
            self._node = node
            self.currentNodeChanged.emit(node)


_OWN = {widget.__name__: widget for widget in (ctkCollapsibleButton, ctkSliderWidget, qMRMLWidget, qMRMLNodeComboBox)}


class QUiLoader(_QUiLoader):
    """Gives every widget the attribute ``name``, which Slicer finds it by."""

    def createWidget(self, class_name, parent=None, name=""):
        own = _OWN.get(class_name)
        widget = own(parent) if own else super().createWidget(class_name, parent, name)
        widget.setObjectName(name)
        widget.name = name
        _kept.append(widget)
        return widget


# Python's side of a widget, with its attributes, goes when nobody holds it
_kept: list = []
