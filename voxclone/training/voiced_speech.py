"""Transcribed, aligned speech with the voice of each utterance: what the acoustic model learns from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import Dataset

from voxclone.audio.mel import voiced_spectrum
from voxclone.models.acoustic.pauses import with_heard_pauses
from voxclone.training.calibration import spoken_values
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.manner import TYPICAL, Manner, mean_manner
from voxclone.training.speech_data import fits_monotonic, pad_batch

QUALITY_DIMS = 2
UNVOICED_F0_MEDIAN = 160.0  # Hz, for a speaker without any voiced frame


class VoicedSpeech(Dataset[dict[str, Any]]):
    """Aligned utterances with a voice: embedding and spectrum of the speaker's random recordings, median f0 over many.

    Args:
        store: Phonemes, mel, f0.
        durations: Durations of the aligner under the same keys.
        entries: Entries of `store` to use; those that were not aligned are left out.
        embeddings: Key to (D,) unit-length speaker embedding.
        manners: Key to how it is spoken, see `measure_manners`; what is not there is typical.
    """

    def __init__(
        self, store: FeatureStore, durations: FeatureStore, entries: Sequence[Entry],
        embeddings: dict[str, NDArray[np.float32]], manners: Mapping[str, Manner] | None = None,
    ) -> None:  # fmt: skip
        self.store, self.durations, self.embeddings = store, durations, embeddings
        self.manners = manners or {}
        self.aligned = {entry.key: entry for entry in durations.entries}
        self.entries = [e for e in entries if e.key in self.aligned and e.key in embeddings and fits_monotonic(e)]
        self.by_speaker: dict[str, list[Entry]] = defaultdict(list)
        for entry in self.entries:
            self.by_speaker[entry.about["speaker"]].append(entry)
        self.spectra = {e.key: self._spectrum(e) for e in self.entries}
        self.qualities = {e.key: recording_quality(store.read(e, "mel")) for e in self.entries}
        self.medians = {speaker: _median_f0(store, own) for speaker, own in self.by_speaker.items()}

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """An utterance of N phonemes and T frames, in a voice of its speaker, for `voiced_batch`.

        phoneme_ids (N,), with a comma where the speaker pauses, and pauses (N,), True at those; durations (N,) frames;
        mel (T, n_mels) natural log; f0 (T,) Hz; speaker_embedding (D,), spectrum (n_mels,) and manner (MANNER_DIMS,) of
        the voice, f0_median in Hz of the speaker; quality (quality_dims,) of the recording; and the index.
        """
        entry = self.entries[index]
        arrays = {kind: torch.from_numpy(self.store.read(entry, kind)) for kind in ("phoneme_ids", "mel", "f0")}
        durations = self.durations.read(self.aligned[entry.key], "durations")
        written = arrays["phoneme_ids"]
        arrays["phoneme_ids"] = torch.from_numpy(with_heard_pauses(written.numpy(), durations, arrays["mel"].numpy()))
        speaker = entry.about["speaker"]
        embedding, spectrum, manner = self._voice(self.by_speaker[speaker])
        return {
            "index": index,
            **arrays,
            "pauses": arrays["phoneme_ids"] != written,
            "durations": torch.from_numpy(durations),
            "speaker_embedding": torch.from_numpy(embedding),
            "spectrum": torch.from_numpy(spectrum),
            "manner": manner,
            "f0_median": self.medians[speaker],
            "quality": torch.from_numpy(self.qualities[entry.key]),
        }

    def mean_spectrum(self) -> Tensor:
        """(n_mels,) the mean over speakers of their mean spectrum."""
        speakers = [np.mean([self.spectra[e.key] for e in own], axis=0) for own in self.by_speaker.values()]
        return torch.from_numpy(np.mean(speakers, axis=0))

    def clean_quality(self) -> Tensor:
        """(QUALITY_DIMS,) the mean of recordings that are cleaner than 80 % and not cleaner than 97 % of all."""
        qualities = np.stack(list(self.qualities.values()))
        low, high = np.quantile(qualities.mean(1), [0.8, 0.97])
        chosen = (qualities.mean(1) >= low) & (qualities.mean(1) <= high)
        return torch.from_numpy(qualities[chosen].mean(0))

    def average_prosody(self, n_symbols: int, recordings: int = 1000) -> Tensor:
        """(n_symbols, 4) each symbol's mean pitch, voiced share, energy and log duration, over random recordings."""
        sums, counts = torch.zeros(n_symbols, 4), torch.zeros(n_symbols, 4)
        generator = torch.Generator().manual_seed(0)
        for index in torch.randperm(len(self), generator=generator)[:recordings].tolist():
            batch = voiced_batch([self[index]])
            values, weights = spoken_values(batch)
            sums.index_add_(0, batch["phoneme_ids"][0], (values * weights)[0])
            counts.index_add_(0, batch["phoneme_ids"][0], weights[0])
        return sums / counts.clamp(min=1)

    def _spectrum(self, entry: Entry) -> NDArray[np.float32]:
        return voiced_spectrum(self.store.read(entry, "mel").T, self.store.read(entry, "f0"))

    def _voice(self, recordings: list[Entry]) -> tuple[NDArray[np.float32], NDArray[np.float32], Tensor]:
        """Embedding, spectrum and manner: means over one to four of the speaker's recordings, as cloning gets."""
        count = min(len(recordings), int(torch.randint(1, 5, ()).item()))
        keys = [recordings[i].key for i in torch.randperm(len(recordings))[:count].tolist()]
        mean = np.mean([self.embeddings[key] for key in keys], axis=0)
        spectrum = np.mean([self.spectra[key] for key in keys], axis=0)
        manner = mean_manner([self.manners.get(key, TYPICAL) for key in keys])
        return np.asarray(mean / np.linalg.norm(mean), np.float32), np.asarray(spectrum, np.float32), manner


def _median_f0(store: FeatureStore, entries: Sequence[Entry]) -> float:
    values = np.concatenate([store.read(entry, "f0") for entry in entries[:30]])
    voiced = values[values > 0]
    return float(np.median(voiced)) if len(voiced) else UNVOICED_F0_MEDIAN


def recording_quality(mel: NDArray[Any]) -> NDArray[np.float32]:
    """How far the quietest frames lie below the loudest, in the lower and the upper half of the mel's bands.

    Args:
        mel: (T, n_mels) natural log.

    Returns:
        (QUALITY_DIMS,) of the order of 1, higher for a cleaner recording.
    """
    halves = np.asarray(mel, np.float32).reshape(len(mel), 2, -1).mean(2)
    quiet, loud = np.quantile(halves, [0.05, 0.95], axis=0)
    return np.asarray((loud - quiet - 5.0) / 2, np.float32)


def voiced_batch(items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """`pad_batch` with speaker_embedding (B, D), spectrum (B, n_mels), f0_median (B,), manner and quality (B, 2).

    Also pauses (B, N), where the items have them: commas that the text does not have.
    """
    heard = [item["pauses"] for item in items if "pauses" in item]
    return (
        pad_batch(items)
        | ({"pauses": nn.utils.rnn.pad_sequence(heard, batch_first=True)} if heard else {})
        | {
            "quality": torch.stack([item["quality"] for item in items]),
            "spectrum": torch.stack([item["spectrum"] for item in items]),
            "manner": torch.stack([item["manner"] for item in items]),
            "speaker_embedding": torch.stack([item["speaker_embedding"] for item in items]),
            "f0_median": torch.tensor([item["f0_median"] for item in items]),
        }
    )
