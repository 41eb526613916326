"""Every page of the app in a real browser, with a real CT."""

from __future__ import annotations

import io
import re
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from ctsgan.cli import main
from ctsgan.io.files import read_volume, write_volume
from ctsgan.metrics import psnr, rmse, ssim
from ctsgan.volume import Volume

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

from playwright.sync_api import Page, expect

from hosts.web.browser import canvas_colours, go_to, measure, open_page, send, settle
from hosts.web.server import Server, started


def enhance(page: Page) -> None:
    page.get_by_role("button", name="Enhance", exact=True).click()
    expect(page.get_by_text(re.compile("^Done in "))).to_be_visible()


def downloaded(page: Page, link: str, folder: Path) -> Path:
    """The file behind a link of the page."""
    with page.expect_download() as waiting:
        page.get_by_role("link", name=link).click()
    path = folder / waiting.value.suggested_filename
    waiting.value.save_as(path)
    return path


def shown_slice(page: Page, number: int) -> None:
    """Wait until the viewer shows that slice."""
    expect(page.locator(f".viewer[data-shown='{number}']")).to_be_visible()


@pytest.fixture
def page(tab: Page, server: Server) -> Page:
    """The page Enhance."""
    open_page(tab, server.address)
    return tab


def test_a_volume_is_told_enhanced_and_downloaded(page, files, tmp_path):
    send(page, [files[".nii.gz"]])
    table = page.get_by_test_id("stTable").first
    for text in ("slab.nii.gz", "CT, in HU", "80 x 96 x 3 voxels", "0.9766 x 0.9766 x 2 mm", "HU"):
        expect(table).to_contain_text(text)
    page.get_by_test_id("stButtonGroup").get_by_role("radio", name="x4").click()
    enhance(page)
    path = downloaded(page, "Download the result: .nii.gz", tmp_path)
    assert path.name == "slab_x4.nii.gz"
    expected = tmp_path / "expected.nii.gz"
    assert main(["enhance", str(files[".nii.gz"]), str(expected), "--scale", "4", "--progress", "none"]) == 0
    np.testing.assert_array_equal(read_volume(path).voxels, read_volume(expected).voxels)
    np.testing.assert_array_equal(read_volume(path).affine, read_volume(expected).affine)


def test_the_files_of_a_series_give_a_derived_series(page, files, tmp_path):
    send(page, sorted(files[".dcm"].iterdir()))
    expect(page.get_by_test_id("stTable").first).to_contain_text("DICOM series")
    enhance(page)
    path = downloaded(page, "Download the result: DICOM series (zip)", tmp_path)
    zipfile.ZipFile(path).extractall(tmp_path)
    assert main(["enhance", str(files[".dcm"]), str(tmp_path / "expected"), "--progress", "none"]) == 0
    got, wanted = read_volume(tmp_path / "enhanced"), read_volume(tmp_path / "expected")
    np.testing.assert_array_equal(got.voxels, wanted.voxels)


def test_a_volume_of_another_format_is_downloaded_as_dicom(page, files, tmp_path):
    send(page, [files[".nii.gz"]])
    page.get_by_text("Result as DICOM").click()
    enhance(page)
    zipfile.ZipFile(downloaded(page, "Download the result: DICOM series (zip)", tmp_path)).extractall(tmp_path)
    assert main(["enhance", str(files[".nii.gz"]), str(tmp_path / "wanted.nii.gz"), "--progress", "none"]) == 0
    got, wanted = read_volume(tmp_path / "enhanced"), read_volume(tmp_path / "wanted.nii.gz")
    np.testing.assert_array_equal(got.voxels, wanted.voxels)


def test_scripts_in_a_dicom_header_do_not_run(page, files, tmp_path):
    said = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    for path in files[".dcm"].iterdir():
        image = dcmread(path)
        for keyword in ("SeriesDescription", "PatientName", "StudyDescription", "ManufacturerModelName"):
            setattr(image, keyword, "<img src=x onerror=alert(1)><script>alert(2)</script>")
        image.save_as(tmp_path / path.name)
    send(page, sorted(tmp_path.iterdir()))
    expect(page.get_by_test_id("stTable").first).to_contain_text("DICOM series")
    shown_slice(page, 2)
    assert said == []
    assert page.locator("img[src=x]").count() == 0


def test_a_colour_picture_is_said_to_be_one_and_keeps_its_colour(page, files, tmp_path):
    send(page, [files[".jpg"]])
    expect(page.get_by_text("it has no HU, and its grey values go through as they are. Its colours")).to_be_visible()
    enhance(page)
    result = np.asarray(Image.open(downloaded(page, "Download the result: .jpg", tmp_path)))
    source = np.asarray(Image.open(files[".jpg"]).resize((320, 256), Image.Resampling.BICUBIC))
    assert result.shape == (256, 320, 3)
    assert np.abs(result.astype(float) - source).mean() < 6
    assert canvas_colours(page) > 1000


