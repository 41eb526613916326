"""The program as a process: start-up, progress, cancelling."""

import os
import re
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

CTSGAN = [sys.executable, "-m", "ctsgan"]


@pytest.fixture
def environment():
    folder = os.path.join(os.path.dirname(__file__), "..", "..", "monai_bundle")
    return {**os.environ, "PYTHONPATH": os.path.abspath(folder), "OMP_NUM_THREADS": "2"}


def test_help_does_not_load_pytorch(environment):
    code = (
        "import sys, ctsgan.cli as cli; cli.build_parser().format_help(); "
        "print({'torch', 'monai', 'numpy'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


def test_help_names_every_option(environment):
    result = subprocess.run([*CTSGAN, "enhance", "--help"], env=environment, capture_output=True, text=True, check=True)
    for option in ("--scale", "--spacing", "--model", "--strength", "--fidelity", "--roi", "--tile", "--batch"):
        assert option in result.stdout
    for option in ("--device", "--dtype", "--threads", "--progress", "--overwrite", "--recursive"):
        assert option in result.stdout


def test_enhancing_does_not_load_monai(environment, small_file, tmp_path):
    code = (
        "import sys; from ctsgan.cli import main; "
        f"main(['enhance', {str(small_file)!r}, {str(tmp_path / 'out.nii')!r}]); print('monai' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert result.stdout.endswith("False\n")


def test_slicer_reads_its_progress_lines(environment, small_file, tmp_path):
    command = [*CTSGAN, "enhance", str(small_file), str(tmp_path / "out.nrrd"), "--progress", "slicer"]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    # standard input stays open, as Slicer's module process holds it
    assert process.wait(timeout=120) == 0
    output = process.stdout.read()
    process.stdin.close()
    fractions = [float(value) for value in re.findall(r"<filter-progress>([\d.]+)</filter-progress>", output)]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert len(fractions) == 3
    assert "<filter-start>" in output
    assert "<filter-end>" in output


def test_a_pipe_sees_no_bar(environment, small_file, tmp_path):
    command = [*CTSGAN, "enhance", str(small_file), str(tmp_path / "out.nrrd")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    assert result.stdout.count("\n") == 1


@pytest.mark.parametrize(("way", "status"), [("ctrl-c", 130), ("closed stdin", 130), ("SIGTERM", 143)])
def test_cancelling_is_answered_at_once_and_leaves_nothing(environment, clinical_series, tmp_path, way, status):
    output = tmp_path / "out"
    output.mkdir()
    command = [
        *CTSGAN,
        "enhance",
        str(clinical_series),
        str(output / "x.nii.gz"),
        "--scale",
        "4",
        "--progress",
        "slicer",
    ]
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    # a shell lets its background jobs ignore Ctrl-C, and the tests may be one
    restore = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(command, env=environment, text=True, preexec_fn=restore, **pipes)
    for line in process.stdout:
        if line.startswith("<filter-progress>"):
            break
    assert any("partial" in path.name for path in output.iterdir())
    started = time.monotonic()
    if way == "closed stdin":
        process.stdin.close()
    else:
        process.send_signal(signal.SIGINT if way == "ctrl-c" else signal.SIGTERM)
    assert process.wait(timeout=30) == status
    assert time.monotonic() - started < 0.5
    assert list(output.iterdir()) == []
    assert "cancelled" in process.stderr.read()
