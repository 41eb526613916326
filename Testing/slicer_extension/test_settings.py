"""Settings as options of the command line. Needs no Slicer."""

import pytest

from ctsgan.cli import build_parser
from CTsGANEnhanceLib.Settings import Settings


def parsed(*options):
    return vars(build_parser().parse_args(["enhance", "input.nrrd", "output.nrrd", *options]))


def test_defaults_are_those_of_ctsgan_enhance():
    expected = parsed("--scale", "2")
    given = parsed(*Settings().options())
    assert float(given.pop("strength")) == 0.0
    assert expected.pop("strength") == "low"
    assert given == expected


@pytest.mark.parametrize(
    ("field", "value", "option", "expected"),
    [
        ("scale", 4, "scale", 4),
        ("strength", 0.25, "strength", "0.25"),
        ("model", "other", "model", "other"),
        ("fidelity_mm", None, "fidelity", None),
        ("fidelity_mm", 12.5, "fidelity", 12.5),
        ("device", "cuda:1", "device", "cuda:1"),
        ("tile", 128, "tile", 128),
        ("batch", 3, "batch", 3),
        ("threads", 2, "threads", 2),
        ("force", True, "force", True),
    ],
)
def test_every_setting_reaches_the_command_line(field, value, option, expected):
    assert parsed(*Settings(**{field: value}).options())[option] == expected
