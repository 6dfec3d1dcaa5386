"""Sound that is made and is no speech, from noise to chords: a detector must not take it for marked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def coloured(rng: np.random.Generator, times: Floats) -> Floats:
    """Noise whose power falls with frequency by a random power of it, from white to brown."""
    spectrum = rng.standard_normal(len(times) // 2 + 1) + 1j * rng.standard_normal(len(times) // 2 + 1)
    frequencies = np.maximum(1.0, np.arange(len(spectrum)))
    return np.fft.irfft(spectrum * frequencies ** -rng.uniform(0, 1), len(times))


def banded(rng: np.random.Generator, times: Floats) -> Floats:
    """Noise of one band."""
    spectrum = np.fft.rfft(rng.standard_normal(len(times)))
    low = rng.uniform(0.0, 0.7)
    spectrum[: round(low * len(spectrum))] = 0
    spectrum[round((low + rng.uniform(0.05, 0.3)) * len(spectrum)) :] = 0
    return np.fft.irfft(spectrum, len(times))


def hum(rng: np.random.Generator, times: Floats) -> Floats:
    """A harmonic tone, as of mains or an engine."""
    pitch, falling = rng.uniform(40, 500), rng.uniform(0.5, 2)
    partials = np.arange(1, 1 + int(rng.integers(2, 30)))
    phases = rng.uniform(0, 2 * np.pi, len(partials))
    return np.asarray(
        sum(n**-falling * np.sin(2 * np.pi * n * pitch * times + p) for n, p in zip(partials, phases, strict=True))
    )


def chords(rng: np.random.Generator, times: Floats) -> Floats:
    """Notes that are struck and fade."""
    out = np.zeros(len(times))
    for onset in np.arange(0, times[-1], rng.uniform(0.15, 0.6)):
        since = np.maximum(0, times - onset)
        for semitone in rng.choice(36, 3, replace=False):
            out += (times >= onset) * np.exp(-4 * since) * np.sin(2 * np.pi * 110 * 2 ** (semitone / 12) * since)
    return out


def sweep(rng: np.random.Generator, times: Floats) -> Floats:
    """A tone that glides."""
    low, high = np.sort(rng.uniform(50, 7000, 2))
    return np.asarray(np.sin(2 * np.pi * (low * times + (high - low) * times**2 / (2 * times[-1]))))


def clicks(rng: np.random.Generator, times: Floats) -> Floats:
    """Impulses, as of rain or a record."""
    struck = rng.random(len(times)) < 10 ** rng.uniform(-3.5, -2)
    decay = np.exp(-np.arange(200) / rng.uniform(2, 60))
    return np.convolve(struck * rng.standard_normal(len(times)), decay)[: len(times)]


KINDS: dict[str, Callable[[np.random.Generator, Floats], Floats]] = {
    "coloured noise": coloured,
    "banded noise": banded,
    "hum": hum,
    "chords": chords,
    "sweep": sweep,
    "clicks": clicks,
}


def make_noise(kind: str, seconds: float, sample_rate: int, seed: int) -> NDArray[np.float32]:
    """Samples (S,) of a sound of `KINDS`; the same for the same seed. Some have a little white noise, some swell."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    samples = KINDS[kind](rng, times)
    samples = samples / max(1e-9, np.abs(samples).max())
    if rng.random() < 0.5:
        samples = samples + 10 ** rng.uniform(-3, -1) * rng.standard_normal(len(times))
    if rng.random() < 0.5:
        samples = samples * (0.55 + 0.45 * np.sin(2 * np.pi * rng.uniform(0.3, 6) * times))
    loudness = 10 ** (rng.uniform(-30, -3) / 20)
    return np.asarray(loudness * samples / max(1e-9, np.abs(samples).max()), np.float32)
