"""Whether hard sentences are spoken whole: PocketSphinx decodes which of their words it hears, in which order.

Its grammar is the sentence itself, each word as the phones that it should have, where any word may be left out and any
said again, at long odds: it hears the sentence as it should be unless the sound speaks clearly for something else. The
same listener hears speech from which a word was cut, and speech in which one stands twice: what it notices of these is
what its silence about the others is worth. And it hears people who read aloud: what it takes for skips and repeats
there are its own errors.
"""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pocketsphinx
from numpy.typing import NDArray

import voxclone
from voxclone.audio.io import read_audio
from voxclone.audio.resample import resample
from voxclone.synthesis.reading import read
from voxclone.training.extraction import Recording, read_manifest

SKIP_ODDS, REPEAT_ODDS = 1e-40, 1e-20  # of a word; the listener is as sharp at 1e-20 to 1e-80, and at 1e-10 to 1e-20
PHONES = {
    "AA": "ɑː", "AE": "æ", "AH": "ʌ ə ɐ", "AO": "ɔː ɔ", "AW": "aʊ", "AY": "aɪ", "EH": "ɛ", "ER": "ɚ ɜː", "EY": "eɪ",
    "IH": "ɪ ᵻ", "IY": "i iː", "OW": "oʊ", "OY": "ɔɪ", "UH": "ʊ", "UW": "uː", "B": "b", "CH": "tʃ", "D": "d ɾ",
    "DH": "ð", "F": "f", "G": "ɡ", "HH": "h", "JH": "dʒ", "K": "k", "L": "l", "M": "m", "N": "n", "NG": "ŋ", "P": "p",
    "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t ʔ", "TH": "θ", "V": "v", "W": "w", "Y": "j", "Z": "z", "ZH": "ʒ",
}  # fmt: skip
_PHONE_OF = {sound: phone for phone, sounds in PHONES.items() for sound in sounds.split()}
PLANTED = 2  # words that are cut out of each sentence, one at a time, and as many that are said twice
READERS = ("kathleen", "ljspeech")  # corpora of people who read aloud well, each as many recordings
LEAST_SOUNDS = 3  # of a word that is tested: shorter ones are swallowed in natural speech as well

Word = tuple[str, ...]  # phones


