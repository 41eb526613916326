"""The panel of the real .ui file over a real scene, in Qt without a screen and Slicer's own widgets as stand-ins."""

import os
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="needs slicer-core: `make test-slicer` sets it up")
pytest.importorskip("PySide6", reason="needs PySide6: `make test-slicer` sets it up")
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
import qt  # noqa: E402

from CTsGANEnhance import CTsGANEnhanceLogic, CTsGANEnhanceWidget  # noqa: E402
from CTsGANEnhanceLib.Bundle import MODULE_FOLDER  # noqa: E402
from CTsGANEnhanceLib.Installer import ensure_packages  # noqa: E402
from CTsGANEnhanceLib.Parameters import DEVICES, MODELS, SCALES, settings_of  # noqa: E402
from CTsGANEnhanceLib.Settings import Settings  # noqa: E402
from slicer_extension.workers import STANDINS, at_once, ends_within, processes_of, seconds_of  # noqa: E402


@pytest.fixture(scope="session")
def application():
    return qt.QApplication.instance() or qt.QApplication([])


@pytest.fixture
def shown(monkeypatch):
    """The volumes that the slice views were told to show."""
    volumes = []
    monkeypatch.setattr(slicer.util, "setSliceViewerLayers", lambda background: volumes.append(background))
    return volumes


@pytest.fixture
def open_module(application, scene, shown, tmp_path, monkeypatch):
    """Opens the module; its files go to a folder of the test."""
    (tmp_path / "runs").mkdir()
    monkeypatch.setattr(slicer, "app", SimpleNamespace(temporaryPath=str(tmp_path / "runs")), raising=False)
    opened = []

    def open_it():
        parent = qt.QWidget()
        parent.setLayout(qt.QVBoxLayout())
        widget = CTsGANEnhanceWidget(parent)
        widget.setup()
        opened.append(widget)
        return widget

    yield open_it
    for widget in opened:
        widget.cleanup()


def wait_until(application, condition, seconds=180):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        application.processEvents()
        time.sleep(0.01)


def parameters():
    return CTsGANEnhanceLogic().getParameterNode()


def test_the_ct_of_the_scene_is_chosen_and_apply_is_ready(scene, add_volume, crop, open_module):
    labels = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "organs")
    slicer.util.updateVolumeFromArray(labels, -crop.voxels)
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")
    add_volume("MR", voxels=abs(crop.voxels))
    ct = add_volume()
    ui = open_module().ui
    assert ui.input_volume.currentNode() is ct
    assert ui.applyButton.isEnabled()
    assert not ui.cancelButton.isEnabled()
    assert not ui.progressBar.isVisible()


def test_without_a_volume_apply_waits_and_says_for_what(open_module, add_volume):
    ui = open_module().ui
    assert not ui.applyButton.isEnabled()
    assert ui.applyButton.toolTip() == "Choose a CT volume first"
    ui.input_volume.setCurrentNode(add_volume())
    assert ui.applyButton.isEnabled()


def test_choices_are_in_words(open_module):
    ui = open_module().ui
    texts = [ui.scale.itemText(index) for index in range(ui.scale.count())]
    assert texts == ["Sharper pixels (x2)", "Sharper pixels (x4)", "Same grid, cleaner"]
    assert ui.device.itemText(DEVICES.index("cpu")) == "Processor"
    assert ui.model.count() == len(MODELS)


def test_every_setting_reaches_the_scene_and_comes_back(ct, open_module):
    ui = open_module().ui
    ui.scale.setCurrentIndex(SCALES.index(4))
    ui.strength.setValue(0.5)
    ui.fidelity_mm.setValue(0)
    ui.device.setCurrentIndex(DEVICES.index("cpu"))
    ui.tile.setValue(128)
    ui.batch.setValue(2)
    ui.threads.setValue(1)
    ui.force.setChecked(True)
    expected = Settings(4, 0.5, MODELS[0], None, "cpu", 128, 2, 1, True)
    assert settings_of(parameters()) == expected

    again = open_module().ui
    assert again.scale.currentText() == "Sharper pixels (x4)"
    assert (again.strength.value(), again.tile.value(), again.force.isChecked()) == (0.5, 128, True)
    parameters().scale = 1
    assert again.scale.currentText() == "Same grid, cleaner"


