"""Whether hard sentences are spoken whole: the phones that PocketSphinx recognises, laid against those of the text.

The recogniser errs in about a third of the phones, so a skip is a word of three sounds or more of which it hears none
like its own in its place, and a repeat is a run of `REPEAT` phones or more that the text does not have. The same test
on texts with a word taken out or said twice tells how much of that it would notice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pocketsphinx
from numpy.typing import NDArray

import voxclone
from voxclone.audio.resample import resample

REPEAT = 5  # phones
CLASSES = (
    ("AA AO AH AX ɑː ɔː ɔ ʌ ə ɐ ɚ ɜː ER", "a"),
    ("AE EH æ ɛ", "e"),
    ("IH IY i iː ɪ ᵻ Y j", "i"),
    ("UH UW ʊ uː W w", "u"),
    ("EY eɪ", "E"),
    ("AY aɪ", "I"),
    ("AW aʊ", "W"),
    ("OW oʊ", "O"),
    ("OY ɔɪ", "Y"),
    ("L l", "l"),
    ("R ɹ", "r"),
    ("M N NG m n ŋ", "n"),
    ("S Z s z", "s"),
    ("SH ZH CH JH ʃ ʒ tʃ dʒ", "S"),
    ("F V TH DH f v θ ð", "f"),
    ("HH h", "h"),
    ("P B p b", "p"),
    ("T D t d ɾ ʔ", "t"),
    ("K G k ɡ", "k"),
)
_CLASS_OF = {phone: name for phones, name in CLASSES for phone in phones.split()}


def recognise(samples: NDArray[np.float32], sample_rate: int) -> list[str]:
    """Classes of the phones that are heard, without silence."""
    decoder = pocketsphinx.Decoder(
        allphone=str(Path(pocketsphinx.get_model_path("en-us")) / "en-us-phone.lm.bin"), lw=2.0, pip=0.3, beam=1e-20,
        pbeam=1e-20, loglevel="FATAL",
    )  # fmt: skip
    narrow = np.clip(resample(samples, sample_rate, 16000), -1, 1)
    decoder.start_utt()
    decoder.process_raw((narrow * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    return [_CLASS_OF[segment.word] for segment in decoder.seg() or [] if segment.word in _CLASS_OF]


def lay_against(words: list[list[str]], heard: list[str]) -> dict[str, int]:
    """Words that are skipped and runs that are repeated, on the cheapest way of editing one into the other."""
    wanted = [(sound, index) for index, word in enumerate(words) for sound in word]
    rows, columns = len(wanted) + 1, len(heard) + 1
    costs = np.zeros((rows, columns))
    costs[:, 0], costs[0] = np.arange(rows), np.arange(columns)
    for i in range(1, rows):
        same = np.array([0.0 if wanted[i - 1][0] == phone else 1.4 for phone in heard])
        costs[i, 1:] = np.minimum(costs[i - 1, 1:] + 1, costs[i - 1, :-1] + same)
        for j in range(1, columns):
            costs[i, j] = min(costs[i, j], costs[i, j - 1] + 1)
    found = [0] * len(words)
    repeats = run = 0
    i, j = rows - 1, columns - 1
    while i or j:
        if i and j and costs[i, j] == costs[i - 1, j - 1] + (0.0 if wanted[i - 1][0] == heard[j - 1] else 1.4):
            found[wanted[i - 1][1]] += 1
            i, j, run = i - 1, j - 1, 0
        elif j and costs[i, j] == costs[i, j - 1] + 1:
            j, run = j - 1, run + 1
            repeats += run == REPEAT
        else:
            i -= 1
    skips = sum(not count for count, word in zip(found, words, strict=True) if len(word) >= 3)
    return {"skips": skips, "repeats": repeats, "edits": round(float(costs[-1, -1]))}


def sounds_of(speech: voxclone.Speech) -> list[list[str]]:
    """Classes of each word's sounds."""
    words: list[list[str]] = []
    for word in speech.words:
        inside = [p for p in speech.phonemes if word.start_seconds - 1e-6 <= p.start_seconds < word.end_seconds - 1e-6]
        words.append([_CLASS_OF[p.text.lstrip("ˈˌ")] for p in inside if p.text.lstrip("ˈˌ") in _CLASS_OF])
    return words


def check(model: voxclone.VoxClone, voice: voxclone.Voice, sentences: list[str]) -> dict[str, Any]:
    """Speak every sentence and count; the controls change the text that is looked for, each in one word of three."""
    totals = {"skips": 0, "repeats": 0, "edits": 0}
    control = {"said_twice": 0, "said_twice_noticed": 0, "left_out": 0, "left_out_noticed": 0}
    faults, sounds = [], 0
    for text in sentences:
        speech = model.generate(text, voice)
        heard, words = recognise(speech.samples, speech.sample_rate), sounds_of(speech)
        result = lay_against(words, heard)
        sounds += sum(map(len, words))
        totals = {name: count + result[name] for name, count in totals.items()}
        if result["skips"] or result["repeats"]:
            faults.append({"text": text, **result})
        long = [index for index, word in enumerate(words) if len(word) >= 6][::3]
        for index in long:
            control["said_twice"] += 1  # the text has it twice, the speech once: a skip
            doubled = [*words[: index + 1], words[index], *words[index + 1 :]]
            control["said_twice_noticed"] += lay_against(doubled, heard)["skips"] > result["skips"]
            control["left_out"] += 1
            without = [*words[:index], *words[index + 1 :]]
            control["left_out_noticed"] += lay_against(without, heard)["repeats"] > result["repeats"]
    return {
        "sentences": len(sentences), "sounds": sounds, **totals, "edit_rate": round(totals["edits"] / sounds, 3),
        "control": control, "faults": faults,
    }  # fmt: skip
