"""What benchmarks/fuzz.py attacks: for each kind of input valid files, the damage that fits, and how it is read."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import fuzz_readers as readers
from fuzz_readers import Reader, from_file
from mutations import damaged, damaged_json, damaged_safetensors
from voxclone.text.lexicon import read_lexicon

Damage = Callable[[bytes, random.Random, Sequence[bytes], Sequence[bytes]], bytes]


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

JSON_TOKENS = (b"[" * 200, b"{", b"NaN", b"1e999", b'"', b"\\ud800")

TARGETS: dict[str, Target] = {
    "voice": Target(
        "voice files, with and without an adapter",
        from_file(readers.read_voice),
        (damaged, in_header, in_header),
    ),
    "config": Target("a model's config.json, and sha256.txt", readers.model_part, (damaged, in_json, in_json)),
    "weights": Target("a model's safetensors files", readers.model_part, (damaged, in_header, in_header)),
    "vocoder": Target(
        "public vocoders' configurations and checkpoints", readers.vocoder, (damaged, in_json), tokens=JSON_TOKENS
    ),
    "audio": Target("wav, flac, mp3, ogg, opus, m4a files", from_file(readers.read_sound)),
    "references": Target("recordings that are cloned and aligned", readers.references),
    "labels": Target("tags, sidecars and signed manifests of audio, by inspect", readers.label_beside),
    "text": Target("plain text, Markdown, markup, SSML, books, and text in pieces", readers.text, tokens=TEXT_TOKENS),
    "speech": Target(
        "texts, subtitles and prosody files that are spoken to the end, and the times of that",
        readers.speech,
        (damaged, damaged, in_json),
        tokens=[*TEXT_TOKENS, *LIST_TOKENS],
    ),
    "lexicon": Target("lexicons in JSON, TSV and PLS", from_file(read_lexicon), tokens=PLS_TOKENS),
    "records": Target(
        "consent records, challenges, revocation lists, published voices, a narration's index",
        readers.records,
        (damaged, in_json, in_json),
        tokens=JSON_TOKENS,
    ),
    "lists": Target("subtitles, evaluation lists and corpus tables", readers.lists, tokens=LIST_TOKENS),
}
