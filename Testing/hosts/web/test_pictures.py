"""Pictures: grey values stay grey values, colours stay colours."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from ctsgan.errors import CTError
from ctsgan.metrics import psnr
from ctsgan.resample import resample_slices
from ctsgan.workflow import Request, enhance_volume
from ctsgan_web.pictures import Picture, as_volume, from_volume, read_picture, write_picture

MOST = 10**7


def enhanced(picture: Picture, scale: int = 2) -> Picture:
    return from_volume(enhance_volume(as_volume(picture), Request(scale=scale)), picture)


def on_scale(pixels: np.ndarray) -> np.ndarray:
    """Grey values 0 to 255 on the range of HU, for a metric in HU."""
    return pixels.astype(float) * (4095 / 255) - 1024


def test_an_8_bit_picture_comes_nearer_to_the_truth_than_by_interpolation(clinical_volume):
    import torch

    sharp = np.clip((clinical_volume.voxels[10] + 160) * (255 / 400), 0, 255)
    coarse = np.rint(sharp.reshape(256, 2, 256, 2).mean(axis=(1, 3))).astype(np.uint8)
    given = torch.from_numpy(coarse.astype(np.float32))[None, None]
    bicubic = resample_slices(given, (512, 512), (0.5, 0.5))[0, 0].numpy()
    ours = enhanced(Picture(coarse)).pixels
    truth = on_scale(np.rint(sharp))
    assert psnr(on_scale(ours), truth) > psnr(on_scale(bicubic), truth) + 3


def test_a_16_bit_picture_keeps_its_depth(soft_picture):
    fine = soft_picture.astype(np.uint16) * 16 + 3
    result = enhanced(Picture(fine), scale=1).pixels
    assert result.dtype == np.uint16
    assert len(np.unique(result)) > 256
    assert abs(float(result.mean()) - float(fine.mean())) < 16
    # black and white areas are flat, and go through as they are
    flat = np.array([[3, 4083]] * 2).repeat(40, axis=0).repeat(40, axis=1).astype(np.uint16)
    np.testing.assert_array_equal(enhanced(Picture(flat), scale=1).pixels[5:-5, 5:30], flat[5:-5, 5:30])


def test_colours_are_kept(soft_picture):
    tint = np.stack([soft_picture * 0.9, soft_picture * 0.6, soft_picture * 0.3], axis=-1).astype(np.uint8)
    result = enhanced(Picture(tint)).pixels
    assert result.shape == (256, 320, 3)
    bright = result[..., 0].astype(float) > 120
    for band, share in ((1, 0.6 / 0.9), (2, 0.3 / 0.9)):
        assert np.median(result[..., band][bright] / result[..., 0][bright]) == pytest.approx(share, abs=0.03)


def test_a_grey_picture_stored_in_colour_gives_what_the_grey_one_gives(soft_picture, tmp_path):
    Image.fromarray(np.repeat(soft_picture[..., None], 3, axis=2)).save(tmp_path / "rgb.png")
    Image.fromarray(soft_picture).save(tmp_path / "grey.png")
    rgb, grey = (read_picture(tmp_path / name, name, MOST) for name in ("rgb.png", "grey.png"))
    np.testing.assert_array_equal(rgb.pixels, grey.pixels)


def test_opacity_is_kept(soft_picture, tmp_path):
    alpha = np.full_like(soft_picture, 255)
    alpha[:64] = 0
    Image.fromarray(np.stack([soft_picture] * 3 + [alpha], axis=-1)).save(tmp_path / "glass.png")
    result = enhanced(read_picture(tmp_path / "glass.png", "glass.png", MOST))
    write_picture(result, tmp_path / "finer.png")
    kept = np.asarray(Image.open(tmp_path / "finer.png"))
    assert kept.shape == (256, 320, 4)
    assert kept[:120, :, 3].max() == 0
    assert kept[136:, :, 3].min() == 255


def test_a_picture_lies_as_its_exif_says(soft_picture, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(soft_picture).save(tmp_path / "turned.png", exif=exif)
    pixels = read_picture(tmp_path / "turned.png", "turned.png", MOST).pixels
    np.testing.assert_array_equal(pixels, np.rot90(soft_picture, -1))


def test_what_is_no_single_picture_is_refused(soft_picture, tmp_path):
    pages = [Image.fromarray(soft_picture)] * 2
    pages[0].save(tmp_path / "pages.tif", save_all=True, append_images=pages[1:])
    with pytest.raises(CTError, match=r"two\.tif holds 2 pictures"):
        read_picture(tmp_path / "pages.tif", "two.tif", MOST)
    Image.fromarray(soft_picture.astype(np.float32) / 255).save(tmp_path / "float.tif")
    with pytest.raises(CTError, match="no grey values of 16 bits"):
        read_picture(tmp_path / "float.tif", "float.tif", MOST)


def test_colour_of_16_bits_is_refused_rather_than_halved(soft_picture, tmp_path):
    colour = np.repeat(soft_picture[..., None].astype(np.uint16) * 257, 3, axis=2)
    sitk.WriteImage(sitk.GetImageFromArray(colour, isVector=True), tmp_path / "deep.png")
    with pytest.raises(CTError, match=r"deep\.png has 16 bits a colour"):
        read_picture(tmp_path / "deep.png", "deep.png", 10**6)
