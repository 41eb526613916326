"""The command-line module: what its XML says is what the bundle takes, and it gives the bundle's voxels."""

import importlib.util
import logging
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from ctsgan import __version__
from ctsgan.cli import build_parser
from ctsgan.io.files import read_volume, write_volume
from ctsgan.models import catalogue
from ctsgan.workflow import Request, enhance_file
from CTsGANEnhanceLib.Bundle import MODULE_FOLDER

FOLDER = MODULE_FOLDER.parent / "CTsGANEnhanceCLI"
SCRIPT = FOLDER / "CTsGANEnhanceCLI.py"


@pytest.fixture
def module():
    """The module as girder-slicer-cli-web reads it."""
    ctk_cli = pytest.importorskip("ctk_cli", reason="needs ctk-cli: `make test-slicer` sets it up")
    return ctk_cli.CLIModule(str(FOLDER / "CTsGANEnhanceCLI.xml"))


def run(*arguments, script=SCRIPT, **options):
    command = [sys.executable, *map(str, (script, *arguments))]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def sent(module, **values) -> list[str]:
    """The words that Slicer calls it with: every option with a value, defaults where none is given."""
    words = []
    for option in module.classifyParameters()[1]:
        value = values.get(option.name, option.default)
        if option.typ == "boolean":
            words += [option.longflag] if value else []
        else:
            words += [option.longflag, str(value or 0) if option.typ in ("integer", "double") else str(value or "")]
    return words


def test_the_xml_is_read_without_a_complaint_and_offers_what_the_bundle_does(caplog, request):
    with caplog.at_level(logging.WARNING):
        module = request.getfixturevalue("module")
        arguments, options, outputs = module.classifyParameters()
    assert [record.message for record in caplog.records] == []
    assert [(argument.name, argument.channel) for argument in arguments] == [("input", "input"), ("output", "output")]
    assert outputs == []
    assert module.version == __version__
    by_name = {option.name: option for option in options}
    assert by_name["model"].elements == list(catalogue()["models"])
    assert by_name["scale"].elements == [1, 2, 4]
    given = vars(build_parser().parse_args(["enhance", "in.nrrd", "out.nrrd", "--scale", "2"]))
    assert by_name.keys() <= given.keys()


def test_its_defaults_are_those_of_ctsgan_enhance(module):
    spec = importlib.util.spec_from_file_location("CTsGANEnhanceCLI", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    given = build_parser().parse_args(script.bundle_arguments([*sent(module), "in.nrrd", "out.nrrd"]))
    expected = build_parser().parse_args(
        ["enhance", "in.nrrd", "out.nrrd", "--scale", "2", "--strength", "0", "--progress", "slicer", "--overwrite"]
    )
    assert given == expected
    off = build_parser().parse_args(script.bundle_arguments([*sent(module, fidelity=0), "in.nrrd", "out.nrrd"]))
    assert off.fidelity is None


@pytest.mark.parametrize("standard_input", ["closed pipe", "none"])
def test_it_gives_the_voxels_of_ctsgan_enhance(module, crop, tmp_path, standard_input):
    write_volume(crop, tmp_path / "input.nrrd")
    enhance_file(tmp_path / "input.nrrd", tmp_path / "expected.nrrd", Request(scale=1, roi="0:30,5:45,1:3"))
    words = sent(module, scale=1, roi="0:30,5:45,1:3", threads=1)
    options = {"input": ""} if standard_input == "closed pipe" else {"stdin": subprocess.DEVNULL}
    (tmp_path / "output.nrrd").touch()
    result = run(*words, tmp_path / "input.nrrd", tmp_path / "output.nrrd", cwd=tmp_path, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    given, expected = (read_volume(tmp_path / f"{name}.nrrd") for name in ("output", "expected"))
    np.testing.assert_array_equal(given.voxels, expected.voxels, strict=True)
    np.testing.assert_array_equal(given.affine, expected.affine)
    assert re.findall(r"<filter-progress>([\d.]+)</filter-progress>", result.stdout) == ["0.5000", "1.0000"]


def test_it_prints_its_xml():
    result = run("--xml")
    assert (result.returncode, result.stdout.strip()) == (0, SCRIPT.with_suffix(".xml").read_text().strip())


def test_what_goes_wrong_is_one_sentence(crop, tmp_path):
    write_volume(crop, tmp_path / "input.nrrd")
    result = run("--scale", "2", "--model", "other", tmp_path / "input.nrrd", tmp_path / "output.nrrd")
    assert result.returncode == 1
    assert result.stderr.startswith("ctsgan: there is no model 'other'")
    assert not (tmp_path / "output.nrrd").exists()


def test_a_package_that_is_missing_is_named_with_what_to_do(crop, tmp_path):
    folder = tmp_path / "cli-modules"
    folder.mkdir()
    (folder / "torch.py").write_text("raise ModuleNotFoundError(name='torch')")
    write_volume(crop, tmp_path / "input.nrrd")
    for file in (SCRIPT, SCRIPT.with_suffix(".xml")):
        shutil.copy(file, folder)
    (tmp_path / "monai_bundle").symlink_to(MODULE_FOLDER.parent / "monai_bundle")
    result = run("--scale", "1", tmp_path / "input.nrrd", tmp_path / "output.nrrd", script=folder / SCRIPT.name)
    assert result.returncode == 1
    assert result.stderr == "torch is missing; press Apply once in the module CTsGAN Enhance, which installs it\n"
