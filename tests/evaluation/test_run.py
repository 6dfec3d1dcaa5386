"""A whole evaluation of the tiny model: what it writes, what is absent, what failed."""

from __future__ import annotations

import csv
import importlib.metadata
import json
import re
import shlex
import shutil
import struct
import sys
import zlib
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voxclone import ConsentError, EvaluationError, VoiceError, VoxClone
from voxclone.audio.io import write_audio
from voxclone.audio.tags import read_tags
from voxclone.cli import main
from voxclone.evaluation import Item, Report, evaluate
from voxclone.evaluation.judges import naturalness as naturalness_module
from voxclone.evaluation.picture import spectrogram_png
from voxclone.safety.inspection import inspect_file
from voxclone.safety.labels import sidecar_path

pytest.importorskip("jiwer", reason="the evaluate extra is not installed")

BASIS = "a test's own random numbers"
JUDGES: dict[str, Any] = {"verifier": "none", "naturalness": ()}


@pytest.fixture(scope="module")
def items(tmp_path_factory: pytest.TempPathFactory, recording: tuple[NDArray[np.float32], int]) -> list[Item]:
    folder = tmp_path_factory.mktemp("clips")
    samples, rate = recording
    soundfile.write(folder / "ada.wav", samples, rate)
    soundfile.write(folder / "bob.wav", samples[::-1].copy(), rate)
    return [
        Item("one", folder / "ada.wav", 'The first & 2nd "text".', "ada", folder / "bob.wav"),
        Item("two", folder / "bob.wav", "Another one.", "<b>bob</b>"),
        Item("three", folder / "ada.wav", "\u4f60\u597d", "ada"),  # the English model cannot say it
    ]


def echo(path: Path) -> str:
    """A recogniser that hears "another won" everywhere."""
    path.write_text("import sys\nfor f in sys.argv[1:]: print(f, 'Another won.', sep='\\t')")
    return f"command:{shlex.quote(sys.executable)} {shlex.quote(str(path))}"


@pytest.fixture(scope="module")
def report(
    tiny_model: VoxClone, items: list[Item], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Report, Path, list[Item]]:
    out = tmp_path_factory.mktemp("out")
    made = evaluate(
        tiny_model,
        items,
        out / "report",
        consent=BASIS,
        recogniser=echo(out / "asr.py"),
        naturalness=("none",),
    )
    return made, out / "report", items


def test_means(report: tuple[Report, Path, list[Item]]) -> None:
    found, _, _ = report
    words = found.mean("word error rate")
    assert words.interval is not None
    assert words.interval.value == pytest.approx((5 + 1) / (5 + 2))  # "the first and second text", "another one"
    similarity = found.mean("speaker similarity")
    assert similarity.interval is None
    assert "no verifier was named" in str(similarity)
    speed = found.mean("real-time factor")
    assert speed.interval is not None
    assert 0 < speed.interval.value < 10
    assert found.mean("real-time factor", "recording").absent == "not made here"
    with pytest.raises(KeyError):
        found.mean("happiness")


def test_failures_are_told_and_do_not_count(report: tuple[Report, Path, list[Item]]) -> None:
    found, _, _ = report
    three = next(utterance for utterance in found.utterances if utterance.name == "three")
    assert three.audio is None
    assert three.failure
    assert three.word_errors is None
    assert found.about["failed"] == 1 and found.about["model"]
    pace = found.mean("words per second").interval
    assert pace is not None
    assert pace.utterances == 2


