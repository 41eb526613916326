"""The picture that shows what enhancement did."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from ctsgan.io.files import write_volume
from ctsgan.picture import main
from ctsgan.workflow import Request, enhance_volume


@pytest.fixture
def files(clinical_volume, tmp_path):
    voxels = np.ascontiguousarray(clinical_volume.voxels[9:11, 180:308, 120:248])
    volume = replace(clinical_volume, voxels=voxels, header={})
    paths = [tmp_path / "in.nii.gz", tmp_path / "out.nii.gz"]
    write_volume(volume, paths[0])
    write_volume(enhance_volume(volume, Request(scale=2)), paths[1])
    return paths


def test_a_picture_of_four_columns_and_four_rows_is_drawn(files, tmp_path, capsys):
    main([*map(str, files), str(tmp_path / "picture.png")])
    pixels = np.asarray(Image.open(tmp_path / "picture.png").convert("L"), dtype=float)
    assert capsys.readouterr().out.strip() == str(tmp_path / "picture.png")
    height, width = pixels.shape
    panels = pixels[: height // 4 * 4, : width // 4 * 4].reshape(4, height // 4, 4, width // 4)
    # every panel shows something
    assert np.all(panels.std(axis=(1, 3)) > 10)


def test_volumes_that_do_not_belong_together_are_refused(files, tmp_path, clinical_volume):
    other = replace(clinical_volume, voxels=np.ascontiguousarray(clinical_volume.voxels[:3, :128, :128]), header={})
    write_volume(other, tmp_path / "other.nii.gz")
    with pytest.raises(ValueError, match="do not match"):
        main([str(files[0]), str(tmp_path / "other.nii.gz"), str(tmp_path / "picture.png")])
    assert not (tmp_path / "picture.png").exists()
