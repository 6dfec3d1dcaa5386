"""The command line says what it did in one line, and what went wrong in one line."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voxclone import ModelError, Voice, VoxClone, VoxcloneError, __version__, hub
from voxclone.cli import main


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def model(tiny_folder: Path) -> list[str]:
    return ["--model", str(tiny_folder), "--device", "cpu"]


def test_say_writes_a_file_and_tells(model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["say", "Hello there.", *model]) == 0
    out, err = capsys.readouterr()
    duration = soundfile.info("speech.wav").duration
    assert out.startswith(f"speech.wav: {duration:.2f} s of ada in ")
    assert "(RTF " in out
    assert out.count("\n") == 1
    assert err == ""


def test_say_warns_of_ssml_that_does_nothing(model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["say", 'Hello <break time="1s"/> there.', *model]) == 0
    assert capsys.readouterr().err == (
        "voxclone: warning: <break> at position 6 is SSML, and does nothing here: SSML is a text that begins with "
        "<speak> and ends with </speak>; inline markup, such as [pause 1s], needs neither\n"
    )


def test_say_passes_its_options_on(model: list[str], tiny_model: object) -> None:
    said = ["--voice", "bob", "--speed", "0.5", "--pitch", "2", "--energy", "2", "--seed", "7", "-o", "out.flac"]
    assert main(["say", "Hello there.", *model, *said]) == 0
    expected = tiny_model.generate(  # type: ignore[attr-defined]
        "Hello there.",
        tiny_model.voices["bob"],  # type: ignore[attr-defined]
        speed=0.5,
        pitch=2.0,
        energy=2.0,
        seed=7,
    )
    samples, rate = soundfile.read("out.flac", dtype="float32")
    assert (rate, soundfile.info("out.flac").format) == (22050, "FLAC")
    np.testing.assert_allclose(samples, expected.samples, atol=1.1 / 32768)


def test_dub_passes_its_options_on(model: list[str], tiny_model: VoxClone, capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nHello there.\n")
    said = ["--voice", "bob", "--pitch", "2", "--seed", "7", "--slowest", "2", "--times", "a.json", "-o", "dub.flac"]
    assert main(["dub", "a.srt", *model, *said]) == 0
    expected = tiny_model.dub("a.srt", tiny_model.voices["bob"], pitch=2.0, seed=7, slowest=2.0)
    np.testing.assert_allclose(soundfile.read("dub.flac")[0], expected.samples, atol=1.1 / 32768)
    assert capsys.readouterr().out == f"dub.flac: {expected.duration_seconds:.2f} s of bob\n"
    assert [word["text"] for word in json.loads(Path("a.json").read_text())["words"]] == ["Hello", "there"]


def test_subtitles_and_books_are_signed(model: list[str]) -> None:
    pytest.importorskip("c2pa", reason="the c2pa extra is not installed")
    from voxclone.safety.manifest import read_manifest

    Path("a.srt").write_text("1\n00:00:01,000 --> 00:00:03,000\nHello there.\n")
    Path("book.txt").write_text("Hello there.")
    assert main(["dub", "a.srt", "-o", "dub.mp3", "--sign", *model]) == 0
    assert main(["narrate", "book.txt", "-o", "book", "--sign", *model]) == 0
    for path in (Path("dub.mp3"), Path("book/000-00.flac")):
        manifest = read_manifest(path)
        assert manifest is not None and manifest.state == "valid", path


def test_say_reads_standard_input(model: list[str], tiny_model: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\ufeffOne two three.\r\n".encode())))
    assert main(["say", "-", "-o", "speech.wav", *model]) == 0
    expected = tiny_model.generate("One two three.", tiny_model.voices["ada"])  # type: ignore[attr-defined]
    assert len(soundfile.read("speech.wav")[0]) == len(expected.samples)


def test_clone_then_say(
    model: list[str], recording: tuple[NDArray[np.float32], int], capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write("clip.wav", *recording)
    assert main(["clone", "clip.wav", "clip.wav", "--name", "Ada L.", "--consent", "my own voice", *model]) == 0
    assert capsys.readouterr().out.startswith("ada-l.voice: Ada L., median f0 1")
    voice = Voice.load("ada-l.voice")
    assert (voice.name, voice.consent.speaker, voice.consent.basis) == ("Ada L.", "Ada L.", "my own voice")
    assert main(["clone", "clip.wav", "--name", "Ada", "--consent", "my own voice", "-o", "x.voice", *model]) == 0
    assert main(["say", "Hello.", "--voice", "x.voice", *model]) == 0
    assert " s of Ada in " in capsys.readouterr().out


def test_clone_tells_what_was_found_and_what_would_be_better(
    model: list[str], recording: tuple[NDArray[np.float32], int], capsys: pytest.CaptureFixture[str]
) -> None:
    samples, rate = recording
    soundfile.write("clip.wav", samples, rate)
    soundfile.write("empty.wav", np.zeros(rate), rate)
    arguments = ["clone", "clip.wav", "empty.wav", "--name", "Ada", "--consent", "my own voice", *model]
    assert main(arguments) == 0
    out, err = capsys.readouterr()
    assert err.startswith("voxclone: warning: empty.wav is left out of the voice: ")
    _, clip, empty, *better = out.splitlines()
    assert re.match(r"  clip\.wav: \d\.\d s of speech, SNR \d+ dB, up to \d\.\d kHz, .*, 100% of the voice$", clip)
    assert empty.startswith("  empty.wav: left out: ")
    assert better[0].startswith("  better: there are ")
    assert main([*arguments, "--json"]) == 0
    out, err = capsys.readouterr()
    told = json.loads(out)
    assert err == ""
    assert (told["file"], told["name"], len(told["warnings"])) == ("ada.voice", "Ada", 1)
    assert [each["share"] for each in told["recordings"]] == [1.0, 0.0]
    assert told["advice"][0] == better[0].removeprefix("  better: ")


def test_voices_lists(model: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["voices", *model]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[:2] for line in lines] == [["ada", "median f0 200 Hz"], ["bob", "median f0 110 Hz"]]
    assert main(["voices", "--json", *model]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["name"], each["f0_median"]) for each in told] == [("ada", 200.0), ("bob", 110.0)]
    assert all(each["consents"] for each in told)


def test_commands_take_a_models_revision(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def load(source: str, *, revision: str, **options: object) -> None:
        raise ModelError(f"{source} at {revision}")

    monkeypatch.setattr(VoxClone, "from_pretrained", load)
    for command in (["say", "Hello."], ["voices"]):
        assert main([*command, "--model", "org/name", "--revision", "v1"]) == 2
        assert capsys.readouterr().err == "voxclone: error: org/name at v1\n"
    monkeypatch.setattr("voxclone.safety.finding.load_finder", load)
    for command in (["detect", "a.wav"], ["inspect", "a.wav"]):
        assert main([*command, "--model", "org/name", "--revision", "v1"]) == 2
        assert capsys.readouterr().err == "voxclone: error: org/name at v1\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["say", ""], "empty"),
        (["say", "Hello.", "--voice", "eve"], "no voice 'eve'.*ada, bob"),
        (["say", "Hello.", "--voice", "junk.voice"], "junk.voice cannot be read as a voice file"),
        (["say", "Hello.", "--speed", "9"], "speed is 9.0"),
        (["say", "Hello.", "--pitch-range", "9"], "error: --pitch-range is 9.0"),
        (["say", "Hello.", "--duration", "-1"], "error: --duration is -1.0"),
        (["narrate", "book.txt", "-o", "read", "--part-minutes", "0"], "error: --part-minutes is 0.0"),
        (["say", "[Hello.](pitch_range=9)"], "pitch_range is '9'"),
        (["say", "Wait [pause 300] here."], "pause is '300'; give it as 300ms or 1.5s"),
        (["clone", "pitch_range.wav", "--name", "Ada", "--consent", "my own voice"], r"pitch_range\.wav: no such file"),
        (["say", "Hello.", "-o", "speech.txt"], r"\.txt"),
        (["say", "Hello.", "-o", "none/speech.wav"], "none"),
        (["say", "Hello.", "--device", "abacus"], "abacus"),
        (["clone", "none.wav", "--name", "Ada", "--consent", "my own voice"], "none.wav"),
        (["clone", "junk.voice", "--name", "Ada", "--consent", "my own voice"], "junk.voice"),
        (["clone", "junk.voice", "--name", "Ada", "--consent", ""], "basis"),
        (["voices", "--model", "nowhere/at/all"], "nowhere/at/all"),
        (["say", "-", "-o", "speech.wav"], "standard input is not UTF-8 text"),
        (["say", "Hello.", "-o", "."], r"\. is a folder; a file name is needed"),
    ],
)
def test_an_error_is_one_line(
    arguments: list[str],
    said: str,
    model: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("junk.voice").write_bytes(b"junk" * 100)
    Path("book.txt").write_text("One.")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"caf\xe9 ol\xe9")))
    command, *rest = arguments
    assert main([command, *model, *rest]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("voxclone: error: ")
    assert err.count("\n") == 1
    assert re.search(said, err)
    assert not Path("speech.wav").exists()


def test_debug_shows_the_traceback(model: list[str]) -> None:
    with pytest.raises(VoxcloneError, match="empty"):
        main(["say", "", "--debug", *model])


@pytest.mark.parametrize(
    "arguments",
    [[], ["sing"], ["say"], ["clone", "a.wav", "--name", "Ada"], ["clone", "--consent", "x", "--name", "A"]],
)
def test_wrong_usage_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: voxclone" in capsys.readouterr().err


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"voxclone {__version__}\n"


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[1])
    code = f"import sys; sys.path.insert(0, {root!r}); {code}"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_help_needs_no_torch() -> None:
    run = run_python("sys.modules['torch'] = sys.modules['numpy'] = None; from voxclone.cli import main; main(['-h'])")
    assert run.returncode == 0, run.stderr
    assert "doctor" in run.stdout


def test_doctor_finds_a_whole_model_well(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(hub, "resolve", lambda source, **options: tiny_folder)
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok ") for line in lines), lines
    for name in ("versions", "torch", "device", "espeak-ng", "libsndfile", "bundled model", "test sentence"):
        assert any(f" {name}: " in line for line in lines)


def test_doctor_tells_of_a_damaged_model(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "cut")
    (folder / "vocoder.safetensors").write_bytes(b"")
    monkeypatch.setattr(hub, "resolve", lambda source, **options: folder)
    assert main(["doctor"]) == 1
    problems = [line for line in capsys.readouterr().out.splitlines() if line.startswith("problem ")]
    assert [line.split(":")[0].split(maxsplit=1)[1] for line in problems] == ["bundled model", "test sentence"]
    assert all("vocoder.safetensors" in line and "What to do: " in line for line in problems)


@pytest.mark.parametrize(
    ("broken", "name"),
    [("torch", "torch"), ("espeakng_loader", "espeak-ng"), ("phonemizer", "espeak-ng"), ("soundfile", "libsndfile")],
)
def test_doctor_works_where_a_library_does_not(broken: str, name: str) -> None:
    run = run_python(f"sys.modules[{broken!r}] = None; from voxclone.cli import main; sys.exit(main(['doctor']))")
    assert run.returncode == 1
    assert run.stderr == ""
    lines = [line for line in run.stdout.splitlines() if f"problem  {name}: " in line]
    assert len(lines) == 1
    assert broken in lines[0]
    assert "ok       versions: " in run.stdout
    assert "problem  test sentence: " in run.stdout


def test_a_recording_is_no_voice_file_and_is_not_written_over(
    model: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    soundfile.write("me.wav", np.zeros(16000), 16000)
    before = Path("me.wav").read_bytes()
    assert main(["say", "Hello.", "--voice", "me.wav", *model]) == 2
    assert "make a voice of it first: voxclone clone me.wav" in capsys.readouterr().err
    assert main(["clone", "me.wav", "--name", "Me", "--consent", "mine", "-o", "me.wav", *model]) == 2
    assert "a voice file is named such as me.voice" in capsys.readouterr().err
    assert Path("me.wav").read_bytes() == before
