"""PyTorch's convolutions over time, computed by the kernels' doors: same parameters, same names, same results."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from voxclone.kernels.conv1d import conv1d
from voxclone.kernels.conv_transpose1d import conv_transpose1d


class Conv1d(nn.Conv1d):
    """`nn.Conv1d` of stride 1, with the leaky ReLU before it and the tanh after it in one op."""

    def forward(self, x: Tensor, slope: float = 1.0, tanh: bool = False, dtype: torch.dtype | None = None) -> Tensor:
        """(B, C, T) to (B, C', T'), of leaky_relu(x, slope); computed in `dtype`, if given."""
        assert isinstance(self.padding, tuple)
        return conv1d(
            x,
            self.weight,
            self.bias,
            padding=self.padding[0],
            dilation=self.dilation[0],
            slope=slope,
            tanh=tanh,
            dtype=dtype,
            groups=self.groups,
        )


class ConvTranspose1d(nn.ConvTranspose1d):
    """`nn.ConvTranspose1d` of one group, with the leaky ReLU before it in one op."""

    def forward(self, x: Tensor, slope: float = 1.0) -> Tensor:  # type: ignore[override]  # no output_size here
        """(B, C, T) to (B, C', T'), of leaky_relu(x, slope)."""
        assert isinstance(self.padding, tuple)
        return conv_transpose1d(x, self.weight, self.bias, stride=self.stride[0], padding=self.padding[0], slope=slope)
