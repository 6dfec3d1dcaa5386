"""What is said while it is made: to a pipe, to a sound device, and a book into a folder."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import voxclone
from voxclone import VoxClone
from voxclone.cli import main
from voxclone.cli.inputs import arriving_text

ROOT = str(Path(voxclone.__file__).parents[1])
TEXT = "The boats went out. Nobody saw them again."


class Pipe(io.BytesIO):
    """Standard input or output with bytes below it."""

    @property
    def buffer(self) -> Pipe:
        return self

    def isatty(self) -> bool:
        return False


@pytest.fixture
def model(tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.chdir(tmp_path)
    return ["--model", str(tiny_folder), "--device", "cpu"]


def pcm(data: bytes) -> np.ndarray[Any, Any]:
    return np.frombuffer(data, "<i2") / 32768


@pytest.mark.parametrize("output", [["-o", "-"], []])
def test_a_pipe_is_read_and_raw_samples_written(
    model: list[str], tiny_model: VoxClone, monkeypatch: pytest.MonkeyPatch, output: list[str]
) -> None:
    pipe = Pipe()
    monkeypatch.setattr(sys, "stdin", Pipe(TEXT.encode()))
    monkeypatch.setattr(sys, "stdout", pipe)
    assert main(["say", "-", *output, *model]) == 0
    spoken = np.concatenate([c.samples for c in tiny_model.stream(iter([TEXT]), tiny_model.voices["ada"])])
    np.testing.assert_allclose(pcm(pipe.getvalue()), spoken, atol=2e-3)


@pytest.mark.parametrize(
    "text",
    [
        "Wait [pause 1s] for *it*.",
        '<?xml version="1.0"?>\n<speak>Wait <break time="1s"/>for <emphasis>it</emphasis>.</speak>',
    ],
)
def test_a_pipes_markup_is_followed(
    model: list[str], tiny_model: VoxClone, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    pipe = Pipe()
    monkeypatch.setattr(sys, "stdin", Pipe(text.encode()))
    monkeypatch.setattr(sys, "stdout", pipe)
    assert main(["say", "-", *model]) == 0
    spoken = tiny_model.generate(text, tiny_model.voices["ada"])
    assert [word.text for word in spoken.words] == ["Wait", "for", "it"]
    np.testing.assert_allclose(pcm(pipe.getvalue()), spoken.samples, atol=2e-3)


class Device:
    """A sound device that keeps what it is given."""

    heard: list[bytes]
    events: list[str]

    def __init__(self, samplerate: int, channels: int, dtype: str) -> None:
        assert (samplerate, channels, dtype) == (22050, 1, "int16")
        Device.heard, Device.events = [], []

    def write(self, data: bytes) -> None:
        Device.heard.append(data)

    def __getattr__(self, name: str) -> Any:
        return lambda: Device.events.append(name)


def test_it_is_played_on_a_device(model: list[str], tiny_model: VoxClone, monkeypatch: pytest.MonkeyPatch) -> None:
    sounddevice = SimpleNamespace(RawOutputStream=Device, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice)
    assert main(["say", TEXT, "--play", "--voice", "bob", *model]) == 0
    expected = tiny_model.generate(TEXT, tiny_model.voices["bob"]).samples
    np.testing.assert_allclose(pcm(b"".join(Device.heard)), expected, atol=2e-3)
    assert len(Device.heard) > 1
    assert Device.events == ["start", "stop", "close"]


def test_without_a_device_the_way_on_is_told(
    model: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none(**_: object) -> None:
        raise RuntimeError("Error querying device -1")

    sounddevice = SimpleNamespace(RawOutputStream=none, PortAudioError=RuntimeError)
    monkeypatch.setitem(sys.modules, "sounddevice", sounddevice)
    assert main(["say", TEXT, "--play", *model]) == 2
    assert "-o FILE" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    assert main(["say", TEXT, "--play", *model]) == 2
    assert "voxclone[play]" in capsys.readouterr().err
    assert main(["say", TEXT, "--play", "-o", "x.wav", *model]) == 2


def test_text_arrives_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxclone.cli.inputs.READ_BYTES", 3)  # in the middle of a letter
    pieces = list(arriving_text(io.BytesIO("Größe. Ende.".encode())))
    assert "".join(pieces) == "Größe. Ende."
    assert len(pieces) > 3
    with pytest.raises(ValueError, match="UTF-8"):
        list(arriving_text(io.BytesIO(b"\xff\xfe")))


def test_a_book_is_narrated(model: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "book.txt").write_text("# One\n\nIt began.\n\n# Two\n\nIt ended.\n", encoding="utf-8")
    assert main(["narrate", "book.txt", "-o", "spoken", "--format", "wav", *model]) == 0
    assert "0:00:00\tOne" in (told := capsys.readouterr().out)
    assert "2 files, read by ada" in told
    index = json.loads((tmp_path / "spoken" / "index.json").read_text())
    assert [part["file"] for part in index["parts"]] == ["000-00-one.wav", "001-00-two.wav"]
    (tmp_path / "short.txt").write_text("It began.", encoding="utf-8")
    assert main(["narrate", "short.txt", "-o", "short", *model]) == 0
    assert " min in 1 file, read by ada" in capsys.readouterr().out


def test_an_interrupted_book_says_so_and_goes_on(
    model: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("book.txt").write_text("# One\n\nIt began.\n\n# Two\n\nIt ended.")
    generate, spoken = VoxClone.generate, []

    def interrupted(self: VoxClone, text: str, *args: Any, **options: Any) -> Any:
        spoken.append(text)
        if len(spoken) == 2:
            raise KeyboardInterrupt
        return generate(self, text, *args, **options)

    monkeypatch.setattr(VoxClone, "generate", interrupted)
    book = ["narrate", "book.txt", "-o", "read", "--format", "wav", *model]
    assert main(book) == 130
    out, err = capsys.readouterr()
    assert (out, err) == (
        "",
        "voxclone: interrupted; the parts that were finished stay, and the same command goes on\n",
    )
    made = {"000-00-one.wav", "000-00-one.wav.provenance.json", "000-00-one.json", "index.json"}
    assert {path.name for path in Path("read").iterdir()} == made
    assert main(book) == 0
    assert spoken == ["  One\n\nIt began.\n\n", "  Two\n\nIt ended.", "  Two\n\nIt ended."]


def test_a_book_is_read_as_say_would(model: list[str], tiny_model: VoxClone) -> None:
    text = "[Siobhan](pitch=+2) came [pause 1s] late."
    Path("book.txt").write_text(text)
    Path("names.tsv").write_text("Siobhan\tʃɪvˈɔːn\n")
    told = ["--lexicon", "names.tsv", "--pitch", "-2", "--pitch-range", "1.3", "--energy", "0.9", "--seed", "4"]
    assert main(["narrate", "book.txt", "-o", "read", "--format", "wav", *told, *model]) == 0
    assert main(["say", text, "-o", "said.wav", *told, *model]) == 0
    read, said = Path("read/000-00.wav").read_bytes(), Path("said.wav").read_bytes()
    assert read[-40000:] == said[-40000:]  # the samples; the tags have a time
    before = Path("read/000-00.wav").stat().st_mtime_ns
    Path("names.tsv").write_text("Siobhan\tʃˈɪv\n")  # the same name, another content
    assert main(["narrate", "book.txt", "-o", "read", "--format", "wav", *told, *model]) == 0
    assert Path("read/000-00.wav").stat().st_mtime_ns > before
    assert main(["narrate", "book.txt", "-o", "plain", "--markup", "plain", "--format", "wav", *model]) == 0
    words = json.loads(Path("plain/000-00.json").read_text())["words"]
    assert "pause" in [word for word, _, _ in words]


def test_output_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    """A reader that has left ends the command quietly; a full disk is one line."""
    command = [sys.executable, "-m", "voxclone.cli", "consent", "challenge"]
    environment = os.environ | {"PYTHONPATH": ROOT}
    environment.pop("PYTHONUNBUFFERED", None)
    told: dict[str, Any] = {"stderr": subprocess.PIPE, "text": True, "env": environment, "cwd": tmp_path}
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as nobody:
        left = subprocess.run(command, stdout=nobody, check=False, **told)
    assert (left.returncode, left.stderr) == (141, "")
    if Path("/dev/full").exists():
        with open("/dev/full", "wb") as full:
            failed = subprocess.run(command, stdout=full, check=False, **told)
        assert (failed.returncode, failed.stderr) == (2, "voxclone: error: No space left on device\n")


def test_an_error_leaves_the_callers_output() -> None:
    """A file that cannot be read is no reason to close the standard output of a program that calls `main`."""
    code = (
        "from voxclone import cli\n"
        "def failing(options): open('/nowhere/at/all')\n"
        "cli.doctor.doctor = failing\n"
        "print(cli.main(['doctor']))\n"
    )
    told: dict[str, Any] = {"capture_output": True, "text": True, "env": os.environ | {"PYTHONPATH": ROOT}}
    done = subprocess.run([sys.executable, "-c", code], check=True, **told)
    assert (done.stdout, done.stderr) == ("2\n", "voxclone: error: /nowhere/at/all: No such file or directory\n")