def test_every_input_has_a_tooltip_and_a_label_that_leads_to_it(open_module):
    ui = open_module().ui
    inputs = [widget for widget in vars(ui).values() if widget.property("SlicerParameterName")]
    assert len(inputs) == 14
    for widget in inputs:
        assert widget.toolTip().endswith(".")
        assert getattr(ui, widget.name + "Label").buddy() is widget


def test_apply_makes_a_volume_and_shows_it(application, ct, open_module, shown, tmp_path):
    module = open_module()
    parameters().scale = 1
    module.ui.applyButton.click()
    assert not module.ui.applyButton.isEnabled()
    wait_until(application, module.ui.applyButton.isEnabled)
    assert module.ui.statusLabel.text() == "Done."
    assert parameters().output_volume.GetName() == "CT_x1"
    assert shown == [parameters().output_volume]
    assert list((tmp_path / "runs").iterdir()) == []


@pytest.mark.parametrize("way", ["button", "scene closed", "module closed"])
def test_a_run_is_ended_at_once(scene, add_volume, open_module, tmp_path, way):
    def end_once():
        add_volume()
        module = open_module()
        module.ui.applyButton.click()
        pid = module._run.pid
        assert processes_of(pid)
        ends = {"button": module.ui.cancelButton.click, "scene closed": scene.Clear, "module closed": module.cleanup}
        seconds = seconds_of(ends[way])
        assert ends_within(pid, 2.0)
        assert list((tmp_path / "runs").iterdir()) == []
        assert module.ui.statusLabel.text() == "Cancelled; the scene is as it was."
        assert module.ui.applyButton.isEnabled() == (way == "button")
        return seconds

    assert at_once(end_once)


def test_what_a_run_would_do_is_said_once_the_settings_have_settled(application, ct, open_module, tmp_path):
    ui = open_module().ui
    parameters().scale = 1
    wait_until(application, lambda: "Memory: about 1.0 GiB" in ui.forecastLabel.text())
    wait_until(application, lambda: re.search(r"Time: about \d+ s \(processor, \d+ threads\)", ui.forecastLabel.text()))
    assert ui.forecastLabel.text().startswith("48 x 64 x 3 voxels of ")
    # PyTorch of the tests has no other
    assert ui.device.itemText(DEVICES.index("mps")) == "Apple GPU: none here"
    assert ui.device.itemText(DEVICES.index("cpu")) == "Processor"
    assert list((tmp_path / "runs").iterdir()) == []
    ui.input_volume.setCurrentNode(None)
    wait_until(application, lambda: ui.forecastLabel.text() == "")


def test_a_trial_of_settings_that_were_left_is_ended(application, ct, open_module, tmp_path):
    module = open_module()
    wait_until(application, lambda: list((tmp_path / "runs").iterdir()))
    pid = module._forecast._trial[1]._process.pid
    module.ui.scale.setCurrentIndex(SCALES.index(4))
    wait_until(application, lambda: "192 x 256 x 3" in module.ui.forecastLabel.text())
    assert ends_within(pid, 0.2)
    wait_until(application, lambda: "Time: about" in module.ui.forecastLabel.text())
    assert list((tmp_path / "runs").iterdir()) == []


def test_what_is_no_ct_is_said_before_the_run(application, add_volume, open_module, crop):
    add_volume("mask", voxels=(crop.voxels > 0).astype("uint8"))
    ui = open_module().ui
    wait_until(application, lambda: "Caution: mask has values 0 to 1, not HU" in ui.forecastLabel.text())


