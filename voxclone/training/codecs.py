"""Real lossy codecs through PyAV: what a listener gets of a waveform that was sent as MP3, AAC or Opus."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from voxclone.audio.resample import resample
from voxclone.errors import VoxcloneError

_ENCODERS = {"mp3": ("libmp3lame", "mp3", "fltp"), "aac": ("aac", "aac", "fltp"), "opus": ("libopus", "libopus", "flt")}
_HASTE = {"mp3": {"compression_level": "9"}, "aac": {"aac_coder": "fast"}, "opus": {"compression_level": "3"}}
_SETTLING = 0.05  # seconds of silence on either side, so that nothing is lost in an encoder's delay or its last frame


@dataclass(frozen=True)
class Codec:
    """A codec at a constant bit rate.

    Attributes:
        name: Which.
        bit_rate: Bits a second.
        sample_rate: Hz at which it is fed; its waveforms are resampled to it and back.
        hasty: Let the encoder search less, for training: half the time, and a little more distortion.
    """

    name: Literal["mp3", "aac", "opus"]
    bit_rate: int
    sample_rate: int
    hasty: bool = False

    def __call__(self, samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.float32]:
        """Encode and decode a waveform (S,): as many samples as came in, aligned with them.

        Raises:
            VoxcloneError: PyAV is not installed, or its build lacks the codec.
        """
        sent = resample(samples, sample_rate, self.sample_rate)
        edge = np.zeros(int(_SETTLING * self.sample_rate), np.float32)
        received = _transmit(self, np.concatenate([edge, sent, edge]))[len(edge) + _delay(self) :]
        back = resample(received[: len(sent)], self.sample_rate, sample_rate)[: len(samples)]
        return np.pad(back, (0, len(samples) - len(back)))


def through_codec(waveform: Tensor, codec: Codec, sample_rate: int) -> Tensor:
    """A waveform (S,) through a codec; the gradient passes as if nothing had happened (straight-through)."""
    samples = waveform.detach().float().cpu().numpy()
    received = torch.from_numpy(codec(samples, sample_rate)).to(waveform)
    return waveform + (received - waveform).detach()


def _transmit(codec: Codec, samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """All that the decoder gives, its delay included."""
    try:
        import av
    except ImportError as error:
        raise VoxcloneError("codecs need PyAV: pip install 'voxclone[train]'") from error
    encoder_name, decoder_name, layout = _ENCODERS[codec.name]
    try:
        encoder: Any = av.CodecContext.create(encoder_name, "w")
        decoder: Any = av.CodecContext.create(decoder_name, "r")
    except ValueError as error:  # PyAV's UnknownCodecError
        raise VoxcloneError(f"this build of PyAV has no {codec.name}: {error}") from error
    encoder.sample_rate, encoder.layout, encoder.format = codec.sample_rate, "mono", layout
    encoder.bit_rate, encoder.thread_count, decoder.thread_count = codec.bit_rate, 1, 1
    encoder.options = _HASTE[codec.name] if codec.hasty else {}
    encoder.open()
    if encoder.extradata:
        decoder.extradata = encoder.extradata
    decoder.sample_rate, decoder.layout = codec.sample_rate, "mono"
    size = encoder.frame_size
    padded = np.pad(samples, (0, -len(samples) % size))
    packets = []
    for start in range(0, len(padded), size):
        frame = av.AudioFrame.from_ndarray(padded[None, start : start + size], layout, "mono")
        frame.sample_rate, frame.pts = codec.sample_rate, start
        packets += encoder.encode(frame)
    packets += encoder.encode(None)
    decoded = [frame for packet in packets for frame in decoder.decode(packet)]
    decoded += decoder.decode(None)
    arrays = [_mono(frame.to_ndarray()) for frame in decoded]
    received = np.concatenate(arrays)
    rate = decoded[0].sample_rate
    return received if rate == codec.sample_rate else resample(received, rate, codec.sample_rate)


def _mono(array: NDArray[Any]) -> NDArray[np.float32]:
    samples = array.astype(np.float32).reshape(-1)
    return samples / np.float32(32768) if array.dtype == np.int16 else samples


@lru_cache(maxsize=256)
def _delay(codec: Codec) -> int:
    """Samples by which what comes out is late, as noise in a speech band tells it."""
    rate = codec.sample_rate
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=rate))
    hertz = np.fft.rfftfreq(rate, 1 / rate)
    probe = np.fft.irfft(np.where((hertz > 200) & (hertz < 3000), spectrum, 0), rate)
    probe = (0.2 * probe / probe.std()).astype(np.float32)
    received = _transmit(codec, np.concatenate([probe, np.zeros(rate // 2, np.float32)]))
    length = 2 * rate
    spectra = np.fft.rfft(received, length) * np.conj(np.fft.rfft(probe, length))
    return int(np.abs(np.fft.irfft(spectra, length)[: rate // 2]).argmax())
