"""Weights in the layout that a fused form reads, made once for each weight and kept as long as it lives."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

_Kept = dict[Hashable, tuple[list[tuple[int, int]], Tensor]]

_packed = WeakTensorKeyDictionary()


def packed(weight: Tensor, dtype: torch.dtype, pack: Callable[[Tensor], Tensor], key: Hashable = None) -> Tensor:
    """`pack(weight.to(dtype))`, from the last call if the weight has not been written to since.

    A weight that cannot say so (one made in inference mode) or that is made anew at each call (one of a parametrised
    module) is packed every time.

    Args:
        weight: Any.
        dtype: Of the result.
        pack: What to do to it; a function of a module, which stands for itself.
        key: Tells apart what is packed from one weight, where `pack` does not; it then stands for `pack`.
    """
    return packed_together([weight], dtype, lambda weights: pack(weights[0]), pack if key is None else key)


def packed_together(
    weights: Sequence[Tensor], dtype: torch.dtype, pack: Callable[[Sequence[Tensor]], Tensor], key: Hashable
) -> Tensor:
    """As `packed`, of several weights; kept as long as the first of them lives."""
    if any(weight.is_inference() or not weight.is_leaf for weight in weights):
        return pack([weight.detach().to(dtype) for weight in weights])
    kept: _Kept = _packed.setdefault(weights[0], {})  # type: ignore[no-untyped-call]
    state = [(weight._version, weight.data_ptr()) for weight in weights]
    found = kept.get((key, dtype))
    if found is None or found[0] != state:
        with torch.inference_mode(False), torch.no_grad():
            found = state, pack([weight.detach().to(dtype) for weight in weights])
        kept[key, dtype] = found
    return found[1]
