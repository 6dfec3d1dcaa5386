"""The watermark detector as it listens: `voxclone.models.watermark` in NumPy, number for number.

Whoever only wants to know whether a file is marked needs no PyTorch, whose import alone takes up to half a gigabyte.
On a CPU it is as fast.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft, special

from voxclone.config import WatermarkConfig
from voxclone.models.mark_tables import (
    EVIDENCE_CHANNELS,
    NOISE_FLOOR,
    OTHER_RATES,
    POWER_FLOOR,
    RATES,
    less_smooth,
    pilot_carriers,
    unit_window,
)

Singles = NDArray[np.float32]

NORM_FLOOR = 1e-5  # added to a variance, as torch.nn.LayerNorm does


def tensor_shapes(config: WatermarkConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every tensor of a detector of these sizes."""
    width, bands = config.channels, config.short_n_fft // 2 + 1
    features = config.n_fft // 2 + 1 + bands * (config.hop_length // config.short_hop_length)
    shapes: dict[str, tuple[int, ...]] = {"entry.weight": (width, features, 3), "entry.bias": (width,)}
    for block in range(len(config.dilations)):
        shapes |= {f"blocks.{block}.norm.{name}": (width,) for name in ("weight", "bias")}
        for name, kernel in (("dilated", 3), ("pointwise", 1)):
            shapes |= {f"blocks.{block}.{name}.weight": (width, width, kernel), f"blocks.{block}.{name}.bias": (width,)}
    shapes |= {f"norm.{name}": (width,) for name in ("weight", "bias")}
    shapes |= {"head.weight": (2, width), "head.bias": (2,), "pilot.bands": (bands, 2)}
    for layer, (before, after) in ((0, (len(RATES), EVIDENCE_CHANNELS)), (2, (EVIDENCE_CHANNELS, width))):
        shapes |= {f"pilot.evidence.{layer}.weight": (after, before), f"pilot.evidence.{layer}.bias": (after,)}
    return shapes


