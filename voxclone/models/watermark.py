"""The watermark detector: which frames of a waveform carry the mark that lies in a vocoder's weights.

The other half of collaborative watermarking (arXiv:2309.15224, section 2): vocoder and detector are trained together
through a channel of distortions. The detector reads magnitudes alone, so that polarity and constant phase shifts change
nothing: of a window long enough to resolve harmonics, and of one short enough to see inside a pitch period.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxclone.config import WatermarkConfig

POWER_FLOOR = 1e-10  # of a full-scale waveform; what lies below is silence


class WatermarkDetector(nn.Module):
    """Evidence for the mark, frame by frame.

    Args:
        config: Sizes, and the thresholds that calibration found.
    """

    def __init__(self, config: WatermarkConfig) -> None:
        super().__init__()
        self.config = config
        self.features = FineSpectra(config)
        self.entry = nn.Conv1d(self.features.width, config.channels, 3, stride=config.entry_stride, padding=1)
        self.blocks = nn.ModuleList([_Block(config.channels, dilation) for dilation in config.dilations])
        self.norm = nn.LayerNorm(config.channels)
        self.head = nn.Linear(config.channels, 2)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Judge each frame with what lies `context` samples around it.

        Args:
            waveform: (B, S) at config.sample_rate, S at least one frame; its level does not matter.

        Returns:
            Evidence (B, S // frame_length), log odds that the frame carries the mark, and the frame's weight in
            `pool`, of the same shape, in (0, 1).
        """
        x = self.entry(self.features(waveform))
        for block in self.blocks:
            x = block(x)
        evidence, weight = self.head(self.norm(x.transpose(1, 2))).float().unbind(2)
        frames = waveform.shape[1] // self.config.frame_length
        return evidence[:, :frames], torch.sigmoid(weight)[:, :frames]


def pool(evidence: Tensor, weight: Tensor) -> Tensor:
    """Mean evidence by weight over the last axis: one score for a stretch of frames."""
    return (evidence * weight).sum(-1) / weight.sum(-1).clamp(min=1e-6)


class FineSpectra(nn.Module):
    """Log magnitudes of two short-time spectra, less what level and equalisation put there."""

    long_window: Tensor
    short_window: Tensor

    def __init__(self, config: WatermarkConfig) -> None:
        super().__init__()
        self.hop, self.short_hop = config.hop_length, config.short_hop_length
        self.smooth_bins = config.smooth_bins
        self.register_buffer("long_window", _unit_window(config.n_fft), persistent=False)
        self.register_buffer("short_window", _unit_window(config.short_n_fft), persistent=False)
        self.width = config.n_fft // 2 + 1 + (config.short_n_fft // 2 + 1) * (self.hop // self.short_hop)

    def forward(self, waveform: Tensor) -> Tensor:
        """(B, S) to (B, width, S // hop_length); the short spectra within a hop are stacked."""
        with torch.autocast(waveform.device.type, enabled=False):
            waveform = waveform.float()
            long = self._log_magnitudes(waveform, self.long_window, self.hop)
            long = long - _smoothed(long, self.smooth_bins)
            short = self._log_magnitudes(waveform, self.short_window, self.short_hop)
            batch, bins, count = len(short), short.shape[1], long.shape[2]
            stack = self.hop // self.short_hop
            folded = short[:, :, : count * stack].reshape(batch, bins, count, stack).transpose(2, 3)
            folded = folded.reshape(batch, bins * stack, count)
            return torch.cat([long, folded - folded.mean(1, keepdim=True)], 1)

    @staticmethod
    def _log_magnitudes(waveform: Tensor, window: Tensor, hop: int) -> Tensor:
        n_fft = len(window)
        edge = (n_fft - hop) // 2
        padded = F.pad(waveform, (edge, n_fft - hop - edge))
        spectrum = torch.stft(padded, n_fft, hop, n_fft, window, center=False, return_complex=True)
        return 0.5 * torch.log(spectrum.real.square() + spectrum.imag.square() + POWER_FLOOR)


class _Block(nn.Module):
    """Dilated convolution and a pointwise one, residual, normalised over the channels of each frame."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.dilated = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.pointwise = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm(x.transpose(1, 2)).transpose(1, 2)
        out: Tensor = x + self.pointwise(F.gelu(self.dilated(normed)))
        return out


def _unit_window(n_fft: int) -> Tensor:
    """A Hann window that gives white noise its own power in every bin."""
    window = torch.hann_window(n_fft)
    return window * window.square().sum().rsqrt()


def _smoothed(spectra: Tensor, bins: int) -> Tensor:
    """(B, bins, T) averaged over neighbouring bins, fewer at the ends."""
    batch, count, frames = spectra.shape
    flat = spectra.transpose(1, 2).reshape(batch * frames, 1, count)
    mean = F.avg_pool1d(flat, bins, 1, bins // 2, count_include_pad=False)
    return mean.view(batch, frames, count).transpose(1, 2)
