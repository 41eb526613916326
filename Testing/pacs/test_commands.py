"""What `ctsgan pacs` is told on the command line, and where it says no before anything is asked of anybody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ctsgan.cli import build_parser, main, request_of
from ctsgan.workflow import Request
from pacs.processes import free_ports, listens, python_environment

ARCHIVE = ["--aet", "ARCHIVE"]


@pytest.mark.parametrize(
    "words",
    [
        ["--accession", "*", *ARCHIVE],
        ["--accession", "A?", *ARCHIVE],
        ["--accession", " ", *ARCHIVE],
        ["--study", "1.2.*", *ARCHIVE],
        ["--study", "", *ARCHIVE],
        ["--study", "1.2", "--accession", "A1", *ARCHIVE],
        [*ARCHIVE],
        ["--study", "1.2", "--aet", "A_TITLE_THAT_IS_TOO_LONG"],
        ["--study", "1.2", *ARCHIVE, "--port", "0"],
    ],
)
def test_a_study_must_be_named_as_one_and_by_one_name(words: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["pacs", "enhance", *words])
    assert ended.value.code == 2
    assert "usage: ctsgan pacs enhance" in capsys.readouterr().err


@pytest.mark.parametrize("where", [[], [*ARCHIVE, "--url", "http://127.0.0.1/dicom-web"]])
def test_an_archive_must_be_named_by_one_protocol(where: list[str], capsys) -> None:
    assert main(["pacs", "find", "--study", "1.2", *where]) == 1
    assert "by --aet, --host and --port, or by --url" in capsys.readouterr().err


def test_what_is_done_to_a_series_is_what_enhance_does(tmp_path: Path) -> None:
    parse = build_parser().parse_args
    plain = request_of(parse(["enhance", "a", "b"]))
    assert request_of(parse(["pacs", "listen", str(tmp_path), *ARCHIVE])) == plain == Request()
    words = ["--scale", "4", "--strength", "0.3", "--fidelity", "off", "--multi-frame", "--compress", "rle"]
    for command in (["enhance", "a", "b"], ["pacs", "enhance", "--study", "1.2", *ARCHIVE]):
        request = request_of(parse([*command, *words]))
        assert (request.scale, request.strength, request.fidelity_mm) == (4, "0.3", None)
        assert (request.multi_frame, request.compression, request.anonymize) == (True, "rle", False)


@pytest.mark.parametrize("content", ["", "no colon", "Bearer  ", "Bearer a b", "a:b\nc:d"])
def test_credentials_that_are_none_are_refused(tmp_path: Path, capsys, content: str) -> None:
    path = tmp_path / "credentials"
    path.write_text(content)
    where = ["--url", "http://127.0.0.1:1/dicom-web", "--credentials", str(path)]
    assert main(["pacs", "find", "--study", "1.2", *where]) == 1
    said = capsys.readouterr().err
    assert "neither user:password nor Bearer TOKEN" in said
    assert content == "" or content not in said


@pytest.mark.parametrize("door", ["--own-port", "--web-port"])
def test_a_port_that_is_taken_ends_the_service_with_a_sentence(sink, tmp_path: Path, door: str) -> None:
    own, web = free_ports(2)
    ports = {"--own-port": own, "--web-port": web} | {door: sink.port}
    command = [sys.executable, "-m", "ctsgan", "pacs", "listen", tmp_path / "queue", *sink.options()]
    for name, port in ports.items():
        command += [name, port]
    done = subprocess.run(
        [str(word) for word in command], env=python_environment(), capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 1
    assert f"port {sink.port} of 127.0.0.1 cannot be listened at" in done.stderr
    assert "Traceback" not in done.stderr
    assert not listens(own)
