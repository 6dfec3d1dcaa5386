"""What fine-tuning changed in an acoustic model, as a value, and a copy of the model with the changes."""

from __future__ import annotations

import copy
import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from voxclone.errors import ModelError

UP, DOWN = ".up", ".down"  # suffixes of low-rank factors (LoRA, arXiv:2106.09685)

AnyModule = TypeVar("AnyModule", bound=nn.Module)


@dataclass(frozen=True, eq=False)
class Adapter:
    """Changes to an acoustic model's parameters and buffers.

    Attributes:
        tensors: Float tensors on the CPU, not to be written to. Under a parameter's name: what is added to it, in its
            shape. Under the name with ".up" (O, R) and ".down" (R, I): factors whose product, in the parameter's shape,
            is added.
        base_id: `acoustic_id` of the acoustic model that it was trained on, the only one that it fits.
        base_name: That model's name, for messages.
        depth: How deep the fine-tuning went: "norms", "lora" or "full".

    Raises:
        ModelError: It holds no tensor, one of another type than float, or one that is not finite.
    """

    tensors: Mapping[str, Tensor]
    base_id: str
    base_name: str
    depth: str

    def __post_init__(self) -> None:
        if not self.tensors:
            raise ModelError("an adapter must change something; this one holds no tensor")
        for name, tensor in self.tensors.items():
            if not tensor.is_floating_point() or not bool(torch.isfinite(tensor).all()):
                raise ModelError(f"the adapter's tensor {name} is not of finite floats")
        object.__setattr__(self, "tensors", MappingProxyType(dict(sorted(self.tensors.items()))))

    def __reduce__(self) -> tuple[Any, ...]:
        return Adapter, (dict(self.tensors), self.base_id, self.base_name, self.depth)

    @cached_property
    def digest(self) -> str:
        """64 hex digits of the SHA-256 over all that it holds."""
        about = [self.base_id, self.base_name, self.depth, [(n, list(t.shape)) for n, t in self.tensors.items()]]
        digest = hashlib.sha256(json.dumps(about).encode())
        for tensor in self.tensors.values():
            digest.update(tensor.float().numpy().tobytes())
        return digest.hexdigest()

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return sum(tensor.numel() for tensor in self.tensors.values())

    @cached_property
    def parts(self) -> frozenset[str]:
        """The parts of the model that it changes, as its attributes are named."""
        return frozenset(name.split(".")[0] for name in self.tensors)

    def changes(self) -> dict[str, Tensor]:
        """Parameter name to what is added to it, float32; a product of factors (O, I) is not yet in its shape.

        Raises:
            ModelError: A factor has no partner that it can be multiplied with.
        """
        changes = {}
        for name, tensor in self.tensors.items():
            if name.endswith(DOWN):
                if name.removesuffix(DOWN) + UP not in self.tensors:
                    raise ModelError(f"the adapter holds {name}, but not its other factor")
            elif name.endswith(UP):
                down = self.tensors.get(name.removesuffix(UP) + DOWN)
                if down is None or tensor.ndim != 2 or down.ndim != 2 or tensor.shape[1] != down.shape[0]:
                    raise ModelError(f"the adapter holds {name}, but no other factor that fits it")
                changes[name.removesuffix(UP)] = tensor.float() @ down.float()
            else:
                changes[name] = tensor.float()
        return changes


def adapt(model: AnyModule, adapter: Adapter) -> AnyModule:
    """A copy of the model with the adapter's changes; all other tensors are shared, and `model` stays as it is.

    Raises:
        ModelError: The adapter changes a parameter that the model does not have, or has in another size.
    """
    parameters = dict(itertools.chain(model.named_parameters(), model.named_buffers()))
    changed = {}
    for name, change in adapter.changes().items():
        if name not in parameters or parameters[name].numel() != change.numel():
            found = tuple(parameters[name].shape) if name in parameters else "no such parameter"
            raise ModelError(f"the adapter changes {name} by {tuple(change.shape)}; the model has {found}")
        own = parameters[name].detach()
        changed[name] = own + change.to(own).view(own.shape)
    shared: dict[int, object] = {id(each): each for each in itertools.chain(model.parameters(), model.buffers())}
    adapted = copy.deepcopy(model, shared)
    for name, value in changed.items():
        owner, _, leaf = name.rpartition(".")
        is_parameter = isinstance(parameters[name], nn.Parameter)
        changed_to = nn.Parameter(value, requires_grad=False) if is_parameter else value
        setattr(adapted.get_submodule(owner), leaf, changed_to)
    return adapted
