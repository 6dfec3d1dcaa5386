"""Channels that a voice comes through: noise, rooms, equalisation, band limits, codecs. For the speaker encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from voxclone.training import distortions
from voxclone.training.channel import draw_codec
from voxclone.training.codecs import through_codec


@dataclass(frozen=True)
class Augmentation:
    """Random channel for a crop. Each part is applied with its probability.

    Attributes:
        noises: Noise recordings (S,) at the crop's rate.
        rooms: Room impulse responses (R,), see `simulate_rooms`.
        band_limit_probability: Of a steep low-pass at 3 to 7 kHz.
        telephone_probability: Of a band that also begins higher, at 50 to 400 Hz, and ends at 2.8 to 6.5 kHz.
        equaliser_db: Its gains are drawn from both sides of 0 up to this.
        clean_probability: How often there is no channel at all, only a gain.
    """

    noises: Sequence[Tensor]
    rooms: Sequence[Tensor]
    sample_rate: int
    noise_probability: float = 0.5
    room_probability: float = 0.3
    equaliser_probability: float = 0.5
    band_limit_probability: float = 0.25
    codec_probability: float = 0.0
    snr_db: tuple[float, float] = (3.0, 25.0)
    telephone_probability: float = 0.0
    equaliser_db: float = 6.0
    clean_probability: float = 0.0

    def __call__(self, waveform: Tensor, rng: np.random.Generator) -> Tensor:
        """(S,) to (S,), level kept within 3 dB."""
        loudness = waveform.square().mean().sqrt()
        if rng.random() >= self.clean_probability:
            waveform = self._send(waveform, rng)
        gain = 10 ** (rng.uniform(-3, 3) / 20)
        return waveform * (gain * loudness / waveform.square().mean().sqrt().clamp(min=1e-6))

    def _send(self, waveform: Tensor, rng: np.random.Generator) -> Tensor:
        from torchaudio import functional as audio

        if self.rooms and rng.random() < self.room_probability:
            room = self.rooms[int(rng.integers(len(self.rooms)))]
            waveform = distortions.reverberate(waveform, room, 1.0)
        if self.noises and rng.random() < self.noise_probability:
            noise = self.noises[int(rng.integers(len(self.noises)))]
            noise = noise.repeat(len(waveform) // len(noise) + 2)
            start = int(rng.integers(len(noise) - len(waveform)))
            snr = torch.tensor(rng.uniform(*self.snr_db), dtype=waveform.dtype)
            waveform = audio.add_noise(waveform, noise[start : start + len(waveform)] + 1e-7, snr)
        waveform = self._filter(waveform, rng)
        if rng.random() < self.telephone_probability:
            low, high = float(rng.uniform(50, 400)), float(rng.uniform(2800, 6500))
            waveform = distortions.pass_band(waveform, self.sample_rate, low, high)
        if rng.random() < self.codec_probability:
            waveform = through_codec(waveform, draw_codec(rng), self.sample_rate)
        return waveform

    def _filter(self, waveform: Tensor, rng: np.random.Generator) -> Tensor:
        """A smooth random equaliser, and a low-pass as an old codec has."""
        equalised, limited = rng.random() < self.equaliser_probability, rng.random() < self.band_limit_probability
        if not (equalised or limited):
            return waveform
        spectrum = torch.fft.rfft(waveform)
        gains = torch.zeros(len(spectrum))
        if equalised:
            knots = torch.from_numpy(rng.uniform(-self.equaliser_db, self.equaliser_db, 9).astype(np.float32))
            gains += torch.nn.functional.interpolate(knots[None, None], len(gains), mode="linear", align_corners=True)[
                0, 0
            ]
        if limited:
            cutoff = rng.uniform(3000, 7000) / (self.sample_rate / 2)
            gains -= 60 * torch.sigmoid((torch.linspace(0, 1, len(gains)) - cutoff) * 60)
        filtered: Tensor = torch.fft.irfft(spectrum * 10 ** (gains / 20), len(waveform))
        return filtered


def simulate_rooms(count: int, sample_rate: int, seed: int = 0) -> list[Tensor]:
    """Impulse responses of random shoebox rooms by the image method (pyroomacoustics).

    Returns:
        `count` responses (sample_rate // 4 + 1,), the direct sound at sample 8 at the latest, peak 1.
    """
    import pyroomacoustics

    rng = np.random.default_rng(seed)
    rooms = []
    for _ in range(count):
        size = rng.uniform([3, 3, 2.4], [9, 7, 3.5])
        absorption = rng.uniform(0.15, 0.7)
        room = pyroomacoustics.ShoeBox(
            size, fs=sample_rate, materials=pyroomacoustics.Material(absorption), max_order=10
        )
        mouth = rng.uniform([0.5, 0.5, 1.0], size - 0.5)
        offset = rng.normal(size=3)
        ear = np.clip(mouth + offset / np.linalg.norm(offset) * rng.uniform(0.2, 2.0), 0.3, size - 0.3)
        room.add_source(mouth)
        room.add_microphone(ear)
        room.compute_rir()
        response = torch.from_numpy(np.asarray(room.rir[0][0], np.float32))
        first = int(response.abs().argmax())
        kept = response[max(0, first - 8) :][: sample_rate // 4 + 1] / response.abs().max()
        rooms.append(torch.nn.functional.pad(kept, (0, sample_rate // 4 + 1 - len(kept))))
    return rooms
