"""What happens in a step: averages, phases, bad batches, the schedule, and what is reported."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip("accelerate")
pytest.importorskip("tensorboard")
pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from voxclone.errors import ConfigError, VoxcloneError
from voxclone.training.checkpoint import export_weights
from voxclone.training.step import TrainerConfig, TrainingStep
from voxclone.training.trainer import Trainer


def train(step: TrainingStep, folder: Path, **settings: Any) -> None:
    """Two batches an epoch, each step logged."""
    x = torch.randn(16, 3, generator=torch.Generator().manual_seed(1))
    y = x.sum(1, keepdim=True)
    config = TrainerConfig(**{"max_steps": 40, "learning_rate": 0.01, "log_every": 1, **settings})
    Trainer(step, [(x[:8], y[:8]), (x[8:], y[8:])], folder, config).fit()


def log_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "log.tsv").open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


class Recorder(TrainingStep):
    """Keeps its weights before each update; `bad` batches have a loss that is not a number."""

    def __init__(self, bad: set[int] = frozenset()) -> None:  # type: ignore[assignment]
        super().__init__()
        torch.manual_seed(0)
        self.net = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Linear(8, 1))
        self.bad = bad
        self.history: list[dict[str, torch.Tensor]] = []

    def forward(self, batch, phase):
        self.history.append({name: value.clone() for name, value in self.state_dict().items()})
        x, y = batch
        total = (self.net(x) - y).square().mean()
        return {"total": total * float("nan") if len(self.history) - 1 in self.bad else total}


def test_learns_a_small_regression(tmp_path) -> None:
    step = Recorder()
    step.net = nn.Sequential(nn.Linear(3, 8), nn.Linear(8, 1))
    train(step, tmp_path, max_steps=200, learning_rate=0.03)
    losses = [float(row["total"]) for row in log_of(tmp_path)]
    assert len(losses) == 200 and np.mean(losses[-2:]) < 1e-3 * np.mean(losses[:2])


def test_the_average_follows_its_definition_and_validates(tmp_path) -> None:
    validated = []

    class Validated(Recorder):
        def validate(self, report, step) -> None:
            assert not self.training and torch.is_inference_mode_enabled()
            validated.append({name: value.clone() for name, value in self.state_dict().items()})

    step = Validated()
    train(step, tmp_path, max_steps=6, ema_decay=0.5)
    assert step.training
    weights = [*step.history, step.state_dict()]
    for name in ("net.0.weight", "net.1.running_var"):
        average = weights[0][name]
        for n in range(1, 7):
            average = average.lerp(weights[n][name], 1 - min(0.5, (1 + n) / (10 + n)))
        assert torch.allclose(average, export_weights(tmp_path)[name], atol=1e-6)
        assert torch.equal(validated[0][name], export_weights(tmp_path)[name])
        assert not torch.equal(step.state_dict()[name], average)


def test_without_an_average_the_weights_themselves_are_exported(tmp_path) -> None:
    step = Recorder()
    train(step, tmp_path, max_steps=3, ema_decay=0.0)
    assert all(torch.equal(value, step.state_dict()[name]) for name, value in export_weights(tmp_path).items())


def test_a_loss_that_is_not_finite_changes_nothing_and_is_counted(tmp_path) -> None:
    step = Recorder(bad={3})
    train(step, tmp_path, max_steps=6, log_every=3)
    for name in ("net.0.weight", "net.1.running_mean", "net.1.num_batches_tracked"):
        assert torch.equal(step.history[3][name], step.history[4][name])
        assert not torch.equal(step.history[4][name], step.history[5][name])
    assert [row["skipped"] for row in log_of(tmp_path)] == ["0", "1"]
    assert all(math.isfinite(float(row["total"])) for row in log_of(tmp_path))


def test_twenty_in_a_row_end_the_run(tmp_path) -> None:
    train(Recorder(bad=set(range(5, 24))), tmp_path / "19", max_steps=26)
    with pytest.raises(VoxcloneError, match="not finite in 20 updates in a row"):
        train(Recorder(bad=set(range(5, 25))), tmp_path / "20")


class Duel(TrainingStep):
    phases = ("discriminator", "generator")

    def __init__(self) -> None:
        super().__init__()
        self.discriminator, self.generator, self.unused = nn.Linear(1, 1), nn.Linear(3, 1), nn.Linear(1, 1)
        self.trained: list[set[str]] = []

    def parameters_of(self, phase):
        return getattr(self, phase).parameters()

    def forward(self, batch, phase):
        self.trained.append({name for name, value in self.named_parameters() if value.requires_grad})
        x, y = batch
        fake = self.generator(x)
        if phase == "generator":
            return {"total": -self.discriminator(fake).mean()}
        real, fake = self.discriminator(y), self.discriminator(fake.detach())
        return {"total": (1 - real).square().mean() + fake.square().mean(), "real": real.mean()}


def test_each_phase_trains_its_own_parameters(tmp_path) -> None:
    step = Duel()
    before = {name: value.clone() for name, value in step.state_dict().items()}
    train(step, tmp_path, max_steps=2)
    assert step.trained == 2 * [
        {"discriminator.weight", "discriminator.bias"},
        {"generator.weight", "generator.bias"},
    ]
    changed = {name for name, value in step.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if not name.startswith("unused")}
    assert {"discriminator/total", "discriminator/real", "generator/total"} <= set(log_of(tmp_path)[0])


def test_reports_figures_audio_and_columns_that_appear_later(tmp_path) -> None:
    class Reporting(Recorder):
        def forward(self, batch, phase):
            losses = super().forward(batch, phase)
            return losses if len(self.history) < 3 else {**losses, "late": losses["total"].detach()}

        def validate(self, report, step) -> None:
            report.scalar("validation/error", 1.0)
            report.figure("mel", Figure())
            report.audio("clip", np.full(2205, 2.0, np.float32), 22050)

    train(Reporting(), tmp_path, max_steps=4, validate_every=2)
    for name in ("plots/mel-2.png", "plots/mel-4.png", "samples/clip-2.wav", "samples/clip-4.wav"):
        assert (tmp_path / name).stat().st_size > 100
    assert [bool(row["late"]) for row in log_of(tmp_path)] == [False, False, True, True]
    assert list((tmp_path / "tensorboard").glob("events.*"))


def test_the_schedule_warms_up_then_falls_by_the_nearer_limit() -> None:
    schedule = TrainerConfig(max_steps=100, max_minutes=10, warmup_steps=10, final_lr_factor=0.1)
    assert schedule.lr_factor(5, 0) == pytest.approx(0.5 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 0.05))))
    assert schedule.lr_factor(50, 0) == pytest.approx(0.55)
    assert schedule.lr_factor(50, 7.5) == pytest.approx(0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * 0.75)))
    assert schedule.lr_factor(100, 0) == pytest.approx(0.1) == schedule.lr_factor(20, 12)


@pytest.mark.parametrize("values", [{}, {"max_steps": 0}, {"max_minutes": -1.0}, {"max_steps": 1, "betas": (0.9,)}])
def test_a_config_that_cannot_work_is_refused(values) -> None:
    with pytest.raises(ConfigError):
        TrainerConfig(**values)


def test_a_phase_may_have_a_rate_of_its_own(tmp_path) -> None:
    def moved(factor: float, folder: Path) -> torch.Tensor:
        step = Recorder()
        step.rate_of = lambda phase: factor  # type: ignore[method-assign]
        train(step, folder, max_steps=1, learning_rate=1e-4, weight_decay=0.0)
        return step.state_dict()["net.0.weight"] - step.history[0]["net.0.weight"]

    torch.testing.assert_close(moved(3.0, tmp_path / "3"), 3 * moved(1.0, tmp_path / "1"), atol=1e-6, rtol=0)
