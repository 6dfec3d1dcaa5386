"""HiFi-GAN's residual blocks and their fusion (arXiv:2010.05646, section 2.2), with optional weight norm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, TypeVar, cast

from torch import Tensor, nn
from torch.nn.utils import parametrizations, parametrize

from voxclone.config import VocoderConfig
from voxclone.kernels.multi_receptive_field import ResidualBlock, multi_receptive_field

LEAKY_SLOPE = 0.1

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def with_weight_norm(module: AnyModule, enabled: bool) -> AnyModule:
    """The same convolution, its weight split into magnitude and direction (arXiv:1602.07868) if `enabled`."""
    if enabled:
        parametrizations.weight_norm(module)
    return module


def fold_weight_norm(module: nn.Module) -> None:
    """Replace every weight-normed weight inside `module`, in place, by the plain weight that it stands for.

    The outputs stay the same; the state dict then has the names of a module built with `weight_norm=False`. Modules
    without weight norm are left as they are.
    """
    for part in list(module.modules()):
        if parametrize.is_parametrized(part, "weight"):
            weight = nn.Parameter(cast(Tensor, part.weight).detach().clone())
            parametrize.remove_parametrizations(part, "weight", leave_parametrized=True)
            part.weight = weight  # also where removal, run without gradients, left a buffer


def _convolution(channels: int, kernel_size: int, dilation: int, weight_norm: bool) -> nn.Conv1d:
    padding = dilation * (kernel_size - 1) // 2
    return with_weight_norm(nn.Conv1d(channels, channels, kernel_size, dilation=dilation, padding=padding), weight_norm)


class ResBlock1(nn.Module):
    """Residual pairs of a dilated and an undilated convolution, a leaky ReLU before each (V1 and V2).

    Args:
        channels: C of the input and output (B, C, T).
        kernel_size: Odd, so that the length is kept.
        dilations: One pair of convolutions for each.
        weight_norm: Build in training form; see `fold_weight_norm`.
    """

    per_residual: ClassVar[int] = 2

    def __init__(self, channels: int, kernel_size: int, dilations: Sequence[int], weight_norm: bool = False) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(_convolution(channels, kernel_size, d, weight_norm) for d in dilations)
        self.convs2 = nn.ModuleList(_convolution(channels, kernel_size, 1, weight_norm) for _ in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T)."""
        return _mean_of_blocks(x, [self])

    def convolutions(self) -> Iterable[nn.Module]:
        """In the order in which they are applied."""
        return (each for pair in zip(self.convs1, self.convs2, strict=True) for each in pair)


class ResBlock2(nn.Module):
    """Residual dilated convolutions, a leaky ReLU before each (V3). Arguments as for `ResBlock1`."""

    per_residual: ClassVar[int] = 1

    def __init__(self, channels: int, kernel_size: int, dilations: Sequence[int], weight_norm: bool = False) -> None:
        super().__init__()
        self.convs = nn.ModuleList(_convolution(channels, kernel_size, d, weight_norm) for d in dilations)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T)."""
        return _mean_of_blocks(x, [self])

    def convolutions(self) -> Iterable[nn.Module]:
        """In the order in which they are applied."""
        return self.convs


class MultiReceptiveField(nn.Module):
    """Multi-receptive field fusion: the mean of residual blocks of several kernel sizes and dilations (section 2.2).

    Args:
        channels: C of the input and output (B, C, T).
        config: Its `resblock`, `resblock_kernel_sizes` and `resblock_dilation_sizes` say which blocks.
        weight_norm: Build in training form; see `fold_weight_norm`.
    """

    def __init__(self, channels: int, config: VocoderConfig, weight_norm: bool = False) -> None:
        super().__init__()
        block = ResBlock1 if config.resblock == "1" else ResBlock2
        shapes = zip(config.resblock_kernel_sizes, config.resblock_dilation_sizes, strict=True)
        self.resblocks = nn.ModuleList(block(channels, kernel, dilations, weight_norm) for kernel, dilations in shapes)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, T) to (B, C, T)."""
        return _mean_of_blocks(x, cast("list[ResBlock1 | ResBlock2]", list(self.resblocks)))


def _mean_of_blocks(x: Tensor, blocks: Sequence[ResBlock1 | ResBlock2]) -> Tensor:
    read = []
    for block in blocks:
        convolutions = cast("list[nn.Conv1d]", list(block.convolutions()))
        weights, biases = [each.weight for each in convolutions], [cast(Tensor, each.bias) for each in convolutions]
        read.append(ResidualBlock(weights, biases, [each.dilation[0] for each in convolutions]))
    return multi_receptive_field(x, read, per_residual=blocks[0].per_residual, slope=LEAKY_SLOPE)
