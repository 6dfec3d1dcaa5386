"""A picture of speech. Needs matplotlib (the extra `plot`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxclone.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from voxclone.speech import Speech


def plot_speech(speech: Speech) -> Figure:
    """Waveform with its words, and mel with its f0, over one axis of time.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError('plots need matplotlib: pip install "voxclone[plot]"') from error
    from voxclone.audio.pitch import f0 as estimate_f0

    hop = len(speech.samples) // max(1, speech.mel.shape[1])
    f0 = estimate_f0(speech.samples, speech.sample_rate, hop) if speech.f0 is None else speech.f0
    figure = Figure(figsize=(max(8.0, min(24.0, 2.2 * speech.duration_seconds)), 5.5), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[1, 2])
    samples = np.arange(len(speech.samples)) / speech.sample_rate
    top.plot(samples, speech.samples, linewidth=0.4, color="0.3")
    top.set(ylim=(-1.3, 1.3), ylabel="amplitude")
    for word in speech.words:
        top.axvspan(word.start_seconds, word.end_seconds, color="tab:blue", alpha=0.12, linewidth=0)
        top.text((word.start_seconds + word.end_seconds) / 2, 1.06, word.text, ha="center", fontsize=8, clip_on=True)
    extent = (0.0, speech.duration_seconds, 0.0, float(speech.mel.shape[0]))
    bottom.imshow(speech.mel, origin="lower", aspect="auto", extent=extent, cmap="magma", interpolation="nearest")
    bottom.set(xlabel="seconds", ylabel="mel band", xlim=(0, speech.duration_seconds))
    pitch = bottom.twinx()
    frames = (np.arange(len(f0)) + 0.5) * hop / speech.sample_rate
    pitch.plot(frames, np.where(f0 > 0, f0, np.nan), color="cyan", linewidth=1.6)
    pitch.set(ylabel="f0, Hz", ylim=(50, max(300.0, 1.1 * float(f0.max(initial=0.0)))))
    return figure
