"""The CT that comes with the module, and the self test that Slicer's developers run with it."""

from types import SimpleNamespace

import numpy as np
import pytest

from ctsgan.io.files import read_volume
from slicer_extension.make_sample import RESOURCES, sample_of

slicer = pytest.importorskip("slicer", reason="needs slicer-core: `make test-slicer` sets it up")
pytest.importorskip("PySide6", reason="needs PySide6: `make test-slicer` sets it up")
import SampleData  # noqa: E402

import CTsGANEnhance  # noqa: E402
import CTsGANEnhanceLib.SelfTest  # noqa: E402
from CTsGANEnhanceLib.Sample import SAMPLE, register_sample_data  # noqa: E402


@pytest.fixture
def application(scene, tmp_path, monkeypatch):
    """What the self test and the sample data use of Slicer's application."""
    started = []
    events = SimpleNamespace(
        temporaryPath=str(tmp_path),
        processEvents=lambda: None,
        connect=lambda signal, slot: started.append((signal, slot)),
        started=started,
    )
    monkeypatch.setattr(slicer, "app", events, raising=False)
    return events


def result_of(test) -> dict:
    result = test.defaultTestResult()
    test.run(result)
    return {"run": result.testsRun, "bad": result.failures + result.errors, "skipped": result.skipped}


def test_the_sample_is_a_part_of_the_clinical_ct(clinical_volume):
    expected, given = sample_of(clinical_volume), read_volume(RESOURCES / "SampleData/abdomen.nrrd")
    np.testing.assert_array_equal(given.voxels, expected.voxels, strict=True)
    np.testing.assert_allclose(given.affine, expected.affine)


def test_the_module_offers_the_sample_once_slicer_is_up(application):
    parent = SimpleNamespace(path=str(RESOURCES.parent / "CTsGANEnhance.py"))
    CTsGANEnhance.CTsGANEnhance(parent)
    ((signal, slot),) = application.started
    assert signal == "startupCompleted()"
    SampleData.SOURCES.clear()
    slot()
    assert SampleData.SampleDataLogic().downloadSample(SAMPLE).GetImageData().GetDimensions() == (288, 224, 6)


def test_a_sample_that_was_changed_is_noticed(application, tmp_path):
    (tmp_path / "SampleData").mkdir()
    content = (RESOURCES / "SampleData/abdomen.nrrd").read_bytes()
    (tmp_path / "SampleData/abdomen.nrrd").write_bytes(content + b"x")
    register_sample_data(tmp_path)
    with pytest.raises(ValueError, match="is not what it should be"):
        SampleData.SampleDataLogic().downloadSample(SAMPLE)


@pytest.mark.parametrize("part", ["test_apply_and_compare", "test_cancel", "runTest"])
def test_the_self_test_passes(application, views, part):
    register_sample_data(RESOURCES)
    assert result_of(CTsGANEnhance.CTsGANEnhanceTest(part)) == {"run": 1, "bad": [], "skipped": []}


def test_the_self_test_fails_where_the_bundle_does(application, monkeypatch):
    register_sample_data(RESOURCES)
    settings = CTsGANEnhanceLib.SelfTest.Settings
    monkeypatch.setattr(CTsGANEnhanceLib.SelfTest, "Settings", lambda scale: settings(scale=1))
    assert len(result_of(CTsGANEnhance.CTsGANEnhanceTest("test_apply_and_compare"))["bad"]) == 1


def test_without_pytorch_the_self_test_is_skipped(application, monkeypatch, tmp_path):
    (tmp_path / "requirements.txt").write_text("torch>=999\n")
    monkeypatch.setattr(CTsGANEnhanceLib.SelfTest, "REQUIREMENTS", tmp_path / "requirements.txt")
    (skipped,) = result_of(CTsGANEnhance.CTsGANEnhanceTest("test_cancel"))["skipped"]
    assert skipped[1] == "not installed: torch>=999"
