"""An update that is replayed from a graph does what the same update does launch by launch."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

pytest.importorskip("accelerate")
pytest.importorskip("tensorboard")

from voxclone.errors import VoxcloneError
from voxclone.training.step import TrainerConfig, TrainingStep
from voxclone.training.trainer import Trainer

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")


class Duel(TrainingStep):
    """Two phases over one batch; a batch whose x is not finite has no finite loss."""

    phases = ("left", "right")

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.left, self.right = (nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 1)) for _ in range(2))

    def parameters_of(self, phase: str):
        return getattr(self, phase).parameters()

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        both = self.left(batch["x"]) + self.right(batch["x"])
        return {"total": (both - batch["y"]).square().mean()}


def trained(folder: Path, graph: bool, steps: int = 40, bad: bool = False) -> Duel:
    draw = torch.Generator().manual_seed(1)
    batches = [{"x": torch.randn(16, 8, generator=draw), "y": torch.randn(16, 1, generator=draw)} for _ in range(8)]
    if bad:
        batches[6]["x"][0, 0] = float("nan")
    config = TrainerConfig(
        max_steps=steps, learning_rate=1e-2, warmup_steps=10, final_lr_factor=1.0, log_every=20, cuda_graph=graph
    )
    step = Duel()
    Trainer(step, batches, folder, config).fit()
    return step


@pytest.mark.parametrize("bad", [False, True])
def test_a_graph_trains_as_single_launches_do(tmp_path, bad) -> None:
    plain, graphed = (trained(tmp_path / str(graph), graph, bad=bad) for graph in (False, True))
    for (name, a), b in zip(plain.state_dict().items(), graphed.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4, msg=name)
    rows = list(csv.DictReader((tmp_path / "True" / "log.tsv").open(), delimiter="\t"))
    assert sum(float(row["skipped"]) for row in rows) == (5 if bad else 0)


def test_a_graphed_run_goes_on(tmp_path) -> None:
    trained(tmp_path / "a", True, steps=20)
    resumed, whole = trained(tmp_path / "a", True), trained(tmp_path / "b", True)
    for a, b in zip(resumed.state_dict().values(), whole.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-2, atol=1e-2)


def test_what_is_never_finite_ends_the_run(tmp_path) -> None:
    broken = {"x": torch.full((16, 8), float("nan")), "y": torch.zeros(16, 1)}
    config = TrainerConfig(max_steps=100, cuda_graph=True)
    with pytest.raises(VoxcloneError, match="was not finite in 20 updates in a row"):
        Trainer(Duel(), [broken], tmp_path, config).fit()
