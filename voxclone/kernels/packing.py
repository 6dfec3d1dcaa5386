"""Weights in the layout that a fused form reads, made once for each weight and kept as long as it lives."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

Packer = Callable[[Tensor], Tensor]
_Kept = dict[tuple[Packer, torch.dtype], tuple[tuple[int, int], Tensor]]

_packed = WeakTensorKeyDictionary()


def packed(weight: Tensor, dtype: torch.dtype, pack: Packer) -> Tensor:
    """`pack(weight.to(dtype))`, from the last call if the weight has not been written to since.

    A weight that cannot say so (one made in inference mode) or that is made anew at each call (one of a parametrised
    module) is packed every time.
    """
    if weight.is_inference() or not weight.is_leaf:
        return pack(weight.detach().to(dtype))
    kept: _Kept = _packed.setdefault(weight, {})  # type: ignore[no-untyped-call]
    state = (weight._version, weight.data_ptr())
    found = kept.get((pack, dtype))
    if found is None or found[0] != state:
        with torch.inference_mode(False), torch.no_grad():
            found = state, pack(weight.detach().to(dtype))
        kept[pack, dtype] = found
    return found[1]
