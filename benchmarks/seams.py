"""Steps of level and f0 between sentences: where a text was cut, in one pass, and in recordings."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import voxclone
from manifest import manifest_rows
from voxclone.audio.io import read_audio
from voxclone.audio.pitch import f0 as measure_f0
from voxclone.audio.resample import resample
from voxclone.text.symbols import SILENCES

PAIRED = (
    "The ferry leaves the harbour at seven.",
    "By noon the whole market is awake.",
    "She folded the map and put it into her coat.",
    "Nobody had asked her where she was going.",
    "We turned back before it grew dark.",
)


def seams(model: voxclone.VoxClone, manifest: Path | None) -> dict[str, Any]:
    """The same pairs of sentences with a cut between them and in one pass; and pairs in recordings."""
    cut: list[Step] = []
    whole: list[Step] = []
    for voice in model.voices.values():
        for one, other in pairwise(PAIRED):
            for found, text in ((cut, f"<speak><s>{one}</s><s>{other}</s></speak>"), (whole, f"{one} {other}")):
                speech = model.generate(text, voice)
                assert speech.f0 is not None
                found += steps(speech.phonemes, speech.samples, speech.f0, speech.sample_rate)
    natural = [] if manifest is None else natural_steps(model, manifest)
    return {
        "between_sentences_where_the_text_was_cut": summary(cut),
        "between_the_same_sentences_in_one_pass": summary(whole),
        "between_sentences_in_recordings": summary(natural) if natural else None,
    }


class Step(NamedTuple):
    """From the last 0.8 s before a pause to the first after it."""

    level_db: float
    semitones: float
    pause_seconds: float


def steps(phonemes: Sequence[Any], samples: Any, f0: Any, sample_rate: int) -> list[Step]:
    """Of each sentence's end with another sentence after it; f0 has one value for each 256 samples."""
    frame, found = 256 / sample_rate, []
    for end, after in pairwise(range(len(phonemes))):
        if phonemes[end].text not in ".?!" or len(phonemes) - after < 4:
            continue
        spoken = next(each for each in phonemes[after:] if each.text not in SILENCES)
        before, begins = phonemes[end].start_seconds, spoken.start_seconds
        sides = []
        for low, high in ((before - 0.8, before), (begins, begins + 0.8)):
            pitch = f0[max(0, round(low / frame)) : round(high / frame)]
            part = samples[max(0, round(low * sample_rate)) : round(high * sample_rate)]
            if (pitch > 0).sum() < 10:
                break
            loud = np.abs(part) > 0.02 * np.abs(samples).max()
            sides.append((20 * np.log10(np.sqrt(np.mean(part[loud] ** 2))), 12 * np.log2(np.median(pitch[pitch > 0]))))
        if len(sides) == 2:
            found.append(Step(sides[1][0] - sides[0][0], sides[1][1] - sides[0][1], begins - before))
    return found


def natural_steps(model: voxclone.VoxClone, manifest: Path) -> list[Step]:
    """Of recordings of several sentences, laid against their texts by the model's aligner."""
    rows = [row for row in manifest_rows(manifest) if re.search(r"\w[.?!] +[A-Z]", row["text"])]
    found = []
    for row in rows[:: max(1, len(rows) // 40)]:
        alignment = model.align(manifest.parent / row["path"], row["text"])
        if alignment.match < -2:
            continue
        samples, rate = read_audio(manifest.parent / row["path"])
        samples = resample(samples, rate, model.sample_rate)
        found += steps(alignment.phonemes, samples, measure_f0(samples, model.sample_rate, 256), model.sample_rate)
    return found


def summary(found: list[Step]) -> dict[str, Any]:
    """Medians, of the steps and of their sizes."""
    level, tone, pause = (np.array(column) for column in zip(*found, strict=True))
    return {
        "places": len(found),
        "level_step_db": round(float(np.median(level)), 2),
        "level_step_db_size": round(float(np.median(np.abs(level))), 2),
        "f0_step_semitones": round(float(np.median(tone)), 2),
        "f0_step_semitones_size": round(float(np.median(np.abs(tone))), 2),
        "pause_seconds": round(float(np.median(pause)), 2),
    }
