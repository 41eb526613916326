"""The contact sheet of degradations."""

from dataclasses import replace

import numpy as np
from PIL import Image

from ctsgan.degradation.picture import COLUMNS, LABEL, PANEL, main
from ctsgan.io.files import write_volume


def test_every_panel_of_the_sheet_shows_something_and_differs_from_the_slice(clinical_volume, tmp_path, capsys):
    voxels = np.ascontiguousarray(clinical_volume.voxels[8:11, 180:340, 120:280])
    write_volume(replace(clinical_volume, voxels=voxels, header={}), tmp_path / "in.nii.gz")
    main([str(tmp_path / "in.nii.gz"), str(tmp_path / "sheet.png")])
    assert capsys.readouterr().out.strip() == str(tmp_path / "sheet.png")
    pixels = np.asarray(Image.open(tmp_path / "sheet.png"), dtype=float)
    rows = pixels.shape[0] // (PANEL + LABEL)
    assert pixels.shape == (rows * (PANEL + LABEL), COLUMNS * PANEL)
    sheet = pixels.reshape(rows, PANEL + LABEL, COLUMNS, PANEL).swapaxes(1, 2)
    panels = sheet.reshape(-1, PANEL + LABEL, PANEL)
    assert np.all(panels[:, :LABEL].max(axis=(1, 2)) == 255)
    pictures = panels[:, LABEL:]
    assert np.all(pictures.std(axis=(1, 2)) > 10)
    assert len({picture.tobytes() for picture in pictures}) == len(pictures)
