"""What benchmarks/fuzz.py attacks: for each kind of input valid files, the damage that fits, and how it is read."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import voxclone
from mutations import damaged, damaged_json, damaged_safetensors
from voxclone.audio.io import read_audio, stream_audio
from voxclone.cli.consent import read_record
from voxclone.evaluation.lists import read_list
from voxclone.finetuning.sources import read_sources
from voxclone.safety.challenge import Challenge
from voxclone.safety.inspection import inspect_file
from voxclone.safety.labels import sidecar_path
from voxclone.safety.validity import VARIABLE, revocations
from voxclone.subtitles import read_subtitles
from voxclone.synthesis.reading import read
from voxclone.text.book import chapters
from voxclone.text.lexicon import read_lexicon
from voxclone.text.markup import Markup

Damage = Callable[[bytes, random.Random, Sequence[bytes], Sequence[bytes]], bytes]
Reader = Callable[[str, bytes], object]


@dataclass(frozen=True)
class Target:
    """One kind of input.

    Attributes:
        what: In words.
        reader: From the folder of valid inputs and a folder to write to, to what reads an input of a suffix.
        damage: How inputs are changed, each as often.
        tokens: What is put in.
    """

    what: str
    reader: Callable[[Path, Path], Reader]
    damage: tuple[Damage, ...] = (damaged,)
    tokens: Sequence[bytes] = ()


def in_json(content: bytes, draw: random.Random, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    return damaged_json(content, draw) if content[:1] in (b"{", b"[") else damaged(content, draw, others, tokens)


def in_header(content: bytes, draw: random.Random, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    return damaged_safetensors(content, draw)


def from_file(read_path: Callable[[Path], object]) -> Callable[[Path, Path], Reader]:
    """A reader that is given a file."""

    def reader(seeds: Path, work: Path) -> Reader:
        def read_content(suffix: str, content: bytes) -> object:
            path = work / f"given{suffix}"
            path.write_bytes(content)
            return read_path(path)

        return read_content

    return reader


def _model_part(seeds: Path, work: Path) -> Reader:
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
                sums = [f"{hashlib.sha256((folder / each).read_bytes()).hexdigest()}  {each}\n" for each in names]
                (folder / "sha256.txt").write_text("".join(sums))
            return voxclone.VoxClone.from_pretrained(folder, device="cpu")
        finally:
            (folder / name).write_bytes(whole[name])
            (folder / "sha256.txt").write_bytes(whole["sha256.txt"])

    return read_content


def _voice(path: Path) -> object:
    voice = voxclone.Voice.load(path)
    return voice.adapter.changes() if voice.adapter else voice


def _sound(path: Path) -> object:
    for block, _ in stream_audio(path):
        assert np.isfinite(block).all()
    samples, rate = read_audio(path.read_bytes())
    assert np.isfinite(samples).all() and 4000 <= rate <= 384000
    return None


def _label_beside(seeds: Path, work: Path) -> Reader:
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


def _text(seeds: Path, work: Path) -> Reader:
    kinds: dict[str, Markup] = {".plain": "plain", ".inline": "auto", ".ssml": "ssml"}

    def read_content(suffix: str, content: bytes) -> object:
        text = content.decode("utf-8", "surrogateescape")[:3000]
        if suffix == ".book":
            return chapters(text)
        return read(text, "en-us", None, True, kinds[suffix])

    return read_content


def _record(path: Path) -> object:
    if path.suffix == ".challenge":
        return Challenge.load(path)
    if path.suffix == ".revocations":
        os.environ[VARIABLE] = str(path)
        try:
            return revocations()
        finally:
            del os.environ[VARIABLE]
    return read_record(str(path))


def _list(seeds: Path, work: Path) -> Reader:
    """Lists that name audio: for evaluation, fine-tuning, and cues."""
    names = {".csv": "metadata.csv", ".jsonl": "metadata.jsonl", ".scp": "wav.scp", ".segments": "segments"}

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
        if suffix == ".segments":
            (folder / "wav.scp").write_text("a a.wav\nb b.wav\n")
        return read_sources(folder)

    return read_content


TEXT_TOKENS = [
    *rb"""<prosody_rate='slow'> </prosody> <!DOCTYPE &b; &#0; <sub_alias=' <say-as [pause [a](/b/) ]( (speed= **
    $1,000,000.99 1/2/2003 12:30 https://a.b/c?d III 99999999999999999999""".split(),
    *"½ ٣ ％ \u202e\ufeff\0 \U0001f600\u0301".encode().split(),
    b"<break time='9s'/>",
    b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
    b"\n\n",
    b"a" * 300,
]
PLS_TOKENS = [
    *rb"""<!DOCTYPE a [<!ENTITY b 'c'>]> &b; <lexeme> </lexeme> <phoneme> " {""".split(),
    b"\t",
    b"\n",
    b"\xff",
]
LIST_TOKENS = [*rb"""| " , / ../../etc/passwd 99:59:59,999 --> < &#xd800;""".split(), b"\t", b"\n", b"\x00", b"\xff"]

TARGETS: dict[str, Target] = {
    "voice": Target(
        "voice files, with and without an adapter",
        from_file(_voice),
        (damaged, in_header, in_header),
    ),
    "config": Target("a model's config.json, and sha256.txt", _model_part, (damaged, in_json, in_json)),
    "weights": Target("a model's safetensors files", _model_part, (damaged, in_header, in_header)),
    "audio": Target("wav, flac, mp3, ogg, opus, m4a files", from_file(_sound)),
    "labels": Target("tags, sidecars and signed manifests of audio, by inspect", _label_beside),
    "text": Target(
        "plain text, markup, SSML and books",
        _text,
        tokens=TEXT_TOKENS,
    ),
    "lexicon": Target(
        "lexicons in JSON, TSV and PLS",
        from_file(read_lexicon),
        tokens=PLS_TOKENS,
    ),
    "records": Target(
        "consent records, challenges and revocation lists",
        from_file(_record),
        (damaged, in_json, in_json),
        tokens=(b"[" * 200, b"{", b"NaN", b"1e999", b'"', b"\\ud800"),
    ),
    "lists": Target(
        "subtitles, evaluation lists and corpus tables",
        _list,
        tokens=LIST_TOKENS,
    ),
}
