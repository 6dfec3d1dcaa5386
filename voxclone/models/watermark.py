"""The watermark detector: which frames of a waveform carry the mark that lies in a vocoder's weights.

The other half of collaborative watermarking (arXiv:2309.15224, section 2): vocoder and detector are trained together
through a channel of distortions. The detector reads magnitudes alone, so that polarity and constant phase shifts change
nothing: of a window long enough to resolve harmonics, and of one short enough to see inside a pitch period. In the
latter it also hears the pilot (`voxclone.models.pilot`), which noise and codecs leave where they leave nothing else.

This is the form that is trained, and that a loaded model listens by. `voxclone.safety.ear` has the one that listens
without PyTorch: change both.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from voxclone.config import WatermarkConfig
from voxclone.models.mark_tables import POWER_FLOOR, less_smooth, unit_window
from voxclone.models.pilot import PilotEar


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
        self.pilot = PilotEar(config)

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Judge each frame with what lies `context` samples around it.

        Args:
            waveform: (B, S) at config.sample_rate, S at least one frame; its level does not matter.

        Returns:
            Evidence (B, S // frame_length), log odds that the frame carries the mark, and the frame's weight in
            `pool`, of the same shape, in (0, 1).
        """
        long, short = self.features(waveform)
        x = self.features.entered(long, short, self.entry)
        x = x + self.pilot(short, x.shape[2])
        for block in self.blocks:
            x = block(x)
        evidence, weight = self.head(self.norm(x.transpose(1, 2))).float().unbind(2)
        frames = waveform.shape[1] // self.config.frame_length
        return evidence[:, :frames], torch.sigmoid(weight)[:, :frames]


def pool(evidence: Tensor, weight: Tensor) -> Tensor:
    """Mean evidence by weight over the last axis: one score for a stretch of frames."""
    return (evidence * weight).sum(-1) / weight.sum(-1).clamp(min=1e-6)


class FineSpectra(nn.Module):
    """Log magnitudes of two short-time spectra; less what level and equalisation put there, put into a convolution.

    What is taken away is the mean over neighbouring bins of the long spectrum, and over all of the short spectra within
    a hop. Both are linear, so that they are taken from the convolution's weights instead, which are fewer.
    """

    long_window: Tensor
    short_window: Tensor
    detail: Tensor

    def __init__(self, config: WatermarkConfig) -> None:
        super().__init__()
        self.hop, self.short_hop = config.hop_length, config.short_hop_length
        self.stack = self.hop // self.short_hop  # short spectra within a hop
        bins, self.short_bins = config.n_fft // 2 + 1, config.short_n_fft // 2 + 1
        for name, table in (
            ("long_window", unit_window(config.n_fft)),
            ("short_window", unit_window(config.short_n_fft)),
            ("detail", less_smooth(bins, config.smooth_bins)),
        ):
            self.register_buffer(name, torch.from_numpy(table), persistent=False)
        self.width = bins + self.short_bins * self.stack

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """(B, S) to both: (B, T, bins) of each hop, and (B, T * stack, short bins) of each short hop."""
        with torch.autocast(waveform.device.type, enabled=False):
            waveform = waveform.float()
            long = self._log_magnitudes(waveform, self.long_window, self.hop)
            short = self._log_magnitudes(waveform, self.short_window, self.short_hop)
        return long, short[:, : long.shape[1] * self.stack]

    def entered(self, long: Tensor, short: Tensor, entry: nn.Conv1d) -> Tensor:
        """Both to (B, channels, T'): `width` features for each hop, through `entry`, which goes over hops."""
        with torch.autocast(long.device.type, enabled=False):
            weight = entry.weight.float()
            on_long = torch.einsum("obk,bc->ock", weight[:, : len(self.detail)], self.detail)
            on_short = weight[:, len(self.detail) :]
            on_short = on_short - on_short.mean(1, keepdim=True)
            on_short = on_short.reshape(len(weight), self.short_bins, self.stack, -1).transpose(2, 3).flatten(2)
            stride, padding = entry.stride[0], int(entry.padding[0])
            x = _convolve(long, on_long, stride, padding)
            x = x + _convolve(short, on_short, stride * self.stack, padding * self.stack)
            return (x if entry.bias is None else x + entry.bias.float()).transpose(1, 2)

    @staticmethod
    def _log_magnitudes(waveform: Tensor, window: Tensor, hop: int) -> Tensor:
        """(B, S) to (B, T, bins)."""
        n_fft = len(window)
        edge = (n_fft - hop) // 2
        padded = F.pad(waveform, (edge, n_fft - hop - edge))
        spectrum = torch.stft(padded, n_fft, hop, n_fft, window, center=False, return_complex=True).transpose(1, 2)
        return 0.5 * torch.log(spectrum.real.square() + spectrum.imag.square() + POWER_FLOOR)


def _convolve(spectra: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """(B, T, bins) by (channels, bins, taps) to (B, T', channels); as a product of matrices faster than as conv1d."""
    bins, taps = weight.shape[1:]
    windows = F.pad(spectra, (0, 0, padding, padding)).flatten(1).unfold(1, taps * bins, stride * bins)
    return windows @ weight.transpose(1, 2).flatten(1).T


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
