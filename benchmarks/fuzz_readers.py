"""How benchmarks/fuzz.py reads what was damaged: through the doors that strangers' files and texts come in by.

Each function takes the folder of valid inputs and a folder to write to, and gives what reads one input of a suffix.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import voxclone
from voxclone.audio.io import read_audio, stream_audio
from voxclone.cli.consent import read_record
from voxclone.evaluation.lists import read_list
from voxclone.finetuning.sources import read_sources
from voxclone.hub.voices import ABOUT_FILE, SUMS_FILE, VOICE_FILE, fetch_voice
from voxclone.models.vocoder.convert import read_public_checkpoint, read_public_config
from voxclone.safety.challenge import Challenge
from voxclone.safety.inspection import inspect_file
from voxclone.safety.labels import sidecar_path
from voxclone.safety.validity import VARIABLE, revocations
from voxclone.subtitles import read_subtitles
from voxclone.synthesis.dubbing import check_times
from voxclone.synthesis.narration import INDEX, narrate
from voxclone.synthesis.reading import ArrivingReader, read
from voxclone.text.book import chapters
from voxclone.text.markup import Markup, parse
from voxclone.timestamps import WRITERS

Reader = Callable[[str, bytes], object]
MAX_TEXT = 3000  # characters: time is linear in them
MAX_SPOKEN = 400
MAX_PHONEMES = 1500  # about two minutes of speech
MAX_SILENCE = 60.0  # seconds that a text may ask for where its samples are made, which memory has to hold
KINDS: dict[str, Markup] = {".plain": "plain", ".pieces": "auto", ".inline": "auto", ".ssml": "ssml"}
READING: dict[str, Any] = {
    "suffix": ".wav", "part_minutes": 10, "signer": None, "identity": "", "markup": "plain", "progress": False
}  # fmt: skip
BOOK = "# One\n\nHello.\n"  # that the narration's index is of


def from_file(read_path: Callable[[Path], object]) -> Callable[[Path, Path], Reader]:
    """A reader that is given a file."""

    def reader(seeds: Path, work: Path) -> Reader:
        def read_content(suffix: str, content: bytes) -> object:
            path = work / f"given{suffix}"
            path.write_bytes(content)
            return read_path(path)

        return read_content

    return reader


def model_part(seeds: Path, work: Path) -> Reader:
    """A model folder with one file exchanged, its sums made to fit."""
    folder = work / "model"
    shutil.copytree(seeds / "whole-model", folder, dirs_exist_ok=True)
    whole = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    def read_content(suffix: str, content: bytes) -> object:
        name = suffix[1:].replace("-", ".")
        (folder / name).write_bytes(content)
        try:
            if name != "sha256.txt":
                lines = whole["sha256.txt"].decode().splitlines()
                names = [line.partition("  ")[2] for line in lines]
                (folder / "sha256.txt").write_text(sums_of(folder, names))
            return voxclone.VoxClone.from_pretrained(folder, device="cpu")
        finally:
            (folder / name).write_bytes(whole[name])
            (folder / "sha256.txt").write_bytes(whole["sha256.txt"])

    return read_content


def read_voice(path: Path) -> object:
    voice = voxclone.Voice.load(path)
    return voice.adapter.changes() if voice.adapter else voice


def read_sound(path: Path) -> object:
    for block, _ in stream_audio(path):
        assert np.isfinite(block).all()
    samples, rate = read_audio(path.read_bytes())
    assert np.isfinite(samples).all() and 4000 <= rate <= 384000
    return None


def label_beside(seeds: Path, work: Path) -> Reader:
    """Audio with tags, a sidecar or a manifest of which one is damaged."""
    plain = {path.suffix: path for path in (seeds / "labels").iterdir() if path.suffix != ".json"}

    def read_content(suffix: str, content: bytes) -> object:
        if suffix == ".json":
            audio = work / "given.wav"
            shutil.copy(plain[".wav"], audio)
            sidecar_path(audio).write_bytes(content)
        else:
            audio = work / f"given{suffix}"
            audio.write_bytes(content)
        try:
            return inspect_file(audio)
        finally:
            sidecar_path(audio).unlink(missing_ok=True)

    return read_content


def text(seeds: Path, work: Path) -> Reader:
    """Texts of every kind, whole, as a book, and in pieces as a language model's."""

    def read_content(suffix: str, content: bytes) -> object:
        given = content.decode("utf-8", "surrogateescape")[:MAX_TEXT]
        if suffix == ".book":
            return chapters(given)
        if suffix == ".pieces":
            reader = ArrivingReader("en-us", None, True, KINDS[suffix])
            size = 1 + len(given) % 29
            came = [list(reader.add(given[at : at + size])) for at in range(0, len(given), size)]
            return [*came, list(reader.finish())]
        return read(given, "en-us", None, True, KINDS[suffix])

    return read_content


