"""The loop goes on after any stop as if there had been none."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

pytest.importorskip("accelerate")
pytest.importorskip("tensorboard")

from voxclone.errors import VoxcloneError
from voxclone.training.checkpoint import export_weights
from voxclone.training.step import TrainerConfig, TrainingStep
from voxclone.training.trainer import Trainer, begin_training

REPOSITORY = Path(__file__).parents[2]


class TinyRegression(TrainingStep):
    """Linear regression by a network with dropout and batch normalisation."""

    def __init__(self, *, pause_seconds: float = 0.0, interrupt_at: int = -1) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 1))
        self.pause_seconds = pause_seconds
        self.interrupt_at = interrupt_at
        self.batches = 0

    def forward(self, batch: Any, phase: str) -> dict[str, Tensor]:
        if self.batches == self.interrupt_at:
            raise KeyboardInterrupt
        self.batches += 1
        time.sleep(self.pause_seconds)
        x, y = batch
        return {"total": (self.net(x) - y).square().mean()}


def shuffled_batches() -> DataLoader[Any]:
    """6 batches of 8, in another order each epoch."""
    x = torch.randn(48, 3, generator=torch.Generator().manual_seed(1))
    return DataLoader(TensorDataset(x, x @ torch.tensor([[1.0], [-2.0], [0.5]])), batch_size=8, shuffle=True)


def config(**changes: Any) -> TrainerConfig:
    """40 steps, each logged and saved."""
    settings = {"max_steps": 40, "learning_rate": 0.01, "log_every": 1, "checkpoint_every_seconds": 0.0}
    return TrainerConfig(**{**settings, **changes})


def trainer_of(folder: Path, step: TrainingStep, **changes: Any) -> Trainer:
    return Trainer(step, shuffled_batches(), folder, config(**changes))


def log_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory) -> Path:
    """The folder of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    trainer_of(folder, TinyRegression()).fit()
    return folder


def assert_same_run(folder: Path, whole: Path) -> None:
    assert [(row["step"], row["learning_rate"], row["total"]) for row in log_of(folder)] == [
        (row["step"], row["learning_rate"], row["total"]) for row in log_of(whole)
    ]
    expected = export_weights(whole)
    for name, weight in export_weights(folder).items():
        assert torch.equal(weight, expected[name]), name


@pytest.mark.parametrize("interrupt_at", [3, 12, 17])  # within an epoch of 6, at the end of one, at its last batch
def test_resumed_equals_uninterrupted(tmp_path, whole_run, interrupt_at) -> None:
    with pytest.raises(KeyboardInterrupt):
        trainer_of(tmp_path, TinyRegression(interrupt_at=interrupt_at)).fit()
    assert len(log_of(tmp_path)) == interrupt_at
    trainer_of(tmp_path, TinyRegression()).fit()
    assert_same_run(tmp_path, whole_run)


def test_steps_after_the_last_checkpoint_are_done_again(tmp_path, whole_run) -> None:
    with pytest.raises(KeyboardInterrupt):
        trainer_of(tmp_path, TinyRegression(interrupt_at=9), checkpoint_every_seconds=1e9).fit()
    assert len(log_of(tmp_path)) == 9
    trainer_of(tmp_path, TinyRegression()).fit()
    assert_same_run(tmp_path, whole_run)


def slow_process(folder: Path, until_step: int) -> subprocess.Popen[bytes]:
    """A training process that has just saved step `until_step` or a later one."""
    command = [sys.executable, __file__, str(folder)]
    threads = str(torch.get_num_threads())  # what rounds like this process
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": threads})
    deadline = time.monotonic() + 300  # a busy machine may take minutes to import torch
    while not any(int(path.name.split("-")[1]) >= until_step for path in folder.glob("checkpoint-*.pt")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.005)
    return process


def test_survives_kill_9(tmp_path, whole_run) -> None:
    process = slow_process(tmp_path, until_step=8)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert not list(tmp_path.glob("checkpoint-00000040-*"))
    trainer_of(tmp_path, TinyRegression()).fit()
    assert_same_run(tmp_path, whole_run)


def test_sigterm_saves_and_stops_cleanly(tmp_path, whole_run) -> None:
    step = TinyRegression()
    step.register_forward_pre_hook(lambda *_: signal.raise_signal(signal.SIGTERM) if step.batches == 4 else None)
    previous = signal.getsignal(signal.SIGTERM)
    trainer = trainer_of(tmp_path, step, checkpoint_every_seconds=1e9)
    assert not trainer.fit()
    assert trainer.step == 5 and signal.getsignal(signal.SIGTERM) == previous
    assert trainer_of(tmp_path, TinyRegression()).fit()
    assert_same_run(tmp_path, whole_run)


def test_a_finished_run_is_left_alone(whole_run) -> None:
    before = {path: path.stat().st_mtime_ns for path in whole_run.glob("*.pt")}
    assert trainer_of(whole_run, TinyRegression(interrupt_at=0)).fit()
    assert {path: path.stat().st_mtime_ns for path in whole_run.glob("*.pt")} == before


def test_refuses_a_checkpoint_of_other_networks(whole_run) -> None:
    class Other(TinyRegression):
        def __init__(self) -> None:
            super().__init__()
            self.more = nn.Linear(1, 1)

    with pytest.raises(VoxcloneError, match=r"other networks(.|\n)*more\.weight"):
        trainer_of(whole_run, Other(), max_steps=50).fit()


def test_minutes_end_a_run_and_are_carried_over(tmp_path) -> None:
    limits = {"max_steps": None, "max_minutes": 0.5 / 60}
    with pytest.raises(KeyboardInterrupt):
        trainer_of(tmp_path, TinyRegression(pause_seconds=0.1, interrupt_at=3), **limits).fit()
    trainer = trainer_of(tmp_path, TinyRegression(pause_seconds=0.1), **limits)
    trainer.fit()
    assert 4 <= trainer.step <= 5 and trainer.minutes >= 0.5 / 60


def test_minutes_are_those_of_the_clock(tmp_path) -> None:
    ticks = iter(range(10**6))
    limits = config(max_steps=None, max_minutes=0.2)
    trainer = Trainer(TinyRegression(), shuffled_batches(), tmp_path, limits, clock=lambda: float(next(ticks)))
    trainer.fit()
    assert trainer.step == 12 and trainer.minutes == 0.2


def test_networks_begin_with_the_weights_of_the_seed() -> None:
    weights = []
    for seed in (0, 0, 1):
        begin_training(torch.get_num_threads(), seed)
        weights.append(nn.Linear(3, 3).weight)
    assert torch.equal(weights[0], weights[1]) and not torch.equal(weights[0], weights[2])


def test_an_empty_loader_and_an_untrainable_phase_are_errors(tmp_path) -> None:
    with pytest.raises(VoxcloneError, match="gave no batch"):
        Trainer(TinyRegression(), [], tmp_path, config()).fit()
    with pytest.raises(VoxcloneError, match="'model' of TinyRegression has no parameter"):
        trainer_of(tmp_path, TinyRegression().requires_grad_(False))


if __name__ == "__main__":  # the process that test_survives_kill_9 kills
    trainer_of(Path(sys.argv[1]), TinyRegression(pause_seconds=0.05)).fit()
