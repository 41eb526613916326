"""Typed parameters in a real ``vtkMRMLScriptedModuleNode``, and widgets that show them."""

import functools
from typing import get_type_hints

import vtk


class Choice:
    def __init__(self, choices) -> None:
        self.choices = choices

    def check(self, value) -> None:
        if value not in self.choices:
            raise ValueError(f"{value} is none of {self.choices}")


class WithinRange:
    def __init__(self, minimum, maximum) -> None:
        self.minimum, self.maximum = minimum, maximum

    def check(self, value) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value} is not within {self.minimum} and {self.maximum}")


def parameterNodeWrapper(cls):
    hints = get_type_hints(cls, include_extras=True)
    cls.fields = {}
    for name, hint in hints.items():
        kind, validator = getattr(hint, "__origin__", hint), next(iter(getattr(hint, "__metadata__", ())), None)
        cls.fields[name] = validator
        setattr(cls, name, _property(name, kind, getattr(cls, name, None), validator))
    cls.__init__ = lambda self, node: setattr(self, "parameterNode", node)
    cls.connectGui, cls.disconnectGui = _connect, _disconnect
    return cls


def _property(name, kind, default, validator):
    if kind not in (int, float, str, bool):
        return property(
            lambda self: self.parameterNode.GetNodeReference(name),
            lambda self, node: self.parameterNode.SetNodeReferenceID(name, node.GetID() if node else None),
        )

    def read(self):
        text = self.parameterNode.GetParameter(name)
        return default if text == "" else text == "True" if kind is bool else kind(text)

    def write(self, value):
        if validator:
            validator.check(value)
        self.parameterNode.SetParameter(name, str(kind(value)))

    return property(read, write)


def _connect(self, ui):
    found = {widget.property("SlicerParameterName"): widget for widget in vars(ui).values()}
    self.shown = {name: widget for name, widget in found.items() if name}
    self.signals = []
    for name, widget in self.shown.items():
        validator = self.fields[name]
        if hasattr(widget, "addItem"):
            widget.clear()
            widget.addItems([str(choice) for choice in validator.choices])
        elif validator:
            widget.setRange(validator.minimum, validator.maximum)
    _show(self)
    for name, widget in self.shown.items():
        signal, convert = _signal(widget, self.fields[name])
        slot = functools.partial(lambda name, convert, value: setattr(self, name, convert(value)), name, convert)
        signal.connect(slot)
        self.signals.append((signal, slot))
    return self.parameterNode.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_event: _show(self))


def _disconnect(self, tag):
    self.parameterNode.RemoveObserver(tag)
    for signal, slot in self.signals:
        signal.disconnect(slot)


def _signal(widget, validator):
    if hasattr(widget, "currentIndexChanged"):
        return widget.currentIndexChanged, lambda index: validator.choices[index]
    for name in ("valueChanged", "toggled", "currentNodeChanged"):
        if hasattr(widget, name):
            return getattr(widget, name), lambda value: value
    raise TypeError(widget)


def _show(self):
    for name, widget in self.shown.items():
        value = getattr(self, name)
        if hasattr(widget, "setCurrentIndex"):
            widget.setCurrentIndex(self.fields[name].choices.index(value))
        elif hasattr(widget, "setCurrentNode"):
            widget.setCurrentNode(value)
        elif hasattr(widget, "setValue"):
            widget.setValue(value)
        else:
            widget.setChecked(value)