def heard_words(samples: NDArray[np.float32], sample_rate: int, words: list[Word]) -> list[Word]:
    """The words that are heard, of those that are expected; empty where no path through them fits."""
    decoder = pocketsphinx.Decoder(
        lm=None, dict=None, lw=1.0, wip=1.0, beam=1e-60, pbeam=1e-60, wbeam=1e-50, fsgusealtpron=False, loglevel="FATAL"
    )
    moves: list[tuple[Any, ...]] = []
    for place, word in enumerate(words):
        decoder.add_word(f"word{place}", " ".join(word), place == len(words) - 1)
        moves += [
            (place, place + 1, 1.0, f"word{place}"),
            (place, place + 1, SKIP_ODDS),
            (place + 1, place, REPEAT_ODDS),
        ]
    decoder.add_fsg("sentence", decoder.create_fsg("sentence", 0, len(words), moves))
    decoder.activate_search("sentence")
    narrow = np.clip(resample(samples, sample_rate, 16000), -1, 1)
    decoder.start_utt()
    decoder.process_raw((narrow * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    return [words[int(found.word[4:])] for found in decoder.seg() or [] if found.word.startswith("word")]


def spoken_words(speech: voxclone.Speech) -> list[tuple[Word, float, float]]:
    """Phones of each word that has any, and its start and end in seconds."""
    words = []
    for word in speech.words:
        start, end = word.start_seconds, word.end_seconds
        inside = [p.text.lstrip("ˈˌ") for p in speech.phonemes if start - 1e-6 <= p.start_seconds < end - 1e-6]
        phones = tuple(_PHONE_OF[sound] for sound in inside if sound in _PHONE_OF)
        if phones:
            words.append((phones, start, end))
    return words


def written_words(text: str) -> list[Word]:
    """Phones of each word of a text that has any."""
    words = []
    for chunk in read(text, "en-us", None, True, "plain"):
        for word in chunk.words:
            inside = [symbol.lstrip("ˈˌ") for symbol in chunk.symbols[word.start : word.end]]
            words.append(tuple(_PHONE_OF[sound] for sound in inside if sound in _PHONE_OF))
    return [word for word in words if word]


def choose_recordings(manifest: Path, count: int = 100) -> list[Recording]:
    """Of `READERS`, always the same."""
    draw = random.Random(0)
    chosen: list[Recording] = []
    known = [each for each in read_manifest(manifest, manifest.parent) if each.text]
    for corpus in READERS:
        own = sorted((each for each in known if each.about["corpus"] == corpus), key=lambda each: each.key)
        chosen += draw.sample(own, min(count // len(READERS), len(own)))
    return chosen


def check_recordings(recordings: list[Recording]) -> dict[str, Any]:
    """What the listener finds amiss where people read aloud."""
    totals: Counter[str] = Counter(skips=0, repeats=0, confused=0, short_words_misheard=0)
    for recording in recordings:
        words = written_words(recording.text)
        totals.update(recordings=1, words=len(words), tested_words=sum(len(word) >= LEAST_SOUNDS for word in words))
        totals.update(faults_of(words, heard_words(*read_audio(recording.path), words)))
    return dict(totals)


def cut_out(samples: NDArray[np.float32], start: int, end: int) -> NDArray[np.float32]:
    return np.concatenate([samples[:start], samples[end:]])


def say_again(samples: NDArray[np.float32], start: int, end: int) -> NDArray[np.float32]:
    return np.concatenate([samples[:end], samples[start:]])


def faults_of(words: list[Word], heard: list[Word]) -> Counter[str]:
    """How often words were said too seldom (skips), too often (repeats), or heard for others ("three" for "free")."""
    faults: Counter[str] = Counter()
    expected, found = Counter(words), Counter(heard)
    for word in expected:
        more = found[word] - expected[word]
        if more and len(word) < LEAST_SOUNDS:
            faults["short_words_misheard"] += abs(more)
        elif more:
            faults["repeats" if more > 0 else "skips"] += abs(more)
    confused = min(faults["skips"], faults["repeats"])
    faults.update(skips=-confused, repeats=-confused, confused=confused)
    return faults


def check(model: voxclone.VoxClone, voice: voxclone.Voice, sentences: list[str]) -> dict[str, Any]:
    """Speak every sentence and listen, to the speech and to what was planted in it."""
    draw = random.Random(0)
    totals: Counter[str] = Counter(skips=0, repeats=0, confused=0, short_words_misheard=0)
    control: Counter[str] = Counter()
    faulty, unnoticed = [], []
    for text in sentences:
        speech = model.generate(text, voice)
        found = spoken_words(speech)
        words = [word for word, _, _ in found]
        totals.update(sentences=1, words=len(words), tested_words=sum(len(word) >= LEAST_SOUNDS for word in words))
        plain = faults_of(words, heard_words(speech.samples, speech.sample_rate, words))
        totals.update(plain)
        if plain["skips"] or plain["repeats"]:
            faulty.append({"text": text, **plain})
        tested = [each for each in found if len(each[0]) >= LEAST_SOUNDS] if len(words) > 1 else []
        for fault, edit in (("skips", cut_out), ("repeats", say_again)):
            for word, *times in draw.sample(tested, min(PLANTED, len(tested))):
                start, end = (round(seconds * speech.sample_rate) for seconds in times)
                heard = heard_words(edit(speech.samples, start, end), speech.sample_rate, words)
                control[f"{fault}_planted"] += 1
                if faults_of(words, heard)[fault] > plain[fault]:
                    control[f"{fault}_noticed"] += 1
                else:
                    unnoticed.append({"text": text, "planted": fault, "word": "-".join(word)})
    return {**totals, "control": control, "faults": faulty, "unnoticed": unnoticed}
