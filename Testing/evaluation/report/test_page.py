"""What stands on the page."""

import base64
import copy
import re

import pytest

from ctsgan.errors import CTError
from ctsgan.evaluation.report import write_report
from ctsgan.evaluation.report.markup import number, places, short
from evaluation.report.cheap import HOSTILE
from evaluation.report.page_tree import parse, text_of

DASH = "\u2013"


def table_of(page, start):
    """Cells of the table whose caption starts so, by the name of the row."""
    table = next(table for table in page.iter("table") if text_of(table.find("caption")).startswith(start))
    return {text_of(row.find("th")): row.findall("td") for body in table.findall("tbody") for row in body}


def test_nothing_comes_from_elsewhere(report, page):
    assert not [element for tag in ("script", "link", "iframe", "object") for element in page.iter(tag)]
    addresses = [element.get(name) for element in page.iter() for name in ("src", "href") if element.get(name)]
    assert addresses
    assert all(address.startswith(("data:image/png;base64,", "#")) for address in addresses)
    assert not re.search(r"url\(|@import", report.read_text(encoding="utf-8"))


def test_links_lead_somewhere(page):
    there = {element.get("id") for element in page.iter() if element.get("id")}
    assert {link.get("href")[1:] for link in page.iter("a")} <= there


def test_pictures_are_inside_and_keep_their_place(page, folder, results):
    images = list(page.iter("img"))
    assert len(images) == 1 + 2 * len(results["examples"][0]["methods"])
    assert base64.b64decode(images[0].get("src").split(",")[1]) == (folder / "examples/reference.png").read_bytes()
    assert {(image.get("width"), image.get("height")) for image in images} == {("160", "160")}
    assert all(image.get("alt") for image in images)


def test_names_are_text_whatever_they_hold(page):
    assert not list(page.iter("script"))
    assert HOSTILE in {text_of(element) for element in page.iter("th")}
    assert any(HOSTILE in text_of(item) for item in page.iter("li"))
    assert any(HOSTILE in image.get("alt") for image in page.iter("img"))


def test_tables_are_tables(page):
    for table in page.iter("table"):
        assert text_of(table.find("caption"))
        assert all(head.get("scope") for head in table.iter("th"))
    regions = [element for element in page.iter("div") if element.get("class") == "scroll"]
    assert len(regions) == len(list(page.iter("table")))
    assert all((x.get("role"), x.get("tabindex")) == ("region", "0") and x.get("aria-label") for x in regions)
    for chart in page.iter("svg"):
        assert chart.get("aria-label") or chart.get("aria-hidden")


def test_the_best_is_bold_and_what_is_told_the_truth_stands_apart(page, results):
    rows = table_of(page, "Fidelity, soft window")
    bold = [name for name, cells in rows.items() if cells and cells[0].find("strong") is not None]
    means = {name: sum(scores["PSNR soft"].values()) for name, scores in results["scores"]["area"].items()}
    told = means.pop("the truth, told")
    best = max(means, key=means.get)
    assert told > means[best]
    assert [name.removesuffix(" ours") for name in bold] == [best]
    assert list(rows)[-2:] == ["Told the true degradation; never counted as best", "the truth, told"]


def test_a_value_is_printed_with_its_interval_and_differences(page, results):
    values = results["scores"]["area"]["bicubic"]["PSNR soft"].values()
    mean, against_base, against_peer = map(text_of, table_of(page, "Fidelity, soft window")["bicubic"][:3])
    assert re.fullmatch(rf"{sum(values) / len(values):.2f}\[\d+\.\d\d, \d+\.\d\d\]", mean)
    assert (against_base, against_peer) == (DASH, DASH)


def test_a_method_that_adds_20_hu_is_marked_as_worse(page):
    cells = table_of(page, "HU bias by tissue")[HOSTILE]
    assert text_of(cells[1]).startswith("\u25bc")
    assert cells[1].find("span").get("class") == "worse"


def test_what_is_not_there_is_a_dash(page):
    assert text_of(table_of(page, "Noise and HU")["bicubic"][1]) == DASH
    assert "nan" not in text_of(page.find("body")).lower().split()
    assert "None" not in text_of(page.find("body"))


