"""How well a speaker's pace is heard in one recording: against the speaker's other recordings, as they are aligned.

Of the training speakers, those whom the rate reader was not taught with (`split_speakers`). Each recording is heard as
it is, and with noise, rooms and codecs; "aligned" is what its own text and alignment say, which is as much as one
recording holds. Speakers count alike, however many recordings they have.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import voxclone
from environment import write_result
from voxclone.audio.io import audio_files, read_audio
from voxclone.audio.mel import MelSpectrogram
from voxclone.audio.resample import resample
from voxclone.models.acoustic.pace import Count, RateReader
from voxclone.training.augmentation import Augmentation, simulate_rooms
from voxclone.training.features import FeatureStore
from voxclone.training.pace import hear_speakers, split_speakers
from voxclone.training.settings import read_settings
from voxclone.training.speech_data import trusted_speech

SETTINGS = Path(__file__).resolve().parent.parent / "recipes/acoustic/config.json"
LENGTHS = (1.0, 2.0, 3.0, 5.0, 8.0)  # seconds of speech, edges


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder or Hub repository; the bundled model if left out")
    parser.add_argument("--features", type=Path, required=True, help="the `speech` store of recipes/prepare")
    parser.add_argument("--durations", type=Path, required=True, help="from recipes/acoustic/align.py")
    parser.add_argument("--noise", type=Path, required=True, help="folder of noise recordings")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = voxclone.VoxClone.from_pretrained(args.model, device="cpu")
    audio, reader = model.config.audio, model._acoustic.rate_reader
    if reader is None:
        raise SystemExit("this model is not told of pace")
    rate = audio.sample_rate / audio.hop_length
    store, durations = FeatureStore(args.features), FeatureStore(args.durations)
    _, entries = split_speakers(trusted_speech(store, durations, read_settings(SETTINGS)["data"], "train"))
    noises = [read_audio(path) for path in audio_files(args.noise)][1::2]
    channel = Augmentation(
        [torch.from_numpy(resample(noise, own, audio.sample_rate)) for noise, own in noises],
        simulate_rooms(10, audio.sample_rate, seed=1), audio.sample_rate, noise_probability=0.7, codec_probability=0.2,
    )  # fmt: skip
    rng, mel_spectrogram = np.random.default_rng(0), MelSpectrogram(audio)

    def through_channel(waveform: torch.Tensor) -> torch.Tensor:
        mel: torch.Tensor = mel_spectrogram(channel(waveform, rng)[None])[0]
        return mel

    heard = {
        "as it is": hear_speakers(reader, store, durations, entries, rate),
        "through a channel": hear_speakers(reader, store, durations, entries, rate, through_channel),
    }
    result = {name: told(reader, own, rate) for name, own in heard.items()}
    print(write_result("pace", {"speakers": len(heard["as it is"]), **result}))
    print(json.dumps(result, indent=2))


def told(reader: RateReader, heard: dict[str, list[tuple[Count, Count, float]]], rate: float) -> dict[str, Any]:
    """Correlation and error of what is counted, of what is believed of it, and of what the alignment says."""
    pairs = [pair for own in heard.values() for pair in own]
    share = np.concatenate([np.full(len(own), 1 / len(own)) for own in heard.values()])
    truth = np.array([true for *_, true in pairs])
    counted, aligned = (
        np.array([math.log(each.frames / each.sounds / rate) for each in column])
        for column in list(zip(*pairs, strict=True))[:2]
    )
    believed = np.array([math.log(reader.phoneme_seconds([count], rate) or 1.0) for count, *_ in pairs])
    seconds = np.array([count.frames / rate for count, *_ in pairs])
    by_length = {}
    for low, high in zip(LENGTHS, (*LENGTHS[1:], math.inf), strict=True):
        inside = (seconds >= low) & (seconds < high)
        if inside.sum() >= 20:
            by_length[f"{low:g} s and more"] = {"recordings": int(inside.sum())} | fit(
                believed[inside], truth[inside], share[inside]
            )
    return {
        "recordings": len(pairs),
        "counted": fit(counted, truth, share),
        "believed": fit(believed, truth, share),
        "aligned": fit(aligned, truth, share),
        "believed_by_seconds_of_speech": by_length,
    }


def fit(found: NDArray[np.float64], truth: NDArray[np.float64], share: NDArray[np.float64]) -> dict[str, float]:
    """Weighted correlation of log seconds, and the root mean square of their difference."""
    covariance = np.cov(found, truth, aweights=share)
    error = math.sqrt(float(np.average((found - truth) ** 2, weights=share)))
    return {
        "r": round(float(covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1])), 3),
        "error": round(error, 3),
    }


if __name__ == "__main__":
    main()
