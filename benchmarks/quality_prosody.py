"""Whether a clone moves like its speaker: pitch, pace, and the spread of both, by the same instruments on both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import voxclone
from quality_set import Reader
from voxclone.audio.io import read_audio
from voxclone.audio.pitch import f0
from voxclone.audio.resample import resample
from voxclone.errors import VoxcloneError
from voxclone.models.acoustic.variance import phoneme_prosody
from voxclone.text.symbols import SILENCES

VALUES = ("pitch", "energy", "log_duration")
RATIOS = (*VALUES, "pitch_without_jumps")
JUMP = 2.1  # thirds of an octave from the recording's median: nearly all of them are octave errors of the tracker
ASKED = (0.8, 1.2)  # of a variance ratio
HALVES = 200  # draws of half of a speaker's recordings, which are compared with the other half


def measure(model: voxclone.VoxClone, path: Path, text: str) -> dict[str, Any] | None:
    """Of a recording: f0 of its voiced frames, each sound's pitch, energy and log duration; None if it is unfit."""
    audio = model.config.audio
    samples, rate = read_audio(path)
    samples = resample(samples, rate, audio.sample_rate)
    try:
        alignment = model.align((samples, audio.sample_rate), text)
    except VoxcloneError:
        return None
    frames = alignment.mel.shape[1]
    track = np.resize(f0(samples, audio.sample_rate, audio.hop_length), frames)
    voiced = track[track > 0]
    if len(voiced) < 10:
        return None
    durations = torch.from_numpy(alignment.durations)[None]
    prosody = phoneme_prosody(
        torch.from_numpy(alignment.mel)[None],
        torch.from_numpy(track)[None],
        durations,
        torch.tensor([np.median(voiced)]),
    )[0].numpy()
    sounds = np.array([symbol not in SILENCES for symbol in alignment.phoneme_symbols])
    values = np.stack([prosody[:, 0], prosody[:, 2], np.log(alignment.durations)], 1)
    values[prosody[:, 1] <= 0.3, 0] = np.nan
    first, last = np.flatnonzero(sounds)[[0, -1]]
    return {
        "f0": voiced, "symbols": np.array(alignment.phoneme_symbols)[sounds], "values": values[sounds],
        "seconds": float(alignment.durations[sounds].sum()) * audio.hop_length / audio.sample_rate,
        "seconds_with_pauses": float(alignment.durations[first : last + 1].sum())
        * audio.hop_length
        / audio.sample_rate,
    }  # fmt: skip


def of_speaker(measures: list[dict[str, Any]]) -> dict[str, Any]:
    """What a speaker does over several recordings."""
    track = np.log2(np.concatenate([each["f0"] for each in measures]))
    sounds = sum(len(each["symbols"]) for each in measures)
    return {
        "f0_median_hz": float(2 ** np.median(track)),
        "f0_spread_semitones": float(6 * (np.quantile(track, 0.84) - np.quantile(track, 0.16))),
        "sounds_per_second": sounds / sum(each["seconds"] for each in measures),
        "sounds_per_second_with_pauses": sounds / sum(each["seconds_with_pauses"] for each in measures),
        "values": np.concatenate([each["values"] for each in measures]),
    }


def compare(model: voxclone.VoxClone, readers: list[Reader], natural: Path, cloned: Path) -> dict[str, Any]:
    """Each speaker's clone beside the speaker, on the same texts, and how well the clones follow the speakers."""
    speakers: dict[str, dict[str, Any]] = {}
    for reader in readers:
        both: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for recording in reader.others:
            stem = reader.stem(recording)
            real, made = (measure(model, folder / f"{stem}.wav", recording.text) for folder in (natural, cloned))
            if real is not None and made is not None:
                both.append((real, made))
        if len(both) >= 3:
            own, clone = (of_speaker([pair[side] for pair in both]) for side in (0, 1))
            made_variance, own_variance = (_variances(each.pop("values")) for each in (clone, own))
            variance = {name: round(made_variance[name] / own_variance[name], 3) for name in RATIOS}
            speakers[reader.speaker] = {
                "real": own,
                "cloned": clone,
                "variance_ratio": variance,
                "own_halves_within": halves_within([real["values"] for real, _ in both]),
                "texts": len(both),
            }
    ratios = {name: [each["variance_ratio"][name] for each in speakers.values()] for name in RATIOS}
    measures = ("f0_median_hz", "f0_spread_semitones", "sounds_per_second", "sounds_per_second_with_pauses")
    table = {name: _table(speakers, name) for name in measures}
    return {
        "speakers": speakers,
        "correlation": {name: round(float(np.asarray(np.corrcoef(own))[0, 1]), 3) for name, own in table.items()},
        "mean_ratio": {name: round(float(np.mean(own[1] / own[0])), 3) for name, own in table.items()},
        "median_variance_ratio": {name: round(float(np.median(own)), 3) for name, own in ratios.items()},
        "speakers_within_0.8_to_1.2": {
            name: sum(ASKED[0] <= ratio <= ASKED[1] for ratio in own) for name, own in ratios.items()
        },
        "own_halves_within_0.8_to_1.2": {
            name: round(sum(each["own_halves_within"][name] for each in speakers.values()), 1) for name in RATIOS
        },
    }


def halves_within(recordings: list[NDArray[np.float64]]) -> dict[str, float]:
    """How often one half of a speaker's own recordings has 0.8 to 1.2 of the other half's variance, by chance alone.

    What a clone that is the speaker would reach on half as many texts. Of values as `measure` has them, two or more.
    """
    rng, half = np.random.default_rng(0), len(recordings) // 2
    found = np.zeros(len(RATIOS))
    for _ in range(HALVES):
        order = rng.permutation(len(recordings))
        one, other = (
            _variances(np.concatenate([recordings[place] for place in part])) for part in (order[:half], order[half:])
        )
        found += [ASKED[0] <= one[name] / other[name] <= ASKED[1] for name in RATIOS]
    return dict(zip(RATIOS, (found / HALVES).round(3).tolist(), strict=True))


def _variances(values: NDArray[np.float64]) -> dict[str, float]:
    """Of the sounds of many recordings, (N, 3) as `VALUES` has them."""
    pitch = values[:, 0]
    near = pitch[np.abs(pitch) < JUMP]
    return dict(zip(RATIOS, [*np.nanvar(values, 0).tolist(), float(near.var())], strict=True))


def _table(speakers: dict[str, Any], name: str) -> NDArray[np.float64]:
    """(2, speakers): the speakers' own values, and their clones'."""
    return np.array([[each[side][name] for each in speakers.values()] for side in ("real", "cloned")])
