"""What happens to speech in the table of benchmarks/watermark.py: every distortion, at one strength each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

from voxclone.config import AudioConfig
from voxclone.training import distortions as d
from voxclone.training.augmentation import simulate_rooms
from voxclone.training.channel import codec_at
from voxclone.training.codecs import Codec, through_codec

RATE = AudioConfig().sample_rate
FACTORS = (
    0.88,
    0.9,
    0.927,
    0.95,
    0.97,
    1.03,
    1.05,
    1.073,
    1.1,
    1.12,
)  # of speed and pitch
Effect = Callable[[Tensor, np.random.Generator], Tensor]


def channels() -> dict[str, Effect]:
    """Every distortion of the table, at one strength each."""
    rooms = simulate_rooms(6, RATE, seed=3)
    table: dict[str, Effect] = {"clean": lambda x, rng: x}
    for name, rates in {"mp3": (16, 32, 64, 128), "aac": (24, 48, 96), "opus": (12, 16, 24, 32, 64)}.items():
        for rate in rates:
            codec = codec_at(name, 1000 * rate)
            table[f"{name} {rate} kbit/s"] = partial(_codec, codec)
    for rate in (8000, 11025, 16000, 48000):
        table[f"resampled to {rate} Hz"] = partial(_rate, rate)
    for snr in (40, 30, 20, 10):
        for pink in (False, True):
            table[f"{'pink' if pink else 'white'} noise {snr} dB"] = partial(_noise, snr, pink)
    table["reverberant room"] = lambda x, rng: d.reverberate(x, rooms[int(rng.integers(len(rooms)))], 1.0)
    table["equaliser ±6 dB"] = lambda x, rng: d.equalise(x, torch.from_numpy(rng.uniform(-6, 6, 9).astype(np.float32)))
    table["low pass 4 kHz"] = lambda x, rng: d.pass_band(x, RATE, 0, 4000)
    table["high pass 300 Hz"] = lambda x, rng: d.pass_band(x, RATE, 300, RATE / 2)
    for name, change in (("speed", d.change_speed), ("tempo", d.change_tempo), ("pitch", d.change_pitch)):
        for factor in FACTORS if name != "tempo" else (0.9, 0.95, 1.05, 1.1):
            table[f"{name} {100 * (factor - 1):+.3g} %"] = partial(_changed, change, factor)
    table["level -20 dB"] = lambda x, rng: 0.1 * x
    table["clipped at 30 % of the peak"] = lambda x, rng: d.clip_peaks(x, 0.3)
    table["polarity inverted"] = lambda x, rng: -x
    table["phase shifted 90°"] = lambda x, rng: d.shift_phase(x, np.pi / 2)
    table["8 bits"] = lambda x, rng: d.quantise(x, 8)
    table["mu law"] = lambda x, rng: d.quantise(d.through_rate(x, RATE, 8000), 8, companded=True)
    table["mp3 64 kbit/s after speed +5 %"] = lambda x, rng: table["mp3 64 kbit/s"](d.change_speed(x, 1.05), rng)
    table["mp3 64 kbit/s after room and noise 20 dB"] = lambda x, rng: table["mp3 64 kbit/s"](
        _noise(20, True, table["reverberant room"](x, rng), rng), rng
    )
    return table


def _codec(codec: Codec, x: Tensor, rng: np.random.Generator) -> Tensor:
    return through_codec(x, codec, RATE)


def _rate(rate: int, x: Tensor, rng: np.random.Generator) -> Tensor:
    return d.through_rate(x, RATE, rate)


def _changed(change: Callable[[Tensor, float], Tensor], factor: float, x: Tensor, rng: np.random.Generator) -> Tensor:
    return change(x, factor)


def _noise(snr: float, pink: bool, x: Tensor, rng: np.random.Generator) -> Tensor:
    return d.add_noise(x, snr, rng, pink)
