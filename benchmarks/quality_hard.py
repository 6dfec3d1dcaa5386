"""Whether hard sentences are spoken whole: the phones that PocketSphinx recognises, laid against those of the text.

The recogniser errs in a third of the phones and more, so texts are compared: a word of four sounds or more is skipped
where the text without it is nearer to what is heard by most of its sounds, and repeated where the text with it said
twice is. The same test on texts that were changed on purpose tells how much of that it would notice.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pocketsphinx
from numpy.typing import NDArray

import voxclone
from voxclone.audio.resample import resample

LEAST_SOUNDS = 4  # of a word that is tested
SHARE = 0.75  # edits for each sound of the word by which another text must be nearer
SUBSTITUTION = 1.4  # edits
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


def distance(words: list[list[str]], heard: list[str]) -> float:
    """Edits from the words' sounds to the phones heard."""
    codes = np.array([ord(phone) for phone in heard])
    places = np.arange(len(heard) + 1)
    row = places.astype(float)
    for sound in (sound for word in words for sound in word):
        changed = row[:-1] + np.where(codes == ord(sound), 0.0, SUBSTITUTION)
        best = np.concatenate([[row[0] + 1], np.minimum(changed, row[1:] + 1)])
        row = np.minimum.accumulate(best - places) + places  # insertions
    return float(row[-1])


def lay_against(words: list[list[str]], heard: list[str]) -> dict[str, float]:
    """Words that are skipped or repeated, and edits in all."""
    edits = distance(words, heard)
    tested = [index for index, word in enumerate(words) if len(word) >= LEAST_SOUNDS]
    without = [distance(words[:index] + words[index + 1 :], heard) for index in tested]
    twice = [distance([*words[: index + 1], *words[index:]], heard) for index in tested]
    least = [SHARE * len(words[index]) for index in tested]
    return {
        "skips": sum(edits - other >= wanted for other, wanted in zip(without, least, strict=True)),
        "repeats": sum(edits - other >= wanted / 2 for other, wanted in zip(twice, least, strict=True)),
        "edits": edits,
    }


def sounds_of(speech: voxclone.Speech) -> list[list[str]]:
    """Classes of each word's sounds."""
    words: list[list[str]] = []
    for word in speech.words:
        inside = [p for p in speech.phonemes if word.start_seconds - 1e-6 <= p.start_seconds < word.end_seconds - 1e-6]
        words.append([_CLASS_OF[p.text.lstrip("ˈˌ")] for p in inside if p.text.lstrip("ˈˌ") in _CLASS_OF])
    return words


def check(model: voxclone.VoxClone, voice: voxclone.Voice, sentences: list[str]) -> dict[str, Any]:
    """Speak every sentence and count; the controls add a word to the text, and to what is heard."""
    totals = {"skips": 0.0, "repeats": 0.0, "edits": 0.0}
    control = {"texts": 0, "skips_noticed": 0, "ends": 0, "repeats_noticed": 0}
    faults, sounds = [], 0
    for text in sentences:
        speech = model.generate(text, voice)
        heard, words = recognise(speech.samples, speech.sample_rate), sounds_of(speech)
        result = lay_against(words, heard)
        sounds += sum(map(len, words))
        totals = {name: count + result[name] for name, count in totals.items()}
        if result["skips"] or result["repeats"]:
            faults.append({"text": text, **result})
        tested = [index for index, word in enumerate(words) if len(word) >= LEAST_SOUNDS]
        if tested:
            index = tested[len(tested) // 2]
            doubled = [*words[: index + 1], *words[index:]]  # the speech has it once: one of them is skipped
            control["texts"] += 1
            control["skips_noticed"] += lay_against(doubled, heard)["skips"] > result["skips"]
        if words and len(words[-1]) >= LEAST_SOUNDS:
            control["ends"] += 1
            again = [*heard, *words[-1]]  # as if the last word came twice
            control["repeats_noticed"] += lay_against(words, again)["repeats"] > result["repeats"]
    return {
        "sentences": len(sentences), "sounds": sounds, **totals, "edit_rate": round(totals["edits"] / sounds, 3),
        "control": control, "faults": faults,
    }  # fmt: skip
