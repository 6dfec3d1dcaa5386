"""What a store of transcribed speech holds, and what in it would hurt training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from voxclone.audio.reference import clipped_fraction
from voxclone.models.acoustic.pauses import with_heard_pauses
from voxclone.text.symbols import PUNCTUATION, SILENCES, SPACE, symbol_ids
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.speech_data import LONGEST_SOUND, fits_monotonic
from voxclone.training.voiced_speech import recording_quality

NOISY = 0.0  # `recording_quality` below which a recording is called noisy: 5 nats, 43 dB, from loud to quiet frames
CLIPPED = 0.001  # of the samples
DOUBTFUL = -4.0  # nats per frame: the confidence of `store_durations` below which text and audio hardly fit
HOP_SECONDS = 256 / 22050


@dataclass
class CorpusReport:
    """Counts over the recordings of one corpus; those from `doubtful` on need durations and are 0 without.

    Attributes:
        recordings: Number of them.
        hours: Of audio, trimmed.
        speakers: Number of them.
        transcribed: Recordings with phonemes.
        unpunctuated: Transcribed recordings without any mark inside: their phrase breaks are to be heard.
        noisy: Recordings whose pauses are less than 43 dB below the speech.
        clipped: Recordings with more than 0.1 % of their samples in flat tops.
        misfit: Transcribed recordings too short or too long for their text.
        doubtful: Aligned recordings whose text hardly fits.
        stretched: Aligned recordings with a sound longer than 0.6 s: words are missing in the text.
        silent_share: Share of the time that is silence, of aligned recordings.
        pauses_heard: Pauses between words for which the text has no mark, and which training reads as commas.
    """

    recordings: int = 0
    hours: float = 0.0
    speakers: int = 0
    transcribed: int = 0
    unpunctuated: int = 0
    noisy: int = 0
    clipped: int = 0
    misfit: int = 0
    doubtful: int = 0
    stretched: int = 0
    silent_share: float = 0.0
    pauses_heard: int = 0


def report_speech(store: FeatureStore, durations: FeatureStore | None = None) -> dict[str, CorpusReport]:
    """A report for each corpus of a `speech` store, with what its durations tell where there are any."""
    by_corpus: dict[str, list[Entry]] = defaultdict(list)
    for entry in store.entries:
        by_corpus[entry.about.get("corpus", "")].append(entry)
    aligned = {entry.key: entry for entry in durations.entries} if durations else {}
    return {corpus: _report(store, own, durations, aligned) for corpus, own in by_corpus.items()}


def _report(
    store: FeatureStore, entries: Sequence[Entry], durations: FeatureStore | None, aligned: dict[str, Entry]
) -> CorpusReport:
    report = CorpusReport(len(entries), speakers=len({entry.about["speaker"] for entry in entries}))
    marks, silences, space = symbol_ids(PUNCTUATION), symbol_ids(SILENCES), symbol_ids([SPACE])[0]
    frames = silent = 0
    for entry in entries:
        mel = store.read(entry, "mel").astype(np.float32)
        report.hours += len(mel) * HOP_SECONDS / 3600
        report.noisy += float(recording_quality(mel).mean()) < NOISY
        report.clipped += clipped_fraction(store.read(entry, "waveform").astype(np.float32) / 32768) > CLIPPED
        if "phoneme_ids" not in entry.rows:
            continue
        ids = store.read(entry, "phoneme_ids")
        report.transcribed += 1
        report.unpunctuated += not np.isin(ids[:-2], marks).any()
        report.misfit += not fits_monotonic(entry)
        if durations is None or entry.key not in aligned:
            continue
        own = durations.read(aligned[entry.key], "durations")
        quiet = np.isin(ids, silences)
        report.doubtful += aligned[entry.key].about["confidence"] < DOUBTFUL
        report.stretched += bool(own[~quiet].max(initial=0) > LONGEST_SOUND)
        report.pauses_heard += int(np.count_nonzero((ids == space) & (with_heard_pauses(ids, own, mel) != space)))
        frames, silent = frames + int(own.sum()), silent + int(own[quiet].sum())
    report.hours = round(report.hours, 2)
    report.silent_share = round(silent / frames, 3) if frames else 0.0
    return report


def as_table(reports: dict[str, CorpusReport]) -> str:
    """A line for each count, a column for each corpus."""
    width = max([12, *(len(corpus) + 2 for corpus in reports)])
    lines = ["".join(["corpus".ljust(16), *(corpus.rjust(width) for corpus in reports)])]
    rows = {corpus: asdict(report) for corpus, report in reports.items()}
    for name in asdict(CorpusReport()):
        lines.append("".join([name.ljust(16), *(str(row[name]).rjust(width) for row in rows.values())]))
    return "\n".join(lines)