def speech(seeds: Path, work: Path) -> Reader:
    """Texts, subtitles and prosody files, spoken to the end by a small model, and the times of all written."""
    model = voxclone.VoxClone.from_pretrained(seeds / "whole-model", device="cpu")
    voice = model.voices["Ada"]
    path = work / "given"

    def read_content(suffix: str, content: bytes) -> object:
        if suffix in (".srt", ".prosody"):
            path.with_suffix(suffix).write_bytes(content)
        if suffix == ".srt":
            cues = read_subtitles(path.with_suffix(suffix))
            check_times(cues)
            if cues[-1].end_seconds > MAX_SILENCE:
                return None
            said = model.dub(path.with_suffix(suffix), voice)
        elif suffix == ".prosody":
            prosody = voxclone.Prosody.load(path.with_suffix(suffix))
            if prosody.duration_seconds > MAX_SILENCE:
                return None
            said = model.generate("One two three.", voice, prosody=prosody)
        else:
            given = content.decode("utf-8", "surrogateescape")[:MAX_SPOKEN]
            script = parse(given, KINDS[suffix])
            asked = [each.value for each in script.pauses] + [each.value for each in script.durations]
            if sum(map(float, asked)) > MAX_SILENCE:
                return None
            chunks = read(given, model.config.text.language, None, True, KINDS[suffix])
            if sum(len(chunk.symbols) for chunk in chunks) > MAX_PHONEMES:
                return None  # "½" is two words: memory goes by what is spoken, which benchmarks/streaming.py measures
            said = model.generate(given, voice, markup=KINDS[suffix])
        for times in WRITERS.values():
            times(said).encode()
        assert np.isfinite(said.samples).all()
        return said

    return read_content


def references(seeds: Path, work: Path) -> Reader:
    """Recordings that a voice is cloned from, and that a text is aligned with."""
    model = voxclone.VoxClone.from_pretrained(seeds / "whole-model", device="cpu")
    consent = voxclone.Consent.attest("Ada", basis="sounds made by arithmetic")

    def read_content(suffix: str, content: bytes) -> object:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # what is wrong with a recording
            warnings.simplefilter("error", RuntimeWarning)  # what NumPy should not have had to compute
            voice = model.clone(content, name="Ada", consent=consent)
            assert np.isfinite(voice.speaker_embedding).all() and np.isfinite(voice.spectrum).all()
            return model.align(content, "One two three.")

    return read_content


def vocoder(seeds: Path, work: Path) -> Reader:
    """A public vocoder's configuration, or its checkpoint beside the right configuration."""
    right = read_public_config(seeds / "vocoder" / "config.json")

    def read_content(suffix: str, content: bytes) -> object:
        path = work / f"given{suffix}"
        path.write_bytes(content)
        if suffix == ".json":
            return read_public_config(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch's, of another pickle protocol
            return read_public_checkpoint(path, right)

    return read_content


def records(seeds: Path, work: Path) -> Reader:
    """Consent records and what else is JSON: challenges, revocations, published voices, a narration's index."""
    published, book = work / "published", work / "book"
    for folder in (published, book):
        folder.mkdir(exist_ok=True)
    shutil.copy(seeds / "voice" / "ada.voice", published / VOICE_FILE)
    for part in json.loads((seeds / "records" / "a.index").read_bytes())["parts"]:
        (book / part["file"]).touch()  # as if it had been spoken

    def read_content(suffix: str, content: bytes) -> object:
        path = work / f"given{suffix}"
        path.write_bytes(content)
        if suffix == ".challenge":
            return Challenge.load(path)
        if suffix == ".revocations":
            os.environ[VARIABLE] = str(path)
            try:
                return revocations()
            finally:
                del os.environ[VARIABLE]
        if suffix == ".published":
            (published / ABOUT_FILE).write_bytes(content)
            (published / SUMS_FILE).write_text(sums_of(published, (VOICE_FILE, ABOUT_FILE)))
            return fetch_voice(published)
        if suffix == ".index":
            (book / INDEX).write_bytes(content)
            return narrate(_say_nothing, BOOK, book, **READING)
        return read_record(str(path))

    return read_content


def _say_nothing(text: str) -> voxclone.Speech:
    raise voxclone.TextError("nothing is spoken here")


def sums_of(folder: Path, names: Iterable[str]) -> str:
    """A sha256.txt that fits."""
    return "".join(f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names)


def lists(seeds: Path, work: Path) -> Reader:
    """Lists that name audio: for evaluation, fine-tuning, and cues."""
    names = {
        ".csv": "metadata.csv", ".jsonl": "metadata.jsonl", ".trans": "a.trans.txt", ".scp": "wav.scp",
        ".segments": "segments", ".said": "text", ".utt2spk": "utt2spk",
    }  # fmt: skip

    def read_content(suffix: str, content: bytes) -> object:
        folder = work / f"folder{suffix}"
        folder.mkdir(exist_ok=True)
        for name in ("a", "b"):
            shutil.copy(seeds / "labels" / "given.wav", folder / f"{name}.wav")
        path = folder / names.get(suffix, f"list{suffix}")
        path.write_bytes(content)
        if suffix in (".srt", ".vtt"):
            read_subtitles(path)
        if suffix in (".tsv", ".lst"):
            return read_list(path)
        if suffix in (".srt", ".vtt"):
            shutil.copy(path, folder / f"a{suffix}")
        if suffix in (".segments", ".said", ".utt2spk"):
            (folder / "wav.scp").write_text("a a.wav\nb b.wav\n")
        return read_sources(folder)

    return read_content
