"""Trunks of the speaker encoder: from the mel's frames to features that are pooled over time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from voxclone.config import RES2_SCALE, SpeakerEncoderConfig


class TDNNTrunk(nn.Module):
    """ECAPA-TDNN made cheap (after arXiv:2005.07143).

    Against the paper: the entry lowers the frame rate, and each block's dilated convolution is depthwise instead of
    Res2Net's chain, which together cost a fraction on a CPU.
    """

    def __init__(self, config: SpeakerEncoderConfig) -> None:
        super().__init__()
        channels = config.channels
        self.stride, self.width = config.entry_stride, config.pooled_channels
        self.entry = nn.Conv1d(config.n_mels, channels, 7, stride=config.entry_stride, padding=3)
        self.entry_norm = nn.BatchNorm1d(channels)
        self.blocks = nn.ModuleList(self.block(config, dilation) for dilation in config.dilations)
        self.aggregate = nn.Conv1d(channels * len(config.dilations), config.pooled_channels, 1)

    def block(self, config: SpeakerEncoderConfig, dilation: int) -> nn.Module:
        """One of the trunk's blocks."""
        return TDNNBlock(config.channels, config.kernel_size, dilation)

    def forward(self, mel: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, n_mels, T) and mask (B, 1, T) to (B, width, T / stride) and its mask."""
        mask = mask[:, :, :: self.stride]
        x = self.entry_norm(functional.relu(self.entry(mel))) * mask
        outputs = []
        for block in self.blocks:
            x = block(x, mask)
            outputs.append(x)
        return functional.relu(self.aggregate(torch.cat(outputs, 1))), mask


class ECAPATrunk(TDNNTrunk):
    """ECAPA-TDNN (arXiv:2005.07143, section 3), with the entry's stride as the only change."""

    def block(self, config: SpeakerEncoderConfig, dilation: int) -> nn.Module:
        """Res2Net block with squeeze-excitation."""
        return Res2Block(config.channels, config.kernel_size, dilation)


class ResNetTrunk(nn.Module):
    """ResNet-34 over time and frequency, thin (the H/ASP trunk of arXiv:2009.14153)."""

    def __init__(self, config: SpeakerEncoderConfig) -> None:
        super().__init__()
        channels, self.stride = config.channels, config.entry_stride
        self.entry = nn.Conv2d(1, channels, 7, stride=(2, config.entry_stride), padding=3, bias=False)
        self.entry_norm = nn.BatchNorm2d(channels)
        stages: list[nn.Module] = []
        before = channels
        for stage, count in enumerate(config.stage_blocks):
            for index in range(count):
                after = channels * 2**stage
                stages.append(ResNetBlock(before, after, 2 if stage and not index else 1))
                before = after
        self.blocks = nn.ModuleList(stages)
        height = -(-config.n_mels // 2)
        for _ in config.stage_blocks[1:]:
            height = -(-height // 2)
        self.aggregate = nn.Conv1d(before * height, config.pooled_channels, 1)

    def forward(self, mel: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(B, n_mels, T) and mask (B, 1, T) to (B, width, T') and its mask; each stage but the first halves T."""
        mask = mask[:, :, :: self.stride]
        x = functional.relu(self.entry_norm(self.entry(mel[:, None]))) * mask[:, None]
        x = x.contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            mask = mask[:, :, :: block.stride]
            x = block(x, mask)
        return functional.relu(self.aggregate(x.flatten(1, 2))) * mask, mask


class TDNNBlock(nn.Module):
    """Pointwise, dilated depthwise, pointwise convolution, squeeze-excitation, residual."""

    def __init__(self, channels: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        padding = dilation * (kernel_size - 1) // 2
        self.expand = nn.Conv1d(channels, channels, 1)
        self.expand_norm = nn.BatchNorm1d(channels)
        self.context = nn.Conv1d(channels, channels, kernel_size, padding=padding, dilation=dilation, groups=channels)
        self.context_norm = nn.BatchNorm1d(channels)
        self.mix = nn.Conv1d(channels, channels, 1)
        self.mix_norm = nn.BatchNorm1d(channels)
        self.gate = SqueezeExcitation(channels)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T) and mask (B, 1, T) to (B, C, T)."""
        y = self.expand_norm(functional.relu(self.expand(x))) * mask
        y = self.context_norm(functional.relu(self.context(y)))
        y = self.mix_norm(functional.relu(self.mix(y)))
        gated: Tensor = (x + self.gate(y, mask)) * mask
        return gated


class Res2Block(nn.Module):
    """The dilated convolution as a chain over groups of channels (Res2Net), squeeze-excitation, residual."""

    def __init__(self, channels: int, kernel_size: int, dilation: int) -> None:
        super().__init__()
        width, padding = channels // RES2_SCALE, dilation * (kernel_size - 1) // 2
        self.expand = nn.Conv1d(channels, channels, 1)
        self.expand_norm = nn.BatchNorm1d(channels)
        self.chain = nn.ModuleList(
            nn.Conv1d(width, width, kernel_size, padding=padding, dilation=dilation) for _ in range(RES2_SCALE - 1)
        )
        self.chain_norms = nn.ModuleList(nn.BatchNorm1d(width) for _ in range(RES2_SCALE - 1))
        self.mix = nn.Conv1d(channels, channels, 1)
        self.mix_norm = nn.BatchNorm1d(channels)
        self.gate = SqueezeExcitation(channels)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T) and mask (B, 1, T) to (B, C, T)."""
        first, *groups = (self.expand_norm(functional.relu(self.expand(x))) * mask).chunk(RES2_SCALE, 1)
        outputs, y = [first], torch.zeros_like(first)
        for group, convolution, norm in zip(groups, self.chain, self.chain_norms, strict=True):
            y = norm(functional.relu(convolution(group + y))) * mask
            outputs.append(y)
        y = self.mix_norm(functional.relu(self.mix(torch.cat(outputs, 1))))
        gated: Tensor = (x + self.gate(y, mask)) * mask
        return gated


class ResNetBlock(nn.Module):
    """Two 3 by 3 convolutions, squeeze-excitation, residual."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.first = nn.Conv2d(before, after, 3, stride=stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(after)
        self.second = nn.Conv2d(after, after, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(after)
        self.gate = SqueezeExcitation(after)
        self.shortcut = None
        if stride > 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride=stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, C, H, T) and mask (B, 1, T') to (B, C', H', T')."""
        y = functional.relu(self.first_norm(self.first(x))) * mask[:, None]
        y = self.gate(self.second_norm(self.second(y)), mask[:, None])
        x = x if self.shortcut is None else self.shortcut(x)
        return functional.relu(x + y) * mask[:, None]


class SqueezeExcitation(nn.Module):
    """Channels times gates that see the mean over the real frames (arXiv:1709.01507)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(channels, channels // 4)
        self.excite = nn.Linear(channels // 4, channels)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, C, …, T) and mask (B, 1, …, T) to the same."""
        mean = (x * mask).flatten(2).sum(2) / (mask.flatten(1).sum(1, keepdim=True) * (x[0, 0, ..., 0].numel()))
        gate = torch.sigmoid(self.excite(functional.relu(self.squeeze(mean))))
        gated: Tensor = x * gate.view(gate.shape + (1,) * (x.dim() - 2))
        return gated


TRUNKS = {"tdnn": TDNNTrunk, "ecapa": ECAPATrunk, "resnet": ResNetTrunk}
