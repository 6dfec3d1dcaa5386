"""Teaching `RateReader` to count sounds: frames of aligned speech, as it is and through a channel."""

from __future__ import annotations

import math
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import IterableDataset
from tqdm import tqdm

from voxclone.audio.mel import MelSpectrogram
from voxclone.config import AudioConfig
from voxclone.models.acoustic.pace import Count, RateReader
from voxclone.models.acoustic.units import MEL_FLOOR
from voxclone.text.symbols import SILENCES, symbol_ids
from voxclone.training.augmentation import Augmentation
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.step import TrainingStep

LEAST_SOUNDS = 12  # of a recording that is learned from
MOST_FRAMES = 700  # of a recording that are used
CROP = (120, 400)  # frames
WINDOW = 43  # frames in which sounds are counted, half a second
CHANGED_SHARE = 0.6  # of the crops are heard through a channel
STRETCHED_SHARE, STRETCH = 0.7, 0.35  # of the crops are played faster or slower, by up to e to this
LEAST_OTHERS, MOST_RECORDINGS = 3, 12  # of a speaker whose pace is known
HELD_OUT, LEAST_SPEAKERS = 5, 50  # one speaker of so many tells how far the reader leads astray


class CountedSpeech(IterableDataset[dict[str, Tensor]]):
    """Batches of crops with each frame's share of a sound; speakers drawn by the square root of their recordings.

    Each recording goes through one random channel, once, and is kept in memory with what came out.

    Args:
        store: Phonemes, mel and waveform.
        durations: Of the aligner, under the same keys.
        entries: Aligned recordings.
        audio: Shape of the mel.
        augmentation: The channel.
        recordings: At most so many of each speaker.
        batch_size: Crops in a batch.
        batches: Of an epoch.
    """

    def __init__(
        self,
        store: FeatureStore,
        durations: FeatureStore,
        entries: Sequence[Entry],
        audio: AudioConfig,
        augmentation: Augmentation,
        recordings: int = 40,
        batch_size: int = 16,
        batches: int = 500,
    ) -> None:
        self.batch_size, self.batches = batch_size, batches
        aligned = {entry.key: entry for entry in durations.entries}
        mel_spectrogram, rng = MelSpectrogram(audio), np.random.default_rng(0)
        by_speaker: dict[str, list[Entry]] = defaultdict(list)
        for place in rng.permutation(len(entries)):
            own = by_speaker[entries[place].about["speaker"]]
            if entries[place].key in aligned and len(own) < recordings:
                own.append(entries[place])
        self.recordings: dict[str, list[_Recording]] = {}
        for speaker, own in tqdm(sorted(by_speaker.items()), desc="channels", disable=None):
            known = [_Recording(store, durations, entry, aligned[entry.key]) for entry in own]
            kept = [each for each in known if each.truth.sounds >= LEAST_SOUNDS]
            for each in kept:
                changed = augmentation(each.waveform(store), rng)
                each.mels.append(mel_spectrogram(changed[None])[0].numpy().astype(np.float16))
            if kept:
                self.recordings[speaker] = kept

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        rng = np.random.default_rng(int(torch.randint(2**31, ()).item()))
        speakers = list(self.recordings.values())
        weights = np.sqrt([len(own) for own in speakers])
        for _ in range(self.batches):
            drawn = rng.choice(len(speakers), self.batch_size, p=weights / weights.sum())
            yield _batch([speakers[place][rng.integers(len(speakers[place]))].crop(rng) for place in drawn])


