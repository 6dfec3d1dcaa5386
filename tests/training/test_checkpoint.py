"""Checkpoints are whole or absent, and a damaged one is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from voxclone.errors import VoxcloneError
from voxclone.training import checkpoint as checkpoints
from voxclone.training.checkpoint import Checkpoint, export_weights, load_checkpoint, save_checkpoint


def checkpoint_of(step: int, *, averaged: bool = True) -> Checkpoint:
    weight = torch.full((4,), float(step))
    networks = {"weight": weight, "count": torch.tensor(step)}
    ema = {"weight": weight + 0.5} if averaged else {}
    optimizers = {"model": {"state": {0: {"exp_avg": weight}}, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.99)}]}}
    return Checkpoint(step, step / 10, 1, 2, networks, ema, optimizers)


def damage(path: Path, how: str) -> None:
    content = bytearray(path.read_bytes())
    if how == "truncated":
        del content[len(content) // 2 :]
    elif how == "empty":
        content.clear()
    else:
        content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_reads_back_what_was_saved(tmp_path) -> None:
    save_checkpoint(tmp_path, checkpoint_of(7))
    loaded = load_checkpoint(tmp_path)
    assert loaded is not None
    assert (loaded.step, loaded.minutes, loaded.epoch, loaded.batches_done) == (7, 0.7, 1, 2)
    assert torch.equal(loaded.networks["weight"], torch.full((4,), 7.0))
    assert loaded.optimizers["model"]["param_groups"] == [{"lr": 0.1, "betas": (0.9, 0.99)}]


def test_a_folder_without_checkpoints_has_none(tmp_path) -> None:
    assert load_checkpoint(tmp_path) is None
    with pytest.raises(VoxcloneError, match="holds no checkpoint"):
        export_weights(tmp_path)


def test_keeps_the_newest_two(tmp_path) -> None:
    paths = [save_checkpoint(tmp_path, checkpoint_of(step)) for step in (9, 10, 100)]
    assert sorted(tmp_path.iterdir()) == sorted(paths[1:])


@pytest.mark.parametrize("how", ["truncated", "empty", "one bit"])
def test_falls_back_from_a_damaged_one(tmp_path, how) -> None:
    save_checkpoint(tmp_path, checkpoint_of(1))
    newest = save_checkpoint(tmp_path, checkpoint_of(2))
    damage(newest, how)
    with pytest.warns(RuntimeWarning, match=newest.name):
        loaded = load_checkpoint(tmp_path)
    assert loaded is not None and loaded.step == 1


def test_a_damaged_later_one_does_not_crowd_out_good_ones(tmp_path) -> None:
    good = save_checkpoint(tmp_path, checkpoint_of(1))
    damage(save_checkpoint(tmp_path, checkpoint_of(20)), "one bit")
    again = save_checkpoint(tmp_path, checkpoint_of(10))
    assert sorted(tmp_path.iterdir()) == sorted([good, again])


def test_all_damaged_is_an_error_and_not_a_fresh_start(tmp_path) -> None:
    for step in (1, 2):
        damage(save_checkpoint(tmp_path, checkpoint_of(step)), "truncated")
    with pytest.raises(VoxcloneError, match=r"every checkpoint .*delete that folder and run again"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("call", ["save", "fsync", "replace"])
def test_a_save_that_fails_leaves_the_older_one(tmp_path, monkeypatch, call) -> None:
    save_checkpoint(tmp_path, checkpoint_of(1))

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(torch if call == "save" else checkpoints.os, call, fail)
    with pytest.raises(OSError, match="no space"):
        save_checkpoint(tmp_path, checkpoint_of(2))
    monkeypatch.undo()
    loaded = load_checkpoint(tmp_path)
    assert loaded is not None and loaded.step == 1
    assert load_checkpoint(save_checkpoint(tmp_path, checkpoint_of(3)).parent).step == 3
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(("averaged", "expected"), [(True, 3.5), (False, 3.0)])
def test_exports_averaged_weights_where_there_are_any(tmp_path, averaged, expected) -> None:
    save_checkpoint(tmp_path, checkpoint_of(3, averaged=averaged))
    weights = export_weights(tmp_path)
    assert weights["weight"].tolist() == [expected] * 4 and weights["count"].item() == 3
