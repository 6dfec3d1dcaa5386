"""What may be given by mistake is refused in voxclone's own words: what was found, and what is needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from voxclone import (
    ConfigError,
    ModelError,
    Prosody,
    Segment,
    Speech,
    TextError,
    Voice,
    VoiceError,
    VoxClone,
    VoxcloneError,
)

TEXT = "Hello there, you."
NAN = float("nan")
Call = Callable[[Any, Any, Path], Any]


@pytest.fixture(scope="module")
def prosody(tiny_model: VoxClone) -> Prosody:
    found = tiny_model.generate(TEXT, tiny_model.voices["ada"]).prosody
    assert found is not None
    return found


WRONG: dict[str, tuple[Call, type[VoxcloneError], str]] = {
    "no text": (lambda m, v, _: m.generate(None, v), TextError, "this is NoneType"),
    "bytes": (lambda m, v, _: m.generate(b"hello", v), TextError, "this is bytes"),
    "a path": (lambda m, v, _: m.generate(Path("a.txt"), v), TextError, "a text is a str"),
    "an iterator": (lambda m, v, _: m.generate(iter(["a"]), v), TextError, "a list of them"),
    "a mapping": (lambda m, v, _: m.generate({"a": 1}, v), TextError, "this is dict"),
    "a list with a number": (lambda m, v, _: m.generate(["a", 1], v), TextError, "one is int"),
    "a list with nothing": (lambda m, v, _: m.generate(["a", ""], v), TextError, "text 2 of 2: the text is empty"),
    "a voice's name": (lambda m, v, _: m.generate(TEXT, "ada"), VoiceError, r"take model\.voices\['ada'\]"),
    "a voice's file": (lambda m, v, _: m.stream(TEXT, "me.voice"), VoiceError, r"Voice\.load"),
    "no voice": (lambda m, v, p: m.narrate(TEXT, None, p), VoiceError, "the voice is NoneType"),
    "no such markup": (lambda m, v, _: m.generate(TEXT, v, markup="html"), ConfigError, "one of 'auto', 'plain'"),
    "nor in a stream": (lambda m, v, _: m.stream(iter([TEXT]), v, markup=None), ConfigError, "markup is None"),
    "a speed that is none": (lambda m, v, _: m.generate(TEXT, v, speed=NAN), ConfigError, "from 0.25 to 4"),
    "a speed in words": (lambda m, v, _: m.generate(TEXT, v, speed="fast"), ConfigError, "speed is 'fast'"),
    "a time in words": (lambda m, v, _: m.generate(TEXT, v, duration_seconds="3s"), ConfigError, "is '3s'; it must be"),
    "times in one word": (
        lambda m, v, _: m.generate([TEXT, TEXT], v, duration_seconds="12"),
        ConfigError,
        "duration_seconds is str for 2 texts",
    ),
    "a register that is none": (
        lambda m, v, _: m.generate(TEXT, v).prosody.in_register(0.0),
        ConfigError,
        "f0_median is 0.0; it must be above 0 Hz",
    ),
    "a signer's file": (
        lambda m, v, p: m.generate(TEXT, v).save(p / "a.wav", signer="key.pem"),
        ConfigError,
        r"signer is str; take Signer\.load",
    ),
    "a prosody's file": (lambda m, v, _: m.generate(TEXT, v, prosody="p.json"), ConfigError, r"Prosody\.load"),
    "a list of voices": (
        lambda m, v, _: m.generate("<speak><voice name='x'>Hi</voice></speak>", v, voices=[v]),
        VoiceError,
        "voices is list",
    ),
    "a list for a lexicon": (lambda m, v, _: m.generate(TEXT, v, lexicon=["a"]), TextError, "this is list"),
    "a lexicon of numbers": (lambda m, v, _: m.generate(TEXT, v, lexicon={"hello": 3}), TextError, "'hello': 3 is no"),
    "subtitles as strings": (lambda m, v, _: m.dub(["a"], v), ConfigError, r"subtitle 1 is 'a'; .*Segment"),
    "no subtitles": (lambda m, v, _: m.dub(None, v), ConfigError, "not NoneType"),
    "a time as a string": (
        lambda m, v, _: m.dub([Segment("a", "0", "2")], v),
        ConfigError,
        "start_seconds of subtitle",
    ),
    "a time out of reach": (lambda m, v, _: m.dub([Segment("a", 1e9, 2e9)], v), ConfigError, "from 0 to 21600"),
    "a book's name": (lambda m, v, p: m.narrate("a.txt", v, p), TextError, r"pathlib\.Path\('a\.txt'\)"),
    "no book": (lambda m, v, p: m.narrate(None, v, p), TextError, "this is NoneType"),
    "no folder": (lambda m, v, _: m.narrate(TEXT, v, None), ConfigError, "is a path; this is NoneType"),
    "no suffix": (lambda m, v, p: m.narrate(TEXT, v, p, suffix=None), VoxcloneError, "unknown suffix None"),
    "no text of a recording": (
        lambda m, v, _: m.measure_prosody((np.ones(22050, np.float32), 22050), None),
        TextError,
        "a text is a str; this is NoneType",
    ),
    "no model": (lambda m, v, _: VoxClone.from_pretrained(m), ModelError, "or a name on the Hub, .* this is VoxClone"),
    "no voice's file": (lambda m, v, _: Voice.load(v), VoiceError, "by a path; this is Voice"),
    "a list of voices to mix": (lambda m, v, _: Voice.mix([v, v]), VoiceError, "of voices and their weights"),
    "names to mix": (lambda m, v, _: Voice.mix({"ada": 1.0}), VoiceError, "of voices and their weights"),
    "a weight in words": (lambda m, v, _: Voice.mix({v: "1"}), VoiceError, "the weight of 'ada' is '1'"),
    "a mix's number": (lambda m, v, _: Voice.mix({v: 1.0}, name=3), VoiceError, "name is a str; this is int"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_it_is_refused(tiny_model: VoxClone, tmp_path: Path, wrong: str) -> None:
    call, kind, message = WRONG[wrong]
    folder = tmp_path / "made"
    with pytest.raises(kind, match=message):
        call(tiny_model, tiny_model.voices["ada"], folder)
    assert not folder.exists()


def test_numbers_of_numpy_are_numbers(tiny_model: VoxClone) -> None:
    ada = tiny_model.voices["ada"]
    plain: Speech = tiny_model.generate(TEXT, ada, speed=2.0, pitch=-1.0, seed=3, duration_seconds=1.5)
    wanted: Any = {
        "speed": np.int64(2),
        "pitch": np.float32(-1),
        "seed": np.int32(3),
        "duration_seconds": np.float16(1.5),
    }
    assert np.array_equal(tiny_model.generate(TEXT, ada, **wanted).samples, plain.samples)


def test_no_prosody_is_no_prosody(tiny_model: VoxClone, prosody: Prosody) -> None:
    ada = tiny_model.voices["ada"]
    with pytest.raises(ConfigError, match="prosody is tuple; it must be"):
        tiny_model.generate([TEXT, TEXT], ada, prosody=[prosody, (1, 2)])  # type: ignore[list-item]