def test_a_preview_is_shown_beside_the_input_and_is_no_output(application, scene, ct, views, open_module, crop):
    for row, value in enumerate((np.diag([-1, -1, 1, 1]) @ crop.affine @ [24, 32, 2, 1])[:3]):
        views["Red"].GetSliceToRAS().SetElement(row, 3, value)
    module = open_module()
    parameters().scale = 1
    for _ in range(2):
        module.ui.previewButton.click()
        assert not module.ui.previewButton.isEnabled()
        wait_until(application, module.ui.previewButton.isEnabled)
        assert module.ui.statusLabel.text() == "Done."
    assert parameters().output_volume is None
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 2
    right = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[1]
    assert right.GetBackgroundVolumeID() == scene.GetFirstNodeByName("CT_x1_preview").GetID()


def test_input_and_output_are_compared(application, scene, ct, add_volume, views, open_module, crop):
    ui = open_module().ui
    assert not ui.compareButton.isEnabled()
    output = add_volume("CT_x2", voxels=crop.voxels + np.int16(10))
    ui.output_volume.setCurrentNode(output)
    ui.compareButton.click()
    left = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")[0]
    assert (left.GetBackgroundVolumeID(), left.GetForegroundVolumeID()) == (ct.GetID(), output.GetID())
    ui.fade.setValue(0.75)
    assert left.GetForegroundOpacity() == 0.75
    roi = scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "all of it")
    roi.SetSize(9000, 9000, 9000)
    ui.compare_roi.setCurrentNode(roi)
    expected = [f"{name}: mean {crop.voxels.mean() + more:.1f} HU" for name, more in (("CT", 0), ("CT_x2", 10))]
    wait_until(application, lambda: ui.statisticsLabel.text().count("HU") == 4)
    lines = ui.statisticsLabel.text().splitlines()
    assert [line.split(", ")[0] for line in lines] == expected
    assert f"standard deviation {crop.voxels.std():.1f} HU" in lines[0]
    roi.SetCenter(90000, 0, 0)
    wait_until(application, lambda: "lies outside" in ui.statisticsLabel.text())


def test_a_strength_that_the_model_does_not_have_cannot_be_set_but_taken_back(ct, open_module):
    ui = open_module().ui
    assert ui.strength.isEnabled()
    parameters().model, parameters().scale = "ctsgan", 4
    assert not ui.strength.isEnabled()
    parameters().strength = 0.5
    assert ui.strength.isEnabled()


def test_what_goes_wrong_is_one_sentence_and_a_log(application, add_volume, open_module, crop):
    add_volume(voxels=(crop.voxels > 0).astype("uint8"))
    module = open_module()
    module.ui.applyButton.click()
    wait_until(application, module.ui.applyButton.isEnabled)
    assert module.ui.statusLabel.text().startswith("The volume was not enhanced: ")
    assert "not HU" in module.ui.statusLabel.text()
    assert module.ui.logText.toPlainText().startswith("ctsgan: ")


def test_a_missing_package_is_named_with_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "requirements.txt").write_text("# a comment\nno-such-package>=1\nnumpy>=1.26\n")
    with pytest.raises(RuntimeError, match=r"Not installed: no-such-package>=1\. Behind a proxy"):
        ensure_packages(tmp_path / "requirements.txt")
    (tmp_path / "requirements.txt").write_text("torch>=999\n")
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    with pytest.raises(RuntimeError, match="install the extension PyTorch"):
        ensure_packages(tmp_path / "requirements.txt")


def test_pytorch_is_not_loaded_into_slicer():
    code = "import sys; sys.path[:0] = sys.argv[1:]; import CTsGANEnhance; print('torch' in sys.modules)"
    # slicer-core looks for its parts once, when it is first imported
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, STANDINS))}
    command = [sys.executable, "-c", code, str(MODULE_FOLDER), *map(str, STANDINS)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.stdout == "False\n", result.stderr