def test_hu_are_read_under_the_pointer_and_by_keyboard(page, files, slab):
    send(page, [files[".nii.gz"]])
    shown_slice(page, 2)
    canvas = page.locator("canvas[role=img]")
    reading = page.locator(".reading")
    canvas.hover()
    column, row = slab.voxels.shape[2] // 2, slab.voxels.shape[1] // 2
    expect(reading).to_contain_text(re.compile(r"Column \d+, row \d+: input -?\d+ HU"))
    at = [int(number) for number in re.findall(r"-?\d+", reading.text_content())]
    assert abs(at[0] - column) <= 1
    assert abs(at[1] - row) <= 1
    assert at[2] == slab.voxels[1, at[1], at[0]]
    canvas.focus()
    page.keyboard.press("ArrowRight")
    moved = [int(number) for number in re.findall(r"-?\d+", reading.text_content())]
    assert moved[0] == at[0] + 1
    assert moved[2] == slab.voxels[1, moved[1], moved[0]]


def test_window_slice_zoom_divider_and_difference_change_the_view(page, files, tmp_path):
    send(page, [files[".nii.gz"]])
    shown_slice(page, 2)
    enhance(page)
    expect(page.get_by_role("combobox", name="Show")).to_have_value("compare")
    shown_slice(page, 2)
    canvas = page.locator("canvas[role=img]")

    def view() -> bytes:
        page.wait_for_timeout(200)
        return canvas.screenshot()

    views = [view()]
    page.get_by_role("combobox", name="Window").select_option("bone")
    assert page.get_by_label("Level (HU)").input_value() == "300"
    views.append(view())
    page.get_by_label("Width (HU)").fill("700")
    assert page.get_by_role("combobox", name="Window").input_value() == ""
    views.append(view())
    page.get_by_role("slider", name="Slice").fill("3")
    shown_slice(page, 3)
    views.append(view())
    page.get_by_role("slider", name="Zoom").fill("4")
    views.append(view())
    page.get_by_role("slider", name="Zoom").fill("1")
    canvas.hover()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 50, steps=5)
    page.mouse.up()
    assert float(page.get_by_role("slider", name="Divider").input_value()) == pytest.approx(80, abs=2)
    views.append(view())
    for shown in ("before", "after", "difference"):
        page.get_by_role("combobox", name="Show").select_option(shown)
        views.append(view())
    assert len(set(views)) == len(views)
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Save this view (PNG)").click()
    assert waiting.value.suggested_filename == "slab_slice3.png"
    waiting.value.save_as(tmp_path / "view.png")
    assert Image.open(tmp_path / "view.png").width > 200


def test_a_job_is_followed_and_cancelled(page, slab, tmp_path):
    write_volume(Volume(np.tile(slab.voxels, (40, 4, 4)), slab.affine), tmp_path / "long.nii.gz")
    send(page, [tmp_path / "long.nii.gz"])
    page.get_by_role("button", name="Enhance", exact=True).click()
    expect(page.get_by_text(re.compile(r"Enhancing: \d+%, about \d+ s left"))).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("Cancelled; nothing was kept.")).to_be_visible(timeout=3000)


def test_a_bad_file_gives_its_sentence_and_the_next_one_works(page, files, tmp_path):
    (tmp_path / "![x](http:evil).nii.gz").write_bytes(b"no volume")
    send(page, [tmp_path / "![x](http:evil).nii.gz"])
    alert = page.get_by_test_id("stAlert")
    expect(alert).to_contain_text("![x](http:evil).nii.gz is damaged, cut short or not a .nii.gz file")
    assert alert.locator("img").count() == 0
    (tmp_path / "logo.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>")
    send(page, [tmp_path / "logo.svg"])
    expect(alert).to_contain_text("logo.svg is not of a kind that can be read")
    send(page, [files[".nrrd"]])
    expect(page.get_by_test_id("stTable").first).to_contain_text("slab.nrrd")
    expect(alert).to_have_count(0)


def test_a_volume_that_is_no_ct_is_read_with_force(page, slab, tmp_path):
    write_volume(Volume((slab.voxels + 1024).astype(np.int16), slab.affine), tmp_path / "offset.nii.gz")
    send(page, [tmp_path / "offset.nii.gz"])
    expect(page.get_by_test_id("stAlert")).to_contain_text("force takes them as they are")
    page.get_by_text("How it is read").click()
    page.get_by_text("force: take it as HU").click()
    settle(page)
    page.get_by_role("button", name="Read it again").click()
    expect(page.get_by_test_id("stTable").first).to_contain_text("offset.nii.gz")
    enhance(page)


