"""What `make map` gives to Docker: the real packager's files, run as the image would run them, without Docker."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ctsgan.cli import main
from ctsgan.dicom import read_series

ROOT = Path(__file__).resolve().parents[3]

HOLOSCAN = "4.0.0"

DOCKER = """#!/bin/sh
# in Docker's place: answers as the packager expects, and keeps what it is given to build
case "$*" in
  *"buildx ls"*) echo '{"Name": "holoscan_app_builder", "Driver": "docker-container", "Nodes": []}';;
  *"buildx inspect"*) printf 'Name: holoscan_app_builder\\nDriver: docker-container\\n';;
  *"buildx build"*) for last; do :; done; cp -r "$last/." "$CONTEXT";;
esac
"""


def _sources(folder: Path) -> Path:
    """The packager's list of base images, which it would download."""
    images = {"dgpu": "a-base-image:1", "igpu": "none:1", "cpu": "none:1"}
    none = {"dgpu": {}, "igpu": {}, "cpu": {}}
    of_version = {"debian-version": HOLOSCAN, "wheel-version": HOLOSCAN, "base-images": images, "build-images": none}
    path = folder / "artifacts.json"
    path.write_text(json.dumps({HOLOSCAN: {"holoscan": of_version, "health-probes": {}}}))
    return path


@pytest.fixture(scope="module")
def context(host_python, host_environment, tmp_path_factory) -> Path:
    """The folder that the packager has an image built of."""
    python = host_python("monai_deploy")
    folder = tmp_path_factory.mktemp("map")
    (folder / "bin").mkdir()
    docker = folder / "bin/docker"
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    made = folder / "context"
    made.mkdir()
    # the hosts' environments may be elsewhere than the Makefile puts them
    make = ["make", "map-folder", f"MAP={folder / 'app'}", f"HOSTS={python.parents[2]}", "--assume-old"]
    subprocess.run([*make, python.parents[1] / ".installed"], cwd=ROOT, check=True, capture_output=True, timeout=300)
    command = [
        python.parent / "holoscan",
        "package",
        folder / "app",
        "--config",
        ROOT / "Applications/MONAIDeploy/app.yaml",
    ]
    command += ["--platform", "x86_64", "--sdk", "monai-deploy", "--tag", "ctsgan:latest"]
    command += ["--source", _sources(folder), "--build-cache", folder]
    path = f"{folder / 'bin'}{os.pathsep}{host_environment['PATH']}"
    environment = {**host_environment, "PATH": path, "CONTEXT": str(made)}
    # the stand-in has no image to show at the end, which the packager calls a failure; what it was given is complete
    subprocess.run(command, env=environment, capture_output=True, timeout=120, check=False)
    return made


def test_the_image_would_hold_the_application_its_settings_and_manifests(context):
    assert (context / "Dockerfile").is_file()
    manifest = json.loads((context / "map/app.json").read_text())
    assert json.loads(manifest["command"]) == ["python3", "/opt/holoscan/app"]
    assert manifest["sdk"] == "monai-deploy"
    resources = json.loads((context / "map/pkg.json").read_text())["resources"]
    assert resources["memory"] == "4Gi"
    pinned = (context / "pip/requirements.txt").read_text()
    assert f"holoscan-cu13=={HOLOSCAN}" in pinned
    assert (context / "app/ctsgan/bundle/models/models.json").is_file()


def test_its_application_gives_the_command_lines_voxels(context, host_python, host_environment, series, tmp_path):
    environment = {name: value for name, value in host_environment.items() if name != "PYTHONPATH"}
    places = {"INPUT_PATH": series, "OUTPUT_PATH": tmp_path, "CONFIG_PATH": context / "app.config"}
    environment |= {f"HOLOSCAN_{name}": str(path) for name, path in places.items()}
    command = [host_python("monai_deploy"), context / "app"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert main(["enhance", str(series), str(tmp_path / "expected"), "--progress", "none"]) == 0
    result, expected = (read_series(tmp_path / name) for name in ("enhanced", "expected"))
    np.testing.assert_array_equal(result.voxels, expected.voxels)
    np.testing.assert_array_equal(result.affine, expected.affine)
