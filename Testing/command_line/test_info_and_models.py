"""``ctsgan info`` and ``ctsgan models``."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from ctsgan.cli import main
from ctsgan.io.files import read_volume, write_volume
from ctsgan.models import scales
from ctsgan.plan import Request, cautions, make_plan, memory_bytes


def test_info_says_the_grid_that_enhance_then_writes(small_file, tmp_path, capsys):
    assert main(["info", str(small_file), "--scale", "4"]) == 0
    text = capsys.readouterr().out
    assert "input   48 x 64 x 3 voxels" in text
    assert "output  192 x 256 x 3 voxels" in text
    assert "int16" in text
    assert re.search(r"memory +about [\d.]+ GiB", text)
    assert re.search(r"time +about \d+ s on cpu", text)
    assert main(["enhance", str(small_file), str(tmp_path / "out.nii"), "--scale", "4"]) == 0
    assert read_volume(tmp_path / "out.nii").voxels.shape == (3, 256, 192)


def test_info_of_an_asked_spacing_names_the_scale_it_picks(small_file, capsys):
    assert main(["info", str(small_file), "--spacing", "0.3"]) == 0
    text = capsys.readouterr().out
    assert "x4" in text
    assert "0.3 x 0.3" in text
    assert "resampled" in text


def test_info_for_programs_is_one_line_of_json(small_file, capsys):
    assert main(["info", str(small_file), "--scale", "1", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["input"] == facts["output"]
    assert facts["input"].startswith("48 x 64 x 3 voxels of ")
    assert facts["memory_bytes"] > facts["output_bytes"] == 48 * 64 * 3 * 2
    assert facts["seconds"] > 0
    assert (facts["device"], facts["notes"]) == ("cpu", [])
    assert facts["device_name"] == facts["devices"]["cpu"]
    assert "processor" in facts["device_name"]
    assert ("cuda" in facts["devices"]) == torch.cuda.is_available()


def test_info_cautions_where_pixels_are_fine_already(small_volume, tmp_path, capsys):
    fine = small_volume.affine @ np.diag([0.4, 0.4, 1.0, 1.0])
    write_volume(replace(small_volume, affine=fine), tmp_path / "fine.nrrd")
    for scale, is_cautioned in ((2, True), (1, False)):
        assert main(["info", str(tmp_path / "fine.nrrd"), "--scale", str(scale)]) == 0
        assert ("already finer than any in the training data" in capsys.readouterr().out) == is_cautioned


def test_a_volume_too_large_for_the_memory_is_cautioned(small_volume):
    plan = make_plan(small_volume.voxels.shape, small_volume.affine, Request(scale=4))
    needed = memory_bytes(small_volume, plan)
    assert cautions(small_volume, plan, needed) == []
    assert "enhance a region, choose a smaller scale" in cautions(small_volume, plan, needed - 1)[0]


def test_planning_does_not_load_pytorch():
    code = "import sys, ctsgan.plan; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


def test_models_are_listed_with_size_scale_licence_and_quality(capsys):
    assert main(["models"]) == 0
    text = capsys.readouterr().out
    assert "light" in text
    assert "Apache-2.0" in text
    for scale in scales("light"):
        assert re.search(rf"x{scale} +[\d.]+ MB +strength \w+ .*\d", text)


def test_no_command_is_an_error(capsys):
    with pytest.raises(SystemExit) as status:
        main([])
    assert status.value.code == 2