class Ear:
    """Evidence for the mark, frame by frame, of one waveform.

    Args:
        config: The detector's sizes and thresholds.
        tensors: As `tensor_shapes` has them, of any floating-point type.
    """

    def __init__(self, config: WatermarkConfig, tensors: Mapping[str, NDArray[Any]]) -> None:
        self.config = config
        self.tensors = {name: np.asarray(tensor, np.float32) for name, tensor in tensors.items()}
        self._stack = config.hop_length // config.short_hop_length  # short spectra within a hop
        self._windows = unit_window(config.n_fft), unit_window(config.short_n_fft)

    def __call__(self, waveform: Singles) -> tuple[Singles, Singles]:
        """Judge each frame with what lies `context` samples around it.

        Args:
            waveform: (S,) at config.sample_rate, S at least one frame; its level does not matter.

        Returns:
            Evidence (S // frame_length,), log odds that the frame carries the mark, and its weight in a mean, of the
            same shape, in (0, 1).
        """
        config, given = self.config, self.tensors
        long = _log_magnitudes(waveform, self._windows[0], config.hop_length)
        short = _log_magnitudes(waveform, self._windows[1], config.short_hop_length)[: len(long) * self._stack]
        on_long, on_short = self._entry
        x = _convolve(long, on_long, config.entry_stride, 1)
        x = x + _convolve(short, on_short, config.entry_stride * self._stack, self._stack) + given["entry.bias"]
        x = x + self._linear(_gelu(self._linear(self._pilot(short, len(x)), "pilot.evidence.0")), "pilot.evidence.2")
        for block, dilation in enumerate(config.dilations):
            x = x + self._block(x, f"blocks.{block}", dilation)
        evidence, weight = self._linear(self._normed(x, "norm"), "head")[: len(waveform) // config.frame_length].T
        return evidence, special.expit(weight)

    @functools.cached_property
    def _carriers(self) -> Singles:
        return pilot_carriers(self.config).transpose(2, 1, 0).reshape(-1, 2 * len(RATES + OTHER_RATES))

    @functools.cached_property
    def _entry(self) -> tuple[Singles, Singles]:
        """The entry's weights on the long spectra of a hop (taps, bins, channels) and on the short ones, in a row.

        Spectra count less their mean over neighbouring bins, or over the hop: linear, and so done to the weights.
        """
        weight, bins = self.tensors["entry.weight"], self.config.n_fft // 2 + 1
        on_long = np.einsum("obk,bc->kco", weight[:, :bins], less_smooth(bins, self.config.smooth_bins))
        on_short = weight[:, bins:] - weight[:, bins:].mean(1, keepdims=True)
        channels, features, taps = on_short.shape
        by_hop = on_short.reshape(channels, features // self._stack, self._stack, taps).transpose(3, 2, 1, 0)
        return on_long, by_hop.reshape(taps * self._stack, -1, channels)

    def _pilot(self, short: Singles, frames: int) -> Singles:
        """(hops, bins) of the short spectra to (frames, rates): log of the power at `RATES` over that at others."""
        power = np.exp(2 * short)
        hops, stride = self.config.pilot_hops + 1, self.config.entry_stride * self._stack
        around = self._local_mean(power.mean(1, keepdims=True))
        rhythm = 0.5 * np.log(power + NOISE_FLOOR * around + np.float32(POWER_FLOOR)) @ self.tensors["pilot.bands"]
        rhythm = np.pad(rhythm - self._local_mean(rhythm), ((hops // 2, hops // 2 + frames * stride), (0, 0)))
        summed = _every(rhythm, hops, stride)[:frames] @ self._carriers
        real, imaginary = np.split(np.square(summed), 2, axis=1)
        strength = real + imaginary + np.float32(1e-8)
        elsewhere = strength[:, len(RATES) :].mean(1, keepdims=True)
        ratios: Singles = np.log(strength[:, : len(RATES)]) - np.log(elsewhere)
        return ratios

    def _local_mean(self, x: Singles) -> Singles:
        """Of (hops, n), over what there is of `pilot_local_hops` around each hop."""
        reach, count = self.config.pilot_local_hops // 2, len(x)
        sums = np.concatenate([np.zeros((1, x.shape[1])), np.cumsum(x, axis=0, dtype=np.float64)])
        first = np.maximum(np.arange(count) - reach, 0)
        last = np.minimum(np.arange(count) + reach + 1, count)
        return np.asarray((sums[last] - sums[first]) / (last - first)[:, None], np.float32)

    def _block(self, x: Singles, name: str, dilation: int) -> Singles:
        """What a block adds to (frames, channels): a dilated convolution and a pointwise one."""
        padded = np.pad(self._normed(x, f"{name}.norm"), ((dilation, dilation), (0, 0)))
        taps = np.moveaxis(self.tensors[f"{name}.dilated.weight"], 2, 0)
        places = range(0, len(taps) * dilation, dilation)
        summed = sum(padded[start : start + len(x)] @ tap.T for start, tap in zip(places, taps, strict=True))
        widened = _gelu(summed + self.tensors[f"{name}.dilated.bias"])
        return widened @ self.tensors[f"{name}.pointwise.weight"][:, :, 0].T + self.tensors[f"{name}.pointwise.bias"]

    def _linear(self, x: Singles, name: str) -> Singles:
        return x @ self.tensors[f"{name}.weight"].T + self.tensors[f"{name}.bias"]

    def _normed(self, x: Singles, name: str) -> Singles:
        centred = x - x.mean(1, keepdims=True)
        spread = np.sqrt(np.square(centred).mean(1, keepdims=True) + np.float32(NORM_FLOOR))
        normed: Singles = centred / spread * self.tensors[f"{name}.weight"] + self.tensors[f"{name}.bias"]
        return normed


def _log_magnitudes(waveform: Singles, window: Singles, hop: int) -> Singles:
    """(S,) to (T, bins)."""
    edge = (len(window) - hop) // 2
    padded = np.pad(waveform, (edge, len(window) - hop - edge))
    spectrum = fft.rfft(sliding_window_view(padded, len(window))[::hop] * window, axis=1)
    magnitudes: Singles = 0.5 * np.log(np.square(spectrum.real) + np.square(spectrum.imag) + np.float32(POWER_FLOOR))
    return magnitudes


def _every(rows: Singles, count: int, stride: int) -> Singles:
    """(T, n) to (T', count * n): each `count` rows beside each other, `stride` from one to the next."""
    n = rows.shape[1]
    return sliding_window_view(rows.reshape(-1), count * n)[:: stride * n]


def _convolve(spectra: Singles, weight: Singles, stride: int, padding: int) -> Singles:
    """(T, bins) by (taps, bins, channels) to (T', channels)."""
    padded = np.pad(spectra, ((padding, padding), (0, 0)))
    return _every(padded, len(weight), stride) @ weight.reshape(-1, weight.shape[2])


def _gelu(x: Singles) -> Singles:
    activated: Singles = x * special.ndtr(x)
    return activated
