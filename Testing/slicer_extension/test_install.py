"""The extension as CMake installs it. Needs no Slicer: a stub has the macros."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ctsgan.io.files import read_volume, write_volume
from ctsgan.workflow import Request, enhance_file
from CTsGANEnhanceLib.Bundle import MODULE_FOLDER

pytestmark = pytest.mark.skipif(shutil.which("cmake") is None, reason="needs CMake")
STUB = Path(__file__).parent / "stub_slicer"


def cmake(*arguments):
    result = subprocess.run(["cmake", *map(str, arguments)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


def configure(folder, *options) -> str:
    return cmake("-S", MODULE_FOLDER.parent, "-B", folder, f"-DSlicer_DIR={STUB}", "-DBUILD_TESTING=ON", *options)


@pytest.fixture(scope="session")
def build(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("build")
    configure(folder)
    return folder


@pytest.fixture(scope="session")
def installed(build, tmp_path_factory) -> Path:
    """The folder of scripted modules of an installed extension."""
    prefix = tmp_path_factory.mktemp("installed")
    cmake("--install", build, "--prefix", prefix)
    return prefix / "lib/qt-scripted-modules"


def files_of(folder, pattern="*") -> set[str]:
    paths = [path for path in folder.rglob(pattern) if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(folder)) for path in paths}


def fields_of(said: str) -> dict[str, str]:
    return dict(re.findall(r"EXTENSION_(\w+)=(.*)", said))


def test_what_slicer_tells_of_the_extension_is_complete_and_true(tmp_path):
    said = configure(tmp_path, "-DEXTENSION_HOMEPAGE=https://host.example/group/name")
    fields = fields_of(said)
    assert all(fields.values()), fields
    assert fields["DEPENDS"] == "PyTorch"
    for picture in (fields["ICONURL"], fields["SCREENSHOTURLS"]):
        path = picture.removeprefix("https://host.example/group/name/raw/main/")
        assert (MODULE_FOLDER.parent / path).read_bytes().startswith(b"\x89PNG")
    assert "Self test: CTsGANEnhance.py" in said


def test_no_address_is_invented_before_there_is_one(tmp_path):
    fields = fields_of(configure(tmp_path))
    assert fields["HOMEPAGE"] == fields["ICONURL"] == fields["SCREENSHOTURLS"] == ""


def test_the_entry_for_the_extensions_index_says_what_cmake_does(tmp_path):
    text = (MODULE_FOLDER / "README.md").read_text()
    entry = json.loads(re.search(r"```json\n(.*?)```", text, re.DOTALL)[1])
    # what the schema that it names asks for, and what else it allows
    required, allowed = {"$schema", "category", "scm_url"}, {"scm_revision", "build_dependencies", "build_subdirectory"}
    assert required <= entry.keys() <= required | allowed
    assert entry["build_dependencies"] == fields_of(configure(tmp_path))["DEPENDS"].split(";")
    assert f'"{entry["category"]}"' in (MODULE_FOLDER / "CTsGANEnhance.py").read_text()


def test_modules_lie_flat_with_the_bundle_beside_them(installed):
    assert {path.name for path in installed.iterdir()} == {
        "CTsGANEnhance.py",
        "CTsGANEnhanceLib",
        "Resources",
        "monai_bundle",
    }


def test_every_file_of_the_module_and_the_bundle_is_installed(installed):
    in_source = files_of(MODULE_FOLDER) - {"CMakeLists.txt", "README.md"}
    assert files_of(installed) == in_source | {
        f"monai_bundle/{name}" for name in files_of(MODULE_FOLDER.parent / "monai_bundle")
    }


def test_the_build_folder_has_the_bundle_too(build):
    cmake("--build", build)
    assert (build / "lib/qt-scripted-modules/monai_bundle/ctsgan/__main__.py").is_file()


RUN = """
import subprocess, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from CTsGANEnhanceLib.Bundle import python_command, worker_environment
from CTsGANEnhanceLib.Process import BundleProcess
from CTsGANEnhanceLib.Settings import Settings, enhance_arguments
where = [*python_command(), "-c", "import ctsgan; print(ctsgan.__file__)"]
used = subprocess.run(where, env=worker_environment(), capture_output=True, text=True, check=True).stdout
assert Path(used).is_relative_to(sys.argv[1]), used
run = BundleProcess(enhance_arguments(*sys.argv[2:], Settings(scale=2).options()), Path(sys.argv[3]).parent)
while run.poll() is None:
    time.sleep(0.05)
print(run.poll().kind, run.log)
Path(sys.argv[3]).rename(Path(sys.argv[2]).with_name("kept.nrrd"))
"""


def test_the_installed_tree_gives_the_voxels_of_ctsgan_enhance(installed, crop, tmp_path):
    write_volume(crop, tmp_path / "input.nrrd")
    enhance_file(tmp_path / "input.nrrd", tmp_path / "expected.nrrd", Request(scale=2))
    (tmp_path / "run").mkdir()
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [sys.executable, "-c", RUN, installed, tmp_path / "input.nrrd", tmp_path / "run/output.nrrd"]
    result = subprocess.run(
        list(map(str, command)), env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert result.stdout.startswith("done"), result.stdout + result.stderr
    assert not (tmp_path / "run").exists()
    expected, kept = read_volume(tmp_path / "expected.nrrd"), read_volume(tmp_path / "kept.nrrd")
    np.testing.assert_array_equal(kept.voxels, expected.voxels, strict=True)


def test_the_installed_command_line_module_finds_the_installed_bundle(installed, crop, tmp_path):
    write_volume(crop, tmp_path / "input.nrrd")
    enhance_file(tmp_path / "input.nrrd", tmp_path / "expected.nrrd", Request(scale=1))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    script = installed.parent / "cli-modules/CTsGANEnhanceCLI.py"
    command = [sys.executable, script, "--scale", "1", tmp_path / "input.nrrd", tmp_path / "output.nrrd"]
    result = subprocess.run(list(map(str, command)), env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    expected, given = read_volume(tmp_path / "expected.nrrd"), read_volume(tmp_path / "output.nrrd")
    np.testing.assert_array_equal(given.voxels, expected.voxels, strict=True)
