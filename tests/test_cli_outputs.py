"""Where results go is checked before anything is loaded or made."""

from __future__ import annotations

import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from voxclone import VoxClone, hub
from voxclone.audio import m4a
from voxclone.cli import main
from voxclone.errors import AudioError, ConfigError, TextError
from voxclone.files import require_folder, require_place

CLONE = ["clone", "clip.wav", "--name", "Me", "--consent", "mine"]
VERIFY = ["consent", "verify", "clip.wav", "--reference", "clip.wav", "--speaker", "Me"]
TUNE = ["finetune", "clips", "--consent", "mine"]
EVALUATE = ["evaluate", "list.tsv", "--consent", "CC BY 4.0"]


def _needs(*modules: str) -> pytest.MarkDecorator:
    """What a command says of a missing extra comes first."""
    return pytest.mark.skipif(not all(map(find_spec, modules)), reason=f"{modules[0]}'s extra is not installed")


@pytest.fixture(autouse=True)
def _nothing_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*args: Any, **options: Any) -> None:
        pytest.fail("a model was loaded")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(VoxClone, "from_pretrained", load)
    monkeypatch.setattr(hub, "resolve", load)
    Path("taken.json").mkdir()
    Path("taken.wav.provenance.json").mkdir()
    Path("file").write_text("mine")
    Path("binary").write_bytes(b"\xff\xfe\x00")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["say", "Hello.", "-o", "speech.txt"],
            r"speech\.txt: unknown suffix '\.txt'; one of \.wav, .*m4a is",
        ),
        (["say", "Hello.", "-o", "no/speech.wav"], r"no/speech\.wav: the folder no does not exist; create it first"),
        (["say", "Hello.", "-o", "file/speech.wav"], r"file is a file; a folder is needed there"),
        (["say", "Hello.", "-o", "."], r"\. is a folder; a file name is needed"),
        (["say", "Hello.", "-o", ""], "the name '' of a file or folder to write is empty; give one"),
        (["say", "Hello.", "-o", "taken.wav"], r"taken\.wav\.provenance\.json is a folder"),
        pytest.param(
            ["say", "Hello.", "-o", "a.ogg", "--sign"],
            r"\.ogg files cannot be signed",
            marks=_needs("c2pa", "cryptography"),
        ),
        (["say", "Hello.", "-o", f"{300 * 'a'}.wav"], "aaa.wav cannot be written: File name too long"),
        (["say", "Hello.", "--times", "no/t.srt"], r"no/t\.srt: the folder no does not exist; create it first"),
        (["say", "Hello.", "--times", "t.txt"], r"t\.txt: times can be written as \.srt, .*; unknown suffix '\.txt'"),
        (["say", "Hello.", "--times", "taken.json"], r"taken\.json is a folder"),
        (["say", "Hello.", "--times", ""], "is empty"),
        (["say", "-", "--play", "--times", "t.srt"], "are for files"),
        (["dub", "a.srt", "-o", "dub.txt"], r"unknown suffix '\.txt'"),
        (["dub", "a.srt", "--times", "no/t.vtt"], "the folder no does not exist"),
        ([*CLONE, "-o", "no/me.voice"], r"no/me\.voice: the folder no does not exist"),
        ([*CLONE, "-o", ""], "is empty"),
        ([*CLONE, "-o", "/dev/null"], "/dev/null is a device or a pipe"),
        (["consent", "challenge", "-o", "no/c.json"], "the folder no does not exist"),
        ([*VERIFY, "-o", "no/consent.json"], "the folder no does not exist"),
        (
            ["narrate", "book.txt", "-o", "file"],
            "file is a file; a folder is needed there",
        ),
        (["narrate", "book.txt", "-o", "file/book"], "file is a file; a folder is needed"),
        (["narrate", "book.txt", "-o", "book", "--format", "doc"], r"unknown suffix '\.doc'"),
        pytest.param(
            ["narrate", "file", "-o", "book", "--format", "ogg", "--sign"],
            r"\.ogg files cannot be signed",
            marks=_needs("c2pa", "cryptography"),
        ),
        pytest.param(
            ["dub", "a.srt", "-o", "dub.opus", "--sign"],
            r"\.opus files cannot be signed",
            marks=_needs("c2pa", "cryptography"),
        ),
        (["narrate", "binary", "-o", "book"], r"binary cannot be read: line 1 is not UTF-8"),
        (["narrate", "book.txt", "-o", "book"], r"book\.txt cannot be read: No such file"),
        (["narrate", "file", "-o", "book", "--lexicon", "no.tsv"], r"no\.tsv cannot be read: No such file"),
        (["say", "Hello.", "--lexicon", "file"], r"lexicon file: a file named \.json, .* is needed"),
        (["dub", "file"], r"file has no subtitles"),
        (["dub", "a.srt"], r"a\.srt cannot be read: No such file"),
        pytest.param([*TUNE, "-o", "file"], "file is a file; a folder is needed", marks=_needs("accelerate")),
        pytest.param([*TUNE, "--output", "file"], "file is a file; a folder is needed", marks=_needs("accelerate")),
        ([*EVALUATE, "-o", "file"], "file is a file; a folder is needed"),
        ([*EVALUATE[:2], "--consent", "ada.json", "-o", "r"], r"in words, not a record such as ada\.json"),
        (["export", "-o", "file"], "file is a file; a folder is needed"),
        (["export", "-o", ""], "is empty"),
    ],
)
def test_it_is_refused_at_once(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(os.listdir())
    assert main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("voxclone: error: ")
    assert err.count("\n") == 1
    assert re.search(said, err), err
    assert sorted(os.listdir()) == before
    assert Path("file").read_text() == "mine"


def test_a_missing_extra_is_told_at_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ConfigError, match="voxclone"):
        m4a.library()
    for arguments in (["say", "Hello.", "-o", "a.m4a"], ["narrate", "b.txt", "-o", "b", "--format", "m4a"]):
        assert main(arguments) == 2
        assert 'pip install "voxclone[m4a]"' in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="has no folder that nobody can write to")
def test_a_folder_that_cannot_be_written_to() -> None:
    with pytest.raises(TextError, match="the folder /proc cannot be written to: "):
        require_place(Path("/proc/a.srt"), TextError)
    with pytest.raises(AudioError, match="the folder /proc cannot be written to: "):
        require_folder(Path("/proc/one/two"), AudioError)


def test_what_can_be_written_is_let_be(tmp_path: Path) -> None:
    require_place(Path("new.wav"), AudioError)
    require_place(tmp_path / "file", AudioError)
    require_folder(Path("new/folder"), ConfigError)
    require_folder(tmp_path, ConfigError)
    Path("dangling").symlink_to("nowhere")
    require_place(Path("dangling"), ConfigError)
    assert sorted(os.listdir()) == ["binary", "dangling", "file", "taken.json", "taken.wav.provenance.json"]
