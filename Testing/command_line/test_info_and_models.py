"""``ctsgan info`` and ``ctsgan models``."""

import re

import pytest

from ctsgan.cli import main
from ctsgan.io.files import read_volume
from ctsgan.models import scales


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
