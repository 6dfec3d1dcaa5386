"""An adapter is a value; the model that it changes stays as it was."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch import nn

from voxclone import ModelError
from voxclone.models.adapter import Adapter, adapt


@pytest.fixture
def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(4, 6, 3), nn.Linear(5, 2))


def test_changes_are_added_and_products_of_factors_too(model: nn.Module) -> None:
    up, down, shift = torch.randn(6, 2), torch.randn(2, 12), torch.randn(2)
    adapted = adapt(model, Adapter({"0.weight.up": up, "0.weight.down": down, "1.bias": shift}, "x", "base", "lora"))
    torch.testing.assert_close(adapted[0].weight - model[0].weight, (up @ down).view(6, 4, 3))
    torch.testing.assert_close(adapted[1].bias, model[1].bias + shift)


def test_the_model_stays_as_it_was_and_shares_the_rest(model: nn.Module) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    adapted = adapt(model, Adapter({"1.bias": torch.ones(2)}, "x", "base", "norms"))
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
        assert (adapted.state_dict()[name].data_ptr() == tensor.data_ptr()) == (name != "1.bias")


@pytest.mark.parametrize("name", ["2.bias", "0.bias"])
def test_what_does_not_fit_is_named(model: nn.Module, name: str) -> None:
    with pytest.raises(ModelError, match=rf"changes {name} by \(2,\)"):
        adapt(model, Adapter({name: torch.ones(2)}, "x", "base", "norms"))


@pytest.mark.parametrize(
    "tensors", [{"w.up": torch.ones(3, 2)}, {"w.up": torch.ones(3, 2), "w.down": torch.ones(1, 4)}]
)
def test_factors_come_in_pairs(tensors: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ModelError, match=r"w\.up"):
        Adapter(tensors, "x", "base", "lora").changes()
    with pytest.raises(ModelError, match=r"w\.down"):
        Adapter({"w.down": torch.ones(2, 4)}, "x", "base", "lora").changes()


@pytest.mark.parametrize("tensors", [{}, {"w": torch.tensor([float("nan")])}, {"w": torch.ones(2, dtype=torch.int64)}])
def test_an_adapter_holds_finite_floats(tensors: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ModelError):
        Adapter(tensors, "x", "base", "norms")


def test_the_digest_tells_adapters_apart_and_survives_pickling() -> None:
    one = Adapter({"a": torch.ones(2)}, "x", "base", "norms")
    assert pickle.loads(pickle.dumps(one)).digest == one.digest
    others = [
        Adapter({"b": torch.ones(2)}, "x", "base", "norms"),
        Adapter({"a": torch.ones(2) * 2}, "x", "base", "norms"),
        Adapter({"a": torch.ones(2)}, "y", "base", "norms"),
    ]
    assert len({each.digest for each in (one, *others)}) == 4
