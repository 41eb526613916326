"""Tables of physics, honesty and cost."""

from ctsgan.evaluation.report.number_tables import growth_table, number_tables
from evaluation.report.cheap import describe
from evaluation.report.page_tree import text_of

METHODS = {"ours": describe("ours", ours=True), "peer": describe("peer"), "told": describe("told", told=True)}


def tables(section, numbers):
    """By the start of the caption: the header, and the cells of each method."""
    found = {}
    for made in number_tables({"methods": METHODS, section: numbers}, section):
        table = made.find("table")
        header = [text_of(cell) for cell in table.find("thead/tr")]
        rows = {text_of(row.find("th")): row.findall("td") for body in table.findall("tbody") for row in body}
        found[text_of(table.find("caption")).split(" ")[0]] = (header, rows)
    return found


def bold(rows, column):
    return [name for name, cells in rows.items() if cells and cells[column].find("strong") is not None]


def test_numbers_of_a_family_stand_side_by_side_with_their_errors():
    numbers = {"AUC 5 mm 10 HU": 0.8, "AUC error 5 mm 10 HU": 0.05, "AUC 5 mm 20 HU": 0.95, "invented": 0.01}
    header, rows = tables("honesty", {"peer": {"numbers": numbers}})["Area"]
    assert header == ["Method", "5 mm 10 HU", "5 mm 20 HU"]
    assert [text_of(cell) for cell in rows["peer"]] == ["0.800\u00b1 0.050", "0.950"]


def test_the_best_is_known_only_where_more_is_no_fault():
    numbers = {
        "ours": {"numbers": {"f50 bone": 0.6, "HU intercept": -0.5, "HU r2": 0.99}},
        "peer": {"numbers": {"f50 bone": 0.4, "HU intercept": 2.0, "HU r2": 0.98}},
        "told": {"numbers": {"f50 bone": 0.9, "HU intercept": 0.0, "HU r2": 1.0}},
        "reference": {"numbers": {"f50 bone": 1.0, "HU intercept": 0.0, "HU r2": 1.0}},
    }
    found = tables("physics", numbers)
    assert bold(found["f50:"][1], 0) == []
    rows = found["Noise"][1]
    assert bold(rows, 0) == bold(rows, 1) == ["ours ours"]
    assert list(rows)[-1] == "told"


def test_where_all_print_the_same_nobody_is_best():
    numbers = {name: {"numbers": {"returned": 0.1 + 1e-6 * index}} for index, name in enumerate(METHODS)}
    rows = tables("honesty", numbers)["Invented"][1]
    assert bold(rows, 0) == []


def test_times_keep_three_figures_each():
    cost = {"ours": {"seconds_a_slice": 0.01234}, "peer": {"seconds_a_slice": 12.34}}
    rows = tables("cost", cost)["Time"][1]
    assert [text_of(rows[name][0]) for name in rows] == ["0.0123", "12.3"]
    assert bold(rows, 0) == ["ours ours"]


def test_growth_is_printed_with_its_fit():
    fit = {"factor": 0.5, "exponent": 1.25, "r2": 0.999}
    growth = {"slices": {"x": [1, 2], "y": [0.5, None], "fit": fit}, "matrix": {"x": [1], "y": [2.0], "fit": None}}
    rows = growth_table({"cost": {"ours": {"growth": growth}}}).find("table/tbody")
    assert [text_of(cell) for cell in rows[0].findall("td")] == [
        "slices",
        "factor 0.500, exponent 1.25, r2 0.999",
        "1: 0.500, 2: \u2013",
    ]
    assert text_of(rows[1].findall("td")[1]) == "\u2013"