def test_a_batch_is_scored_and_packed(page, files, soft_picture, tmp_path):
    Image.fromarray(np.tile(soft_picture, (2, 2))).save(tmp_path / "large.png")
    (tmp_path / "bad.nrrd").write_bytes(b"no volume")
    go_to(page, "Batch")
    send(page, [files[".nii.gz"], tmp_path / "large.png", tmp_path / "bad.nrrd"])
    page.get_by_role("button", name="Pack 2 results").click()
    row = page.get_by_role("row").filter(has_text="large.png")
    assert re.search(r"done\s*\d+\.\d s\s*\d+\.\d\d\s*\d+\.\d\d", row.inner_text())
    expect(page.get_by_role("row").filter(has_text="bad.nrrd")).to_contain_text("is damaged")
    path = downloaded(page, "Download all as zip", tmp_path)
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["large_x2.png", "slab_x2.nii.gz"]
        (tmp_path / "got.nii.gz").write_bytes(archive.read("slab_x2.nii.gz"))
        assert Image.open(io.BytesIO(archive.read("large_x2.png"))).size == (640, 512)
    assert main(["enhance", str(files[".nii.gz"]), str(tmp_path / "wanted.nii.gz"), "--progress", "none"]) == 0
    got, wanted = (read_volume(tmp_path / f"{name}.nii.gz").voxels for name in ("got", "wanted"))
    np.testing.assert_array_equal(got, wanted)


def test_an_image_is_measured_against_its_reference(page, clinical_volume, tmp_path):
    truth = np.ascontiguousarray(clinical_volume.voxels[8:10, 150:400, 120:420])
    noisy = truth + np.random.default_rng(0).normal(0, 20, truth.shape).astype(np.int16)
    for name, voxels in (("truth", truth), ("noisy", noisy)):
        write_volume(Volume(voxels, clinical_volume.affine), tmp_path / f"{name}.nrrd")
    go_to(page, "Measure")
    measure(page, tmp_path / "noisy.nrrd", tmp_path / "truth.nrrd")
    scores = page.get_by_test_id("stTable").nth(2)
    for text in (
        f"{np.mean([psnr(a, b, 'soft') for a, b in zip(noisy, truth, strict=True)]):.2f} dB",
        f"{np.mean([ssim(a, b, 'soft') for a, b in zip(noisy, truth, strict=True)]):.4f}",
        f"{np.mean([rmse(a, b, 'soft') for a, b in zip(noisy, truth, strict=True)]):.2f} HU",
        "-160 to 240 HU",
        "2 of 2",
    ):
        expect(scores).to_contain_text(text)
    expect(page.get_by_test_id("stVegaLiteChart")).to_be_visible()
    region = page.get_by_test_id("stTable").nth(3)
    expect(region).to_contain_text(f"{truth[0, 125:141, 150:166].mean():.1f}")
    expect(region).to_contain_text(f"{noisy[0, 125:141, 150:166].std():.1f}")


def test_what_cannot_be_compared_is_said(page, files, tmp_path):
    go_to(page, "Measure")
    measure(page, files[".nrrd"], files[".png"])
    expect(page.get_by_test_id("stAlert").last).to_contain_text("one is a picture and one has HU")


def test_about_shows_the_degradation_of_the_visitors_own_slice(page, files):
    send(page, [files[".nii.gz"]])
    shown_slice(page, 2)
    go_to(page, "About")
    page.get_by_role("button", name="Degrade").click()
    expect(page.get_by_text("the slice after degradation")).to_be_visible()
    expect(page.locator(".viewer[data-shown='1']")).to_be_visible()
    assert canvas_colours(page) > 50
    for text in ("light", "Measured quality", "not for diagnosis", "CTsGAN - Image Enhancement of Portable CT Scanner"):
        expect(page.get_by_text(text).first).to_be_visible()


def test_what_is_kept_goes_when_the_page_is_closed(tab, server, files):
    before = set(server.kept())
    open_page(tab, server.address)
    send(tab, [files[".nrrd"]])
    expect(tab.get_by_test_id("stTable").first).to_contain_text("slab.nrrd")
    (mine,) = set(server.kept()) - before
    assert any(mine.rglob("*.nrrd"))
    tab.close()
    end = time.monotonic() + 60
    while mine.exists():
        assert time.monotonic() < end, "the files of a closed page are still there"
        time.sleep(0.5)


def test_the_address_with_the_token_opens_the_app_and_loses_the_token(tab, host_python, tmp_path):
    with started(host_python("web"), tmp_path / "kept", "--host", "0.0.0.0") as server:
        address = server.address.replace("0.0.0.0", "127.0.0.1")
        open_page(tab, address)
        assert tab.url == address.split("?")[0]
        assert tab.context.cookies()[0]["httpOnly"]