def test_missing_methods_and_skipped_files_are_named_with_their_reason(page):
    header = text_of(page.find("body/header"))
    assert "absent: its weights are not here; get them" in header
    assert f"{HOSTILE}.nii: it holds no HU" in header
    assert "5 methods on 1 file (3 slices) of 1 patient" in header


def test_the_result_is_a_sentence_about_ours(page, results):
    sentence = text_of(next(item for item in page.iter("li") if text_of(item).startswith("area:")))
    means = {name: sum(scores["PSNR soft"].values()) / 3 for name, scores in results["scores"]["area"].items()}
    assert f"sharpened has a mean PSNR soft of {means['sharpened']:.2f} dB" in sentence
    assert f"than bicubic ({means['sharpened'] - means['bicubic']:+.2f} dB".replace("-", "\u2212") in sentence


def test_the_result_does_not_claim_what_the_interval_leaves_open(results, folder, tmp_path):
    changed = copy.deepcopy({**results, "examples": []})
    base = list(changed["scores"]["area"]["bicubic"]["PSNR soft"].items())
    changed["scores"]["area"]["sharpened"]["PSNR soft"] = {
        patient: value + step for (patient, value), step in zip(base, (-1.0, 0.2, 1.0), strict=True)
    }
    text = text_of(parse(write_report(changed, tmp_path)))
    assert "not told apart from bicubic (+0.07 dB [" in text


def test_it_can_be_repeated_from_what_stands_there(page):
    text = text_of(next(section for section in page.iter("section") if section.get("id") == "provenance"))
    for fact in ("ctsgan evaluate abdomen OUT --scale 4", "id bicubic", "licence of bicubic", "0a1b" * 16):
        assert fact in text
    assert "not a medical device" in text_of(page.find("body/footer"))


def test_papers_figures_are_those_that_are_known(page):
    rows = table_of(page, "Published figures")
    assert [text_of(cells[0]) for cells in rows.values()] == [
        "perceptual index (PI) 2.622, RMSE 15.47",
        "PSNR and SSIM at \u00d72 and \u00d74: no printed figures could be obtained, so none stand here",
        "PSNR 26.84 dB, SSIM 0.8503",
    ]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"format": 2}, "the results have format 2"),
        ({"picture": "examples/absent.png"}, "the picture examples/absent.png is missing"),
        ({"picture": "../outside.png"}, "the picture ../outside.png is missing"),
        ({"picture": "scores.csv"}, "scores.csv is no PNG"),
    ],
)
def test_what_cannot_be_shown_is_named_and_an_older_report_stays(change, sentence, results, tmp_path):
    write_report({**results, "examples": []}, tmp_path)
    (tmp_path.parent / "outside.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    changed = {**results, "format": change.get("format", 1)}
    changed["examples"] = [{**results["examples"][0], "reference": change.get("picture")}]
    with pytest.raises(CTError, match=re.escape(sentence)):
        write_report(changed, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_results_with_nothing_but_scores_make_a_page(results, tmp_path):
    bare = {key: value for key, value in results.items() if key not in ("physics", "honesty", "cost", "perception")}
    page = parse(write_report({**bare, "examples": []}, tmp_path))
    assert {section.get("id") for section in page.iter("section")} >= {"result", "scores-0", "papers", "provenance"}
    assert not {"physics", "honesty", "cost", "examples"} & {section.get("id") for section in page.iter("section")}


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (-0.001, 2, "0.00"),
        (-1.5, 1, "\u22121.5"),
        (float("inf"), 2, "\u221e"),
        (float("nan"), 2, DASH),
        (None, 2, DASH),
    ],
)
def test_numbers(value, digits, text):
    assert number(value, digits) == text


def test_numbers_of_unknown_size_keep_three_figures():
    values = (0.001234, 1.234, 1234.6, 7, 2.5e-7)
    assert [short(value) for value in values] == ["0.00123", "1.23", "1235", "7", "2.5e\u221207"]


def test_a_column_shows_three_figures_of_its_middle_and_nothing_looks_whole_that_is_not():
    assert places([0.33, 0.34, 14.9]) == 3
    assert places([0.9999, 0.9998]) == 4
    assert places([1.0, 20.0]) == 0