def test_tables(report: tuple[Report, Path, list[Item]]) -> None:
    found, folder, _ = report
    values = json.loads((folder / "report.json").read_text())
    assert values == json.loads(json.dumps(found.to_dict()))
    absent = next(mean for mean in values["summary"]["cloned"] if mean["metric"] == "speaker similarity")
    assert absent["value"] is None
    with (folder / "summary.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    by_metric = {(row["system"], row["metric"]): row for row in rows}
    assert by_metric["cloned", "speaker similarity"]["value"] == ""
    assert "no verifier was named" in by_metric["cloned", "speaker similarity"]["absent"]
    assert float(by_metric["recording", "word error rate"]["value"]) > 0
    with (folder / "utterances.tsv").open() as file:
        utterances = list(csv.DictReader(file, delimiter="\t"))
    assert [(row["name"], row["system"]) for row in utterances] == [
        ("one", "cloned"), ("two", "cloned"), ("three", "cloned"), ("one", "recording"),
    ]  # fmt: skip
    assert utterances[1]["heard"] == "another won"
    assert (utterances[1]["word_errors"], utterances[1]["words_said"]) == ("1", "2")


class Page(HTMLParser):
    """Collects the files that the page refers to, its text, and what it calls each utterance."""

    def __init__(self) -> None:
        super().__init__()
        self.sources: list[str] = []
        self.tags: list[str] = []
        self.labels: list[str] = []
        self.text = ""
        self._labels = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._labels = ("class", "system") in attrs
        self.sources += [value for name, value in attrs if name == "src" and value]

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._labels:
            self.labels.append(data)
        self._labels = False


def test_page_refers_to_what_is_there_and_shows_texts_as_texts(report: tuple[Report, Path, list[Item]]) -> None:
    _, folder, _ = report
    page = Page()
    page.feed((folder / "report.html").read_text())
    assert len(page.sources) == 3 * 2 + 3  # a player and a picture for each recording, a player for each reference
    assert all((folder / source).is_file() for source in page.sources)
    assert "<b>bob</b>" in page.text
    assert 'The first & 2nd "text".' in page.text
    assert "b" not in page.tags
    assert page.tags.count("del") == page.tags.count("ins")
    assert not re.search(r"https?://", (folder / "report.html").read_text())


def test_spectrogram_is_a_png_of_the_mels_size() -> None:
    rate = 22050
    tone = np.sin(2 * np.pi * 440 * np.arange(rate) / rate).astype(np.float32)
    content = spectrogram_png(tone, rate)
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", content[16:24])
    assert (width, height) == (rate // 256, 80)
    start = content.index(b"IDAT")
    size = struct.unpack(">I", content[start - 4 : start])[0]
    rows = np.frombuffer(zlib.decompress(content[start + 4 : start + 4 + size]), np.uint8).reshape(80, 1 + width)
    assert not rows[:, 0].any()
    brightest = int(rows[:, 1:].mean(1).argmax())
    assert 60 <= brightest <= 70  # 440 Hz is mel band 14 or so of 80, counted from the bottom


def test_another_systems_files(items: list[Item], tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    soundfile.write(tmp_path / "made" / "two.flac", soundfile.read(items[1].reference)[0], 16000)
    found = evaluate(
        None, items[:2], tmp_path / "out", recogniser=echo(tmp_path / "asr.py"),
        made=tmp_path / "made", recordings=False, **JUDGES,
    )  # fmt: skip
    assert found.about["evaluated"] == "files in made"
    assert found.utterances[0].failure == f"{tmp_path / 'made'} holds no one.wav"
    assert [each.system for each in found.utterances] == ["made", "made"] and list(found.summary) == ["made"]
    assert found.mean("word error rate").interval == (0.5, None, None, 1)
    assert found.mean("speaker similarity").absent == "not asked for"
    assert found.mean("distance of median f0 from the reference's, semitones").interval == (0, None, None, 1)


def test_copies_say_what_their_sources_say(tiny_model: VoxClone, items: list[Item], tmp_path: Path) -> None:
    """What voxclone made stays labelled, with what was true of it; what it did not make gets no label."""
    made = tmp_path / "made"
    made.mkdir()
    speech, other = (tiny_model.generate(text, tiny_model.voices["ada"]) for text in ("The second text.", "No, no."))
    reference = made / "ada.flac"
    speech.save(reference)
    speech.save(made / "wav.wav")
    speech.save(made / "mp3.mp3")
    write_audio(made / "tags.wav", other.samples, other.sample_rate, tags=read_tags(made / "wav.wav"))
    write_audio(made / "edited.wav", speech.samples / 2, speech.sample_rate, tags=read_tags(made / "wav.wav"))
    write_audio(made / "stripped.wav", speech.samples, speech.sample_rate)
    shutil.copy(sidecar_path(made / "wav.wav"), sidecar_path(made / "stripped.wav"))
    soundfile.write(made / "foreign.wav", *soundfile.read(items[1].reference))
    write_audio(made / "damaged.wav", speech.samples, 22050, tags={"comment": '{"voxclone_label":7}'})
    names = ("wav", "mp3", "tags", "edited", "stripped", "foreign", "damaged")
    listed = [Item(name, reference, "The second text.", "ada") for name in names]
    audio = tmp_path / "out" / "audio"
    audio.mkdir(parents=True)
    shutil.copy(sidecar_path(made / "wav.wav"), sidecar_path(audio / "foreign.wav"))  # left by an earlier evaluation
    found = evaluate(None, listed, tmp_path / "out", recogniser="none", made=made, **JUDGES)
    assert [each.name for each in found.utterances if each.failure] == ["damaged"]
    assert "label" in str(found.utterances[-1].failure)
    inspected = {name: inspect_file(audio / f"{name}.wav") for name in names[:-1]}
    assert {name: each.verdict for name, each in inspected.items()} == {
        "wav": "consistent", "mp3": inspect_file(made / "mp3.mp3").verdict, "tags": "transplanted", "edited": "edited",
        "stripped": "edited", "foreign": "nothing",
    }  # fmt: skip
    for name, each in inspected.items():
        assert each.provenance == (None if name == "foreign" else speech.provenance)
        assert sidecar_path(audio / f"{name}.wav").exists() == (name != "foreign")
    assert inspect_file(tmp_path / "out/references/00000.wav").verdict == "consistent"


def test_a_damaged_reference_fails_alone(tiny_model: VoxClone, items: list[Item], tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.wav"
    damaged.write_bytes(b"RIFF....")
    listed = [Item("lost", damaged, "Another one.", "eve", items[1].reference), items[1]]
    for made in (None, tmp_path):
        soundfile.write(tmp_path / "lost.wav", np.zeros(16000), 16000)
        soundfile.write(tmp_path / "two.wav", soundfile.read(items[1].reference)[0], 16000)
        found = evaluate(
            tiny_model if made is None else None, listed, tmp_path / f"out-{made is None}",
            consent=BASIS if made is None else None, recogniser=echo(tmp_path / "asr.py"), made=made, **JUDGES,
        )  # fmt: skip
        assert [(each.name, each.failure is None) for each in found.utterances] == [("lost", False), ("two", True)]
        assert "damaged.wav" in str(found.utterances[0].failure)
        assert found.mean("word error rate").interval == (0.5, None, None, 1)


def test_a_given_voice_fails_where_its_reference_is_damaged(
    tiny_model: VoxClone, items: list[Item], tmp_path: Path
) -> None:
    (tmp_path / "damaged.wav").write_bytes(b"RIFF....")
    ada = tiny_model.voices["ada"]
    listed = [Item("lost", tmp_path / "damaged.wav", "Another one.", "eve", voice=ada), replace(items[1], voice=ada)]
    found = evaluate(tiny_model, listed, tmp_path / "out", recogniser="none", **JUDGES)
    assert [(each.name, each.failure is None) for each in found.utterances] == [("lost", False), ("two", True)]
    assert "no reference to compare it with" in str(found.utterances[0].failure) and found.about["failed"] == 1
    assert (tmp_path / "out/report.html").is_file()


def test_what_was_made_elsewhere_needs_no_consent(items: list[Item], tmp_path: Path) -> None:
    soundfile.write(tmp_path / "two.wav", soundfile.read(items[1].reference)[0], 16000)
    found = evaluate(None, items[1:2], tmp_path / "out", recogniser="none", made=tmp_path, **JUDGES)
    assert found.about["failed"] == 0 and found.about["consent"] is None


def test_a_judge_is_not_asked_of_nothing(items: list[Item], tmp_path: Path) -> None:
    (tmp_path / "asr.py").write_text(f"open({str(tmp_path / 'asked')!r}, 'w')")
    line = f"command:{shlex.quote(sys.executable)} {shlex.quote(str(tmp_path / 'asr.py'))}"
    found = evaluate(None, items[:1], tmp_path / "out", recogniser=line, made=tmp_path, recordings=False, **JUDGES)
    assert found.mean("word error rate").absent == "no utterance was made"
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("purpose", ["recogniser", "verifier", "naturalness"])
def test_a_judge_that_is_named_has_to_be_there(
    tiny_model: VoxClone, items: list[Item], tmp_path: Path, purpose: str
) -> None:
    gone = "command:/no/such/program"
    judges = {"recogniser": "none", **JUDGES, purpose: (gone,) if purpose == "naturalness" else gone}
    with pytest.raises(EvaluationError, match="the judge command:/no/such/program is not here: there is no program"):
        evaluate(tiny_model, items, tmp_path / "out", consent=BASIS, **judges)
    assert not (tmp_path / "out").exists()


def test_judges_by_default_may_be_absent_and_by_name_may_not(
    items: list[Item], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    monkeypatch.setattr(naturalness_module, "TORCHMETRICS_CACHE", tmp_path / "nothing")
    soundfile.write(tmp_path / "two.wav", soundfile.read(items[1].reference)[0], 16000)
    asked: dict[str, Any] = {"made": tmp_path, "recordings": False}
    with pytest.warns(UserWarning, match=r"^words will be absent from the report: pocketsphinx is not installed: pip"):
        found = evaluate(None, items[1:2], tmp_path / "out", **asked)
    absent = {each.judge: each.absent for each in found.summary["made"] if each.interval is None}
    assert "torchmetrics would download dnsmos" in str(absent["dnsmos"]) and "nisqa" in absent
    with pytest.raises(EvaluationError) as told:
        evaluate(None, items[1:2], tmp_path / "named", recogniser="pocketsphinx", naturalness=["dnsmos"], **asked)
    assert "the judge pocketsphinx is not here: pocketsphinx is not installed: pip install 'voxc" in str(told.value)
    assert "the judge dnsmos is not here: torchmetrics would download" in str(told.value)
    monkeypatch.setitem(sys.modules, "jiwer", None)
    with pytest.raises(EvaluationError, match=r"jiwer is not installed: pip install 'voxclone\[evaluate\]'"):
        evaluate(None, items[1:2], tmp_path / "named", recogniser=echo(tmp_path / "asr.py"), **asked)
    assert not (tmp_path / "named").exists()


def test_a_number_that_is_none_makes_its_judge_absent(items: list[Item], tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import math\ndef score(samples, rate): return math.nan\ndef embed(samples, rate): return [math.inf]\n"
    )
    (tmp_path / "made").mkdir()
    soundfile.write(tmp_path / "made" / "two.wav", soundfile.read(items[1].reference)[0], 16000)
    found = evaluate(
        None, items[1:2], tmp_path / "out", recogniser="none", made=tmp_path / "made", recordings=False,
        verifier=f"python:{tmp_path / 'mine.py'}:embed", naturalness=(f"python:{tmp_path / 'mine.py'}:score",),
    )  # fmt: skip
    assert "mine.py:embed gave an embedding of" in str(found.mean("speaker similarity").absent)
    assert found.mean("naturalness, 1 to 5").absent == "mine.py:score gave nan for two.wav"
    assert json.loads((tmp_path / "out/report.json").read_text())["utterances"][0]["naturalness"] == {}


def test_the_report_tells_what_it_can_be_compared_with(items: list[Item], tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    reports = [
        evaluate(
            None, listed, tmp_path / "out", recogniser="none", made=tmp_path / "made", recordings=False,
            **JUDGES,
        ).about
        for listed in (items, items, items[:1])
    ]  # fmt: skip
    assert reports[0]["list"] == reports[1]["list"] != reports[2]["list"]
    assert reports[0]["jiwer"] == importlib.metadata.version("jiwer")


def test_a_given_voice_speaks_and_is_compared_with_the_reference(
    tiny_model: VoxClone, items: list[Item], tmp_path: Path
) -> None:
    """It stands on its own consent; a voice of another model is refused before anything is made."""
    ada, bob = tiny_model.voices["ada"], tiny_model.voices["bob"]
    (tmp_path / "mine.py").write_text("import numpy\ndef embed(samples, rate): return [numpy.ptp(samples), 1]\n")
    judges: dict[str, Any] = {"recogniser": "none", "naturalness": (), "recordings": False}
    judges |= {"verifier": f"python:{tmp_path / 'mine.py'}:embed"}
    listed = [replace(items[0], voice=ada), replace(items[1], voice=bob)]
    found = evaluate(tiny_model, listed, tmp_path / "given", **judges)
    assert found.about["voices"] == f"ada {ada.voice_id}, bob {bob.voice_id}"
    assert found.about["consent"] == ada.consent.basis and found.about["failed"] == 0
    for item, each in zip(listed, found.utterances, strict=True):
        saved = inspect_file(tmp_path / "given" / str(each.audio))
        assert saved.provenance is not None and item.voice is not None
        assert saved.provenance.voice_id == item.voice.voice_id
        assert each.similarity is not None
    assert list(found.summary) == ["voice"] and found.mean("speaker similarity") == found.mean(
        "speaker similarity", "voice"
    )
    mixed = evaluate(tiny_model, [listed[0], items[1]], tmp_path / "mixed", consent=BASIS, **judges)
    assert mixed.about["list"] == found.about["list"]
    assert mixed.about["voices"] == f"ada {ada.voice_id}" and mixed.about["consent"].startswith(BASIS)
    with pytest.raises(ConsentError, match="give it as consent"):
        evaluate(tiny_model, [listed[0], items[1]], tmp_path / "ungrounded", **judges)
    foreign = replace(items[1], voice=replace(ada, encoder_id="f" * 16))
    with pytest.raises(VoiceError, match="was made by speaker encoder f"):
        evaluate(tiny_model, [listed[0], foreign], tmp_path / "foreign", **judges)
    assert not list((tmp_path / "foreign/audio").iterdir())


def test_clones_given_voices_and_recordings_each_have_their_means(
    tiny_model: VoxClone, items: list[Item], tmp_path: Path
) -> None:
    listed = [items[0], replace(items[1], voice=tiny_model.voices["ada"]), replace(items[1], name="again")]
    found = evaluate(
        tiny_model, listed, tmp_path / "out", consent=BASIS, recogniser=echo(tmp_path / "asr.py"), **JUDGES
    )
    systems = [each.system for each in found.utterances]
    assert systems == ["cloned", "voice", "cloned", "recording"]
    assert list(found.summary) == ["cloned", "voice", "recording"]
    counted = {system: found.mean("word error rate", system).interval for system in found.summary}
    assert {system: each and each.utterances for system, each in counted.items()} == {
        "cloned": 2, "voice": 1, "recording": 1,
    }  # fmt: skip
    assert counted["voice"] == (0.5, None, None, 1)  # of bob's words by ada's voice, and of no clone's
    with pytest.raises(KeyError, match="several systems spoke; name one of cloned, voice"):
        found.mean("word error rate")
    with pytest.raises(KeyError, match="made"):
        found.mean("word error rate", "made")
    assert {each.metric for each in found.measured("a list", "voice")} >= {"word error rate", "words per second"}
    page = Page()
    page.feed((tmp_path / "out/report.html").read_text())
    assert page.labels == [systems[0], "recording", *systems[1:3]]


def test_no_name_is_written_over_by_what_belongs_to_another(items: list[Item], tmp_path: Path) -> None:
    """Neither by another item's recording nor by a reference."""
    (tmp_path / "made").mkdir()
    names = ("x", "x.recording", "reference-00000", "00000")
    for number, name in enumerate(names, 1):
        soundfile.write(tmp_path / "made" / f"{name}.wav", np.full(16000, number / 10), 16000)
    listed = [replace(items[0], name=name) for name in names]
    found = evaluate(None, listed, tmp_path / "out", recogniser="none", made=tmp_path / "made", **JUDGES)
    assert len({each.audio for each in found.utterances}) == 2 * len(names)
    for each in found.utterances:
        samples = soundfile.read(tmp_path / "out" / str(each.audio))[0]
        if each.system == "made":
            assert samples == pytest.approx(np.full(16000, (names.index(each.name) + 1) / 10), abs=1e-3)
        else:
            assert len(samples) == len(soundfile.read(str(items[0].recording))[0])
    page = Page()
    page.feed((tmp_path / "out/report.html").read_text())
    pictures = [source for source in page.sources if source.endswith(".png")]
    assert len(set(pictures)) == 2 * len(names) and all((tmp_path / "out" / each).is_file() for each in pictures)


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("x", "x"), "two utterances are named 'x'"),
        (("../x", "y"), "an utterance is named '../x', which is no file's name; '_x' is one"),
    ],
)
def test_names_that_will_not_do(items: list[Item], tmp_path: Path, names: tuple[str, str], told: str) -> None:
    listed = [replace(items[0], name=name) for name in names]
    with pytest.raises(EvaluationError, match=re.escape(told)):
        evaluate(None, listed, tmp_path / "out", made=tmp_path)
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_evaluated(tiny_model: VoxClone, items: list[Item], tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="list is empty"):
        evaluate(tiny_model, [], tmp_path, consent=BASIS)
    with pytest.raises(EvaluationError, match="either a model that speaks, or the folder"):
        evaluate(None, items, tmp_path, consent=BASIS)
    with pytest.raises(EvaluationError, match=r"there is no folder .*gone with what another system made"):
        evaluate(None, items, tmp_path, made=tmp_path / "gone")
    with pytest.raises(ConsentError, match="references are cloned on some ground"):
        evaluate(tiny_model, items, tmp_path, consent=" ", recogniser="none", **JUDGES)
    given = [replace(item, voice=tiny_model.voices["ada"]) for item in items]
    with pytest.raises(ConsentError, match=r"nothing is cloned here, .* every voice is given.* leave consent out"):
        evaluate(tiny_model, given, tmp_path, consent=BASIS, recogniser="none", **JUDGES)
    with pytest.raises(ConsentError, match=r"nothing is cloned here, .* made elsewhere is judged; leave consent out"):
        evaluate(None, items, tmp_path, consent=BASIS, made=tmp_path, recogniser="none", **JUDGES)


def test_command(tiny_folder: Path, items: list[Item], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "list.tsv"
    table.write_text(f"reference\ttext\n{items[0].reference}\tAnother one.\n{items[0].reference}\tTwo.\n")
    arguments = ["evaluate", str(table), "-o", str(tmp_path / "out"), "--consent", BASIS, "--limit", "1"]
    judges = ["--asr", echo(tmp_path / "asr.py"), "--verifier", "none", "--naturalness", "none"]
    assert main([*arguments, *judges, "--model", str(tiny_folder), "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    shown = r"^cloned\tword error rate \(\S+ asr\.py\)\t0\.500 \(one speaker: no interval\)$"
    assert re.search(shown, out, re.MULTILINE)
    assert "cloned\tspeaker similarity\tabsent (not asked for)" in out
    missing = ["--asr", "none", "--verifier", "command:/no/such/program", "--naturalness", "none"]
    assert main([*arguments, *missing, "--model", str(tiny_folder), "--device", "cpu"]) == 2
    assert capsys.readouterr().err == (
        "voxclone: error: the judge command:/no/such/program is not here: there is no program '/no/such/program'; "
        "install it, or give its path; or leave it out\n"
    )
    assert main([*arguments[:-2], *judges, "--model", str(tiny_folder), "--device", "cpu"]) == 0
    assert f"\nkept\t1 of 2 utterances, which an earlier run into {tmp_path / 'out'} spoke\n" in capsys.readouterr().out
    tiny = ["--model", str(tiny_folder), "--device", "cpu", "--voice", "bob"]
    without = [each for each in arguments if each not in ("--consent", BASIS)]
    assert main([*without, *judges, *tiny]) == 2
    assert f"error: {tmp_path / 'out/report.json'} is a report of other speech: 2 of its 2" in capsys.readouterr().err
    without[3] = str(tmp_path / "given")
    assert main([*without, *judges, *tiny]) == 0
    assert capsys.readouterr().out.startswith("voice\tword error rate")
    report = json.loads((tmp_path / "given/report.json").read_text())
    assert report["about"]["voices"].startswith("bob ") and list(report["summary"]) == ["voice"]
    assert main([*arguments, *judges, *tiny]) == 2
    assert "nothing is cloned here" in capsys.readouterr().err
    assert main([*without, *judges, *tiny[:-2]]) == 2
    assert "give it as consent" in capsys.readouterr().err
    assert main([*without, *tiny, "--made", str(tmp_path)]) == 2
    assert "--voice speaks, and --made judges" in capsys.readouterr().err
    assert main([*arguments[:-1], "0"]) == 2
    assert "--limit is 0; it must be 1 or more" in capsys.readouterr().err
    assert out.endswith(f"{tmp_path / 'out' / 'report.html'}\n")
