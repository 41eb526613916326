"""Charts put values where they belong."""

import re

import numpy as np
import pytest

from ctsgan.evaluation.report.axes import Axis, axis, styles
from ctsgan.evaluation.report.chart import box_plot, line_chart, scatter

LOOKS = styles({**{f"peer {n}": {"ours": False} for n in range(20)}, "ours": {"ours": True}})


def texts(figure, class_):
    return [text for text in figure.iter("text") if text.get("class", "").startswith(class_)]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-3.0, 17.0, [0, 5, 10, 15]),
        (20.3, 20.62, [20.3, 20.4, 20.5, 20.6]),
    ],
)
def test_ticks_are_round(low, high, ticks):
    assert Axis("", low, high, 0, 100).ticks() == pytest.approx(ticks)


def test_ticks_of_powers_are_round():
    assert Axis("", 0.008, 12.0, 0, 100, True).ticks() == pytest.approx([0.01, 0.1, 1, 10])


def test_a_logarithmic_axis_gives_each_decade_as_much_room():
    steps = np.diff([axis("", [0.01, 100.0], 0, 100, True).place(value) for value in (0.1, 1.0, 10.0)])
    assert steps[0] == pytest.approx(steps[1], abs=0.02)


def test_a_curve_breaks_where_a_value_is_missing():
    curve = {"x": [0, 1, 2, 3, 4], "y": [1.0, 2.0, None, 3.0, float("nan")]}
    path = next(line_chart("", {"ours": curve}, ("x", "y"), LOOKS).iter("path")).get("d")
    assert re.sub(r"[\d. -]+", "", path) == "MLM"


def test_nothing_to_draw_is_no_chart():
    assert line_chart("", {"ours": {"x": [1], "y": [None]}}, ("x", "y"), LOOKS) is None
    assert box_plot("", {}, "dB", LOOKS) is None
    assert scatter("", {"ours": (0.0, 1.0)}, ("s", "dB"), LOOKS) is None


def test_a_box_ends_at_the_quartiles_and_has_a_dot_for_each_patient():
    figure = box_plot("", {"ours": [10.0, 20.0, 30.0, 40.0, 50.0]}, "dB", LOOKS)
    box, dots = next(figure.iter("rect")), [float(dot.get("cx")) for dot in figure.iter("circle")]
    assert len(dots) == 5
    assert float(box.get("x")) == pytest.approx(dots[1])
    assert float(box.get("x")) + float(box.get("width")) == pytest.approx(dots[3], abs=0.02)


def test_no_two_of_twenty_methods_look_alike():
    assert len({(look.colour, look.dash) for look in LOOKS.values()}) == len(LOOKS)


def test_points_that_crowd_keep_their_names_apart():
    crowd = {f"peer {n}": (1.0, 20.0) for n in range(4)}
    figure = scatter("", {**crowd, "ours": (10.0, 30.0)}, ("s", "dB"), LOOKS)
    boxes = []
    for name in texts(figure, "name"):
        left = float(name.get("x")) - {"start": 0, "middle": 20, "end": 40}[name.get("text-anchor")]
        boxes.append((left, float(name.get("y"))))
    assert all(abs(x - a) >= 40 or abs(y - b) >= 10 for index, (x, y) in enumerate(boxes) for a, b in boxes[:index])


def test_a_name_that_is_not_beside_its_point_has_a_line_to_it():
    crowd = {f"peer {n}": (1.0, 20.0) for n in range(7)}
    figure = scatter("", crowd, ("s", "dB"), LOOKS)
    leaders = [line for line in figure.iter("line") if "leader" in line.get("class")]
    at = next(figure.iter("circle"))
    point = float(at.get("cx")), float(at.get("cy"))
    heights = [float(name.get("y")) for name in texts(figure, "name")]
    far = sorted(height - 4 for height in heights if abs(height - point[1]) > 20)
    assert len(far) >= 2
    assert sorted(float(line.get("y2")) for line in leaders) == pytest.approx(far)
    assert all((float(line.get("x1")), float(line.get("y1"))) == point for line in leaders)
