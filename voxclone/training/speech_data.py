"""Batches of transcribed speech for aligner and acoustic model, from a feature store."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from voxclone.errors import VoxcloneError
from voxclone.models.acoustic import AcousticModel
from voxclone.models.acoustic.units import MEL_FLOOR
from voxclone.text.symbols import SILENCES, symbol_ids
from voxclone.training.features import Entry, FeatureStore

SPEECH_DATA = ("batch_frames", "corpus_weights", "drop_least_confident", "validation_items")  # of a recipe's config
LONGEST_SOUND = 50  # frames: 0.6 s


class TranscribedSpeech(Dataset[dict[str, Any]]):
    """Utterances with phonemes; each item has its index, phoneme_ids (N,), mel (T, n_mels) and f0 (T,).

    With `durations`, a store of them under the same keys, each has durations (N,), and only aligned entries are there.
    """

    def __init__(self, store: FeatureStore, entries: Sequence[Entry], durations: FeatureStore | None = None) -> None:
        self.store, self.durations = store, durations
        self.aligned = {entry.key: entry for entry in durations.entries} if durations else {}
        if durations:
            entries = [entry for entry in entries if entry.key in self.aligned]
        self.entries = [entry for entry in entries if "phoneme_ids" in entry.rows and fits_monotonic(entry)]

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, index: int) -> dict[str, Any]:
        entry = self.entries[index]
        item = {"index": index} | {
            kind: torch.from_numpy(self.store.read(entry, kind)) for kind in ("phoneme_ids", "mel", "f0")
        }
        if self.durations:
            item["durations"] = torch.from_numpy(self.durations.read(self.aligned[entry.key], "durations"))
        return item


def corpus_weights(entries: Sequence[Entry], weights: Mapping[str, float]) -> dict[str, float]:
    """Key to weight of each entry whose corpus has one; weights["*"], if there, is for all other corpora.

    Raises:
        VoxcloneError: No entry's corpus has a weight.
    """
    known = {e.key: weights.get(e.about["corpus"], weights.get("*", 0.0)) for e in entries}
    weighted = {key: weight for key, weight in known.items() if weight > 0}
    if not weighted:
        found = ", ".join(sorted({entry.about["corpus"] for entry in entries})) or "none"
        raise VoxcloneError(
            f'no recording is of a corpus in corpus_weights; found: {found}. Name them there, or add "*"'
        )
    return weighted


def trusted_speech(
    store: FeatureStore, durations: FeatureStore, data: Mapping[str, Any], split: str | None = None
) -> list[Entry]:
    """Aligned recordings of a store whose text and sound agree.

    Args:
        store: With phonemes.
        durations: Of it, from `store_durations`.
        data: A recipe's "data": `corpus_weights`, and `drop_least_confident` as the function of that name has it.
        split: The only one; None for all.

    Raises:
        VoxcloneError: No recording is of a corpus with a weight.
    """
    weights = corpus_weights(store.entries, data["corpus_weights"])
    confidence = {entry.key: entry.about["confidence"] for entry in durations.entries}
    known = [e for e in store.entries if e.key in weights and split in (None, e.about["split"])]
    return drop_stretched(drop_least_confident(known, confidence, data["drop_least_confident"]), store, durations)


def held_out_batches(
    speech: Dataset[dict[str, Any]], most: int, collate: Callable[[Sequence[dict[str, Any]]], dict[str, Tensor]]
) -> list[dict[str, Tensor]]:
    """At most so many of these utterances, always the same, in batches of 8 to 15, to validate on."""
    count = len(speech)  # type: ignore[arg-type]  # it is sized
    chosen = np.random.default_rng(0).choice(count, min(count, most), replace=False)
    parts = np.array_split(chosen, max(1, len(chosen) // 8)) if len(chosen) else []
    return [collate([speech[int(index)] for index in part]) for part in parts]


def fits_monotonic(entry: Entry) -> bool:
    """Whether there are two frames for every phoneme, and not absurdly many for each."""
    frames, phonemes = entry.rows["mel"][1], entry.rows["phoneme_ids"][1]
    return 2 * phonemes <= frames <= 40 * phonemes


def pad_batch(items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
    """Stack items: mel becomes (B, n_mels, T), lengths are added, padding is 0 (the mel's floor for mel).

    Durations (N,) are stacked too where the items have them.
    """
    batch = {
        "index": torch.tensor([item["index"] for item in items]),
        "phoneme_ids": _pad([item["phoneme_ids"].long() for item in items]),
        "phoneme_lengths": torch.tensor([len(item["phoneme_ids"]) for item in items]),
        "mel": _pad([item["mel"].float() for item in items], MEL_FLOOR).transpose(1, 2).contiguous(),
        "mel_lengths": torch.tensor([len(item["mel"]) for item in items]),
        "f0": _pad([item["f0"] for item in items]),
    }
    if "durations" in items[0]:
        batch["durations"] = _pad([item["durations"].long() for item in items])
    return batch


def _pad(arrays: Sequence[Tensor], value: float = 0.0) -> Tensor:
    return torch.nn.utils.rnn.pad_sequence(list(arrays), batch_first=True, padding_value=value)


def batch_condition(model: AcousticModel, batch: Mapping[str, Tensor]) -> Tensor:
    """(B, C) what the model's norms are told of the voices and recordings of a batch from `voiced_batch`."""
    quality = batch["quality"] if model.config.quality_dims else None
    voice = (batch["speaker_embedding"], batch["f0_median"], batch["spectrum"])
    return model.condition(*voice, quality, batch.get("manner"))


class LengthBuckets(Sampler[list[int]]):
    """Batches of similar length, drawn with a weight for each utterance; an epoch is as many draws as utterances.

    Args:
        lengths: Frames of each utterance.
        batch_frames: Most frames in a batch, padding included; a longer utterance is a batch of its own.
        weights: How often each is drawn, in any proportion; None for all alike.

    Raises:
        VoxcloneError: There is no utterance.
    """

    def __init__(self, lengths: Sequence[int], batch_frames: int, weights: Sequence[float] | None = None) -> None:
        if not len(lengths):
            raise VoxcloneError("there is no utterance to draw batches from: check the store, its splits and corpora")
        self.lengths = np.asarray(lengths)
        self.batch_frames = batch_frames
        probabilities = np.ones(len(lengths)) if weights is None else np.asarray(weights, float)
        self.probabilities = probabilities / probabilities.sum()

    def __iter__(self) -> Iterator[list[int]]:
        rng = np.random.default_rng(int(torch.randint(2**31, ()).item()))
        drawn = rng.choice(len(self.lengths), len(self.lengths), p=self.probabilities)
        ordered = drawn[np.argsort(self.lengths[drawn] * rng.uniform(0.95, 1.05, len(drawn)))]
        batches: list[list[int]] = []
        current: list[int] = []
        longest = 0
        for index in ordered:
            longest = max(longest, int(self.lengths[index]))
            if current and longest * (len(current) + 1) > self.batch_frames:
                batches.append(current)
                current, longest = [], int(self.lengths[index])
            current.append(int(index))
        batches.append(current)
        yield from (batches[i] for i in rng.permutation(len(batches)))


def drop_stretched(
    entries: Sequence[Entry], store: FeatureStore, durations: FeatureStore, most: int = LONGEST_SOUND
) -> list[Entry]:
    """Leave out recordings in which a sound lasts longer than `most` frames: words are missing in the text, or silence.

    Pauses, punctuation, and the silence before and after may last as long as they do. What was not aligned goes too.
    """
    silent = symbol_ids(SILENCES[1:])
    aligned = {entry.key: entry for entry in durations.entries}
    kept = []
    for entry in (each for each in entries if each.key in aligned):
        own = durations.read(aligned[entry.key], "durations")
        if own[~np.isin(store.read(entry, "phoneme_ids"), silent)].max(initial=0) <= most:
            kept.append(entry)
    return kept


def drop_least_confident(
    entries: Sequence[Entry], confidence: Mapping[str, float], shares: Mapping[str, float]
) -> list[Entry]:
    """Leave out the share of each corpus that the aligner trusts least: wrong transcripts, noise, misaligned clips.

    Args:
        entries: Recordings; those without a confidence are left out.
        confidence: Of an entry's key, from `store_durations`.
        shares: Corpus to the share that goes; a corpus that is not named loses 5 %.
    """
    by_corpus: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        if entry.key in confidence:
            by_corpus[entry.about.get("corpus", "")].append(entry)
    kept = []
    for corpus, own in by_corpus.items():
        threshold = np.quantile([confidence[entry.key] for entry in own], shares.get(corpus, 0.05))
        kept += [entry for entry in own if confidence[entry.key] >= threshold]
    return kept
