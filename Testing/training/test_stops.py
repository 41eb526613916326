"""A run may stop at any time and go on as if it had not; several processes train as one."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from ctsgan.networks import UNetDiscriminator

BUNDLE = Path(__file__).resolve().parents[2] / "monai_bundle"
TORCHRUN = ("torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m")
SETTINGS = {"max_epochs": 2, "epoch_length": 15, "patch_size": 8, "val_interval": 100}


def launch(dataset, output, *launcher, configs=("train_psnr.json",), threads=None, **settings):
    """Start training as a user does, in a process of its own; ``None`` gives it as many threads as this one has."""
    arguments = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
    return subprocess.Popen(
        [
            *(sys.executable, "-m", *launcher, "monai.bundle", "run"),
            *("--config_file", str([f"configs/{name}" for name in configs]), "--meta_file", "configs/metadata.json"),
            *("--logging_file", "configs/logging.conf", "--bundle_root", ".", "--dataset_dir", str(dataset)),
            *("--output_dir", str(output), *arguments),
        ],
        cwd=BUNDLE,
        env={**os.environ, "PYTHONPATH": str(BUNDLE), "OMP_NUM_THREADS": str(threads or torch.get_num_threads())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def state(folder, part):
    return torch.load(folder / "checkpoint.pt", weights_only=True)[part]


@pytest.fixture(scope="module")
def whole_run(dataset, train, tmp_path_factory):
    output = tmp_path_factory.mktemp("whole")
    train(dataset, output, **SETTINGS)
    return output


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGKILL], ids=["SIGTERM", "SIGKILL"])
def test_stop_and_resume_gives_the_weights_of_no_stop(whole_run, dataset, train, tmp_path, stop):
    # zero minutes: a checkpoint after every update
    process = launch(dataset, tmp_path, batch_size=2, checkpoint_minutes=0, **SETTINGS)
    try:
        limit = time.monotonic() + 120
        while not (tmp_path / "checkpoint.pt").exists() and time.monotonic() < limit:
            time.sleep(0.02)
        process.send_signal(stop)
        output = process.communicate(timeout=60)[0]
    finally:
        process.kill()
    stopped_at = state(tmp_path, "trainer")["iteration"]
    assert 0 < stopped_at < 30, "stopped too late to show anything"
    if stop == signal.SIGTERM:
        assert process.returncode == 0
        assert f"stopped at update {stopped_at}; the same command goes on from there" in output
    assert train(dataset, tmp_path, **SETTINGS).iteration == 30
    for part in ("network", "averaged"):
        torch.testing.assert_close(state(tmp_path, part), state(whole_run, part), rtol=0, atol=1e-6)


def test_a_run_that_has_ended_is_left_as_it_is(whole_run, dataset, train, tmp_path, capsys):
    shutil.copy(whole_run / "checkpoint.pt", tmp_path)
    assert train(dataset, tmp_path, **SETTINGS).iteration == 30
    assert "this run ended at update 30; --max_epochs above 2 goes on" in capsys.readouterr().out
    assert (tmp_path / "checkpoint.pt").read_bytes() == (whole_run / "checkpoint.pt").read_bytes()
    assert train(dataset, tmp_path, **SETTINGS | {"max_epochs": 3}).iteration == 45


def test_two_processes_train_as_one_with_the_double_batch(dataset, tmp_path):
    settings = {"max_epochs": 3, "epoch_length": 2, "patch_size": 8, "val_interval": 100, "mixed_precision": False}
    losses = {}
    for name, launcher, configs, batch_size in (
        ("one", (), ("train_psnr.json",), 4),
        ("two", TORCHRUN, ("train_psnr.json", "train_distributed.json"), 2),
    ):
        process = launch(
            dataset, tmp_path / name, *launcher, configs=configs, threads=1, batch_size=batch_size, **settings
        )
        try:
            output = process.communicate(timeout=400)[0]
        finally:
            process.kill()
        assert process.returncode == 0, output
        losses[name] = [float(loss) for loss in re.findall(r"update \d+: loss ([\d.]+)", output)]
        assert len(losses[name]) == 3
    assert losses["two"] == pytest.approx(losses["one"], rel=1e-3)
    torch.testing.assert_close(
        state(tmp_path / "two", "averaged"), state(tmp_path / "one", "averaged"), rtol=0, atol=1e-5
    )


def test_two_processes_train_the_second_stage(dataset, tmp_path):
    settings = {
        "max_epochs": 1,
        "epoch_length": 2,
        "patch_size": 8,
        "val_interval": 100,
        "discriminator_def#features": 4,
    }
    configs = ("train_psnr.json", "train_gan.json", "train_distributed.json")
    process = launch(dataset, tmp_path, *TORCHRUN, configs=configs, threads=1, batch_size=1, **settings)
    try:
        output = process.communicate(timeout=400)[0]
    finally:
        process.kill()
    assert process.returncode == 0, output
    assert output.count("losses at update 2") == 1
    assert state(tmp_path, "discriminator").keys() == UNetDiscriminator(4).state_dict().keys()


def test_a_loss_that_is_not_a_number_ends_the_run(dataset, train, tmp_path):
    with pytest.raises(RuntimeError) as caught:
        train(dataset, tmp_path, max_epochs=1, patch_size=8, learning_rate=1e30, warmup_updates=0)
    assert "not a number at update" in str(caught.value.__cause__)
    assert not (tmp_path / "checkpoint.pt").exists()