class _Recording:
    """A recording's mels (n_mels, T), as it is and through a channel, and the truth about its frames."""

    def __init__(self, store: FeatureStore, durations: FeatureStore, entry: Entry, aligned: Entry) -> None:
        self.entry = entry
        lasting = durations.read(aligned, "durations").astype(np.int64)
        sounds = ~np.isin(store.read(entry, "phoneme_ids"), symbol_ids(SILENCES))
        frames = min(int(lasting.sum()), entry.rows["mel"][1], MOST_FRAMES)
        self.density = np.repeat(sounds / np.maximum(lasting, 1), lasting)[:frames].astype(np.float32)
        self.mels = [store.read(entry, "mel", 0, frames).T]

    @property
    def truth(self) -> Count:
        return Count(float(self.density.sum()), float((self.density > 0).sum()))

    def waveform(self, store: FeatureStore) -> Tensor:
        length = self.entry.rows["waveform"][1] * len(self.density) // self.entry.rows["mel"][1]
        samples = np.zeros(length, np.float32)
        read = store.read(self.entry, "waveform")[:length]
        samples[: len(read)] = read / np.float32(32768)
        return torch.from_numpy(samples)

    def heard(self, store: FeatureStore, channel: Callable[[Tensor], Tensor] | None) -> Tensor:
        if channel is None:
            return torch.from_numpy(self.mels[0].astype(np.float32))
        return channel(self.waveform(store))

    def crop(self, rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        mel = self.mels[1 if rng.random() < CHANGED_SHARE else 0]
        length = min(len(self.density), int(rng.integers(*CROP)))
        start = int(rng.integers(len(self.density) - length + 1))
        cut, density = mel[:, start : start + length].astype(np.float32), self.density[start : start + length]
        if rng.random() >= STRETCHED_SHARE:
            return cut, density
        frames = round(length * math.exp(rng.uniform(-STRETCH, STRETCH)))
        at = np.linspace(0, length - 1, frames)
        before = np.minimum(at.astype(np.int64), length - 2)
        share = (at - before).astype(np.float32)
        stretched = cut[:, before] * (1 - share) + cut[:, before + 1] * share
        return stretched, density[np.rint(at).astype(np.int64)] * np.float32(length / frames)


def _batch(crops: Sequence[tuple[NDArray[np.float32], NDArray[np.float32]]]) -> dict[str, Tensor]:
    """Stack mel (B, n_mels, T), density (B, T) of sounds for each frame, mask (B, T)."""
    longest = max(len(density) for _, density in crops)
    mel, density, mask = [], [], []
    for of_crop, truth in crops:
        short = longest - len(truth)
        mel.append(functional.pad(torch.from_numpy(of_crop), (0, short), value=MEL_FLOOR))
        density.append(functional.pad(torch.from_numpy(truth), (0, short)))
        mask.append(torch.arange(longest) < len(truth))
    return {"mel": torch.stack(mel), "density": torch.stack(density), "mask": torch.stack(mask)}


class PaceStep(TrainingStep):
    """Count sounds frame by frame, by the half second and by the crop, and tell speech from pauses."""

    def __init__(self) -> None:
        super().__init__()
        self.reader = RateReader()

    def forward(self, batch: dict[str, Tensor], phase: str) -> dict[str, Tensor]:
        """Named losses of a batch from `CountedSpeech`; "rate" is the mean square error of a crop's log seconds."""
        mask, truth = batch["mask"].float(), batch["density"]
        density, speech = self.reader(batch["mel"], batch["mask"])
        spoken, true_spoken = torch.sigmoid(speech) * mask, (truth > 0).float()
        counted = density.exp() * spoken
        told = functional.binary_cross_entropy_with_logits(speech, true_spoken, reduction="none")
        poisson = (density.exp() - truth * density) * true_spoken
        window = torch.full((1, 1, WINDOW), 1 / WINDOW, device=truth.device)
        true_window, window_count = (
            functional.conv1d(each[:, None], window, padding=WINDOW // 2)[:, 0] for each in (truth, counted)
        )
        windows = (torch.log(window_count + 0.01) - torch.log(true_window + 0.01)).square() * mask
        heard = torch.log(counted.sum(1) / spoken.sum(1).clamp(min=1))
        true_rate = torch.log((truth.sum(1) / true_spoken.sum(1).clamp(min=1)).clamp(min=0.01))
        enough = (true_spoken.sum(1) > 40).float()
        losses = {
            "speech": (told * mask).sum() / mask.sum(),
            "density": poisson.sum() / true_spoken.sum().clamp(min=1),
            "windows": windows.sum() / mask.sum(),
            "rate": ((heard - true_rate).square() * enough).sum() / enough.sum().clamp(min=1),
        }
        total = losses["speech"] + 4 * losses["density"] + 2 * losses["windows"] + 10 * losses["rate"]
        return {"total": total, **losses}


def split_speakers(entries: Sequence[Entry]) -> tuple[list[Entry], list[Entry]]:
    """Entries of speakers to teach with, and of one in `HELD_OUT` who is not: none where there are few speakers.

    Who is held out depends on the speaker's name alone.
    """
    if len({entry.about["speaker"] for entry in entries}) < LEAST_SPEAKERS:
        return list(entries), []
    apart = [zlib.crc32(entry.about["speaker"].encode()) % HELD_OUT == 0 for entry in entries]
    taught = [entry for entry, out in zip(entries, apart, strict=True) if not out]
    return taught, [entry for entry, out in zip(entries, apart, strict=True) if out]


def hear_speakers(
    reader: RateReader,
    store: FeatureStore,
    durations: FeatureStore,
    entries: Sequence[Entry],
    frame_rate: float,
    channel: Callable[[Tensor], Tensor] | None = None,
) -> dict[str, list[tuple[Count, Count, float]]]:
    """What is counted in each recording, what is true of it, and the log seconds of a sound in the speaker's others.

    Speakers with fewer than `LEAST_OTHERS` others are left out; of one with many, `MOST_RECORDINGS` are heard.

    Args:
        reader: Counts.
        store: Phonemes and mel; for a channel, the waveform.
        durations: Of the aligner, under the same keys.
        entries: Recordings.
        frame_rate: Hz.
        channel: Waveform (S,) to mel (n_mels, T); None for the mels of the store.
    """
    aligned = {entry.key: entry for entry in durations.entries}
    by_speaker: dict[str, list[_Recording]] = defaultdict(list)
    for entry in entries:
        own = by_speaker[entry.about["speaker"]]
        if entry.key in aligned and len(own) < MOST_RECORDINGS:
            recording = _Recording(store, durations, entry, aligned[entry.key])
            if recording.truth.sounds >= LEAST_SOUNDS:
                own.append(recording)
    heard = {}
    for speaker, own in by_speaker.items():
        if len(own) > LEAST_OTHERS:
            sounds, frames = (sum(each) for each in zip(*(each.truth for each in own), strict=True))
            heard[speaker] = [
                (
                    reader.count(each.heard(store, channel)),
                    each.truth,
                    math.log((frames - each.truth.frames) / (sounds - each.truth.sounds) / frame_rate),
                )
                for each in own
            ]
    return heard


def set_doubt(reader: RateReader, heard: Mapping[str, Sequence[tuple[Count, Count, float]]], frame_rate: float) -> None:
    """Set what is typical of speakers, and how far one recording leads astray.

    Args:
        reader: Changed in place.
        heard: From `hear_speakers`, of speakers that the reader was not taught with.
        frame_rate: Hz.
    """
    pairs = [pair for own in heard.values() for pair in own]
    weights = np.concatenate([np.full(len(own), 1 / len(own)) for own in heard.values()])
    found = np.array([math.log(count.frames / count.sounds / frame_rate) for count, *_ in pairs])
    truth = np.array([true for *_, true in pairs])
    mean = float(np.average(truth, weights=weights))
    variance = float(np.average((truth - mean) ** 2, weights=weights))
    terms = np.stack([np.ones(len(pairs)), [1 / count.frames for count, *_ in pairs]], 1)
    root = np.sqrt(weights)[:, None]
    error = (found - truth - np.average(found - truth, weights=weights)) ** 2
    constant, by_frame = np.linalg.lstsq(terms * root, error * root[:, 0], rcond=None)[0]
    reader.typical.copy_(torch.tensor([mean, variance]))
    reader.doubt.copy_(torch.tensor([max(constant, 1e-4), max(by_frame, 0.0)]))
