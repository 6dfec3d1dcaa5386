"""The whole command on a tiny model: recordings in, a voice and a report out, also after a kill."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import io
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from voxclone import Consent, ConsentError, Voice, VoxClone, VoxcloneError
from voxclone.audio.reference import prepare_reference
from voxclone.cli import main
from voxclone.errors import ConfigError
from voxclone.finetuning import finetune
from voxclone.finetuning.adaptation import Depth
from voxclone.safety.labels import read_tagged
from voxclone.training.trainer import Trainer

CONSENT = Consent.attest("Ada", basis="espeak-ng's", scope=("cloning", "adapting"))


@pytest.fixture(scope="module")
def done(recordings: Path, tiny_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the command left; among the recordings were silence, noise, a damaged file, one without text."""
    mixed = tmp_path_factory.mktemp("mixed")
    shutil.copytree(recordings, mixed, dirs_exist_ok=True)
    rng = np.random.default_rng(0)
    soundfile.write(mixed / "silence.wav", np.zeros(32000), 16000)
    (mixed / "silence.txt").write_text("Nothing.")
    samples, rate = soundfile.read(mixed / "0.wav")
    soundfile.write(mixed / "noisy.wav", 0.3 * samples + 0.015 * rng.normal(size=len(samples)), rate)
    shutil.copy(mixed / "0.txt", mixed / "noisy.txt")
    shutil.copy(mixed / "1.wav", mixed / "untold.wav")
    (mixed / "damaged.wav").write_bytes(b"RIFF....")
    (mixed / "damaged.txt").write_text("Hello.")
    out = tmp_path_factory.mktemp("out") / "ada"
    command = ["finetune", str(mixed), "--consent", "espeak-ng's", "--out", str(out), "--model", str(tiny_folder)]
    with contextlib.redirect_stdout(io.StringIO()) as told, contextlib.redirect_stderr(io.StringIO()) as stages:
        assert main([*command, "--depth", "norms", "--minutes", "0.2"]) == 0
    assert "left out: unreadable (1), noisy (1), no speech (1), no text (1)" in told.getvalue()
    (out / "told.txt").write_text(told.getvalue(), encoding="utf-8")
    (out / "stages.txt").write_text(stages.getvalue(), encoding="utf-8")
    return out


def test_each_stage_is_told_once_where_there_is_no_terminal(done: Path) -> None:
    lines = (done / "stages.txt").read_text(encoding="utf-8").splitlines()
    stages = [
        line for line in lines if not re.match("(cutting|features|training|speaking in both voices): |voxclone: ", line)
    ]
    assert stages == [
        "preparing 12 recordings",
        "aligning recordings with their texts, and choosing those that fit",
        "training on 6 recordings, 2 held back: 200 updates or 0.2 minutes at the most",
        "measuring whether it helped",
        "saving the voice and the report",
    ]


def test_whether_it_helped_is_told_and_on_the_page(done: Path) -> None:
    report = json.loads((done / "report.json").read_text(encoding="utf-8"))
    alike, page = report["similarity"], (done / "report.html").read_text(encoding="utf-8")
    clone, tuned = alike["clone"], alike["fine-tuned"]
    for told in ((done / "told.txt").read_text(encoding="utf-8"), page):
        found = re.search(
            r"likeness to 2 held-back recordings \(cosine\): (-?[\d.]+) cloned, (-?[\d.]+) fine-tuned", told
        )
        assert found is not None
        assert [float(each) for each in found.groups()] == pytest.approx([clone, tuned], abs=0.006)
    warned = "fine-tuning did not make the voice more like its speaker"
    assert (warned in (done / "stages.txt").read_text(encoding="utf-8")) == (warned in page)
    assert (warned in page) == (not report["likeness_raised"]) and report["sentences_spoken"] == 6


def test_the_voice_speaks_through_the_public_api(done: Path, tiny_model: VoxClone, tmp_path: Path) -> None:
    voice = Voice.load(done)
    assert voice.name == "ada" and voice.consent.scope == ("cloning", "adapting")
    assert voice.adapter is not None and voice.adapter.depth == "norms"
    assert (done / "ada.voice").stat().st_size < 100_000
    speech = tiny_model.generate("Hello there.", voice)
    assert np.isfinite(speech.samples).all() and speech.duration_seconds > 0.2


def test_the_report_says_what_was_kept_and_why_not(done: Path, recordings: Path) -> None:
    report = json.loads((done / "report.json").read_text())
    assert report["utterances_kept"] == 8 and report["held_out"] == 2
    assert report["held_out_loss_after"] <= report["held_out_loss_before"]
    reasons = {each["key"]: each["reason"] for each in report["left_out"]}
    assert reasons["damaged.wav"] == "unreadable"
    assert reasons["silence.wav"] == "no speech"
    assert reasons["untold.wav"] == "no text"
    assert reasons["noisy.wav"] == "noisy"
    assert set(report["similarity"]) == {"recordings", "clone", "fine-tuned"}
    assert 0 < report["minutes_kept"] < 1
    heard = [prepare_reference(path, 22050).snr_db for path in sorted(recordings.glob("*.wav"))]  # as espeak-ng made it
    assert report["snr_db"]["median"] == pytest.approx(np.median(heard), abs=1.5)
    assert report["snr_db"]["max"] > 30 and report["snr_db"]["min"] >= 10  # below 10 it is noisy
    prompts = (done / "prompts.txt").read_text().splitlines()
    assert prompts == report["record_next"] and len(prompts) == 20
    page = (done / "report.html").read_text()
    assert page.count("data:image/png;base64,") >= 5 and page.count("<audio") >= 3
    assert "What to record next" in page and "noisy.wav" in page
    labels = [read_tagged(base64.b64decode(wav)) for wav in re.findall(r"data:audio/wav;base64,([^\"]+)", page)]
    made = [label for label in labels if label is not None]  # a clone and a fine-tuned voice for each recording
    assert len(made) == 2 * (len(labels) - len(made)) > 0


def test_adapting_needs_its_own_consent(recordings: Path, tiny_folder: Path, tmp_path: Path) -> None:
    narrow = Consent.attest("Ada", basis="espeak-ng's", scope=("cloning",))
    with pytest.raises(ConsentError, match="adapting"):
        finetune(recordings, name="Ada", consent=narrow, out=tmp_path / "ada", model=tiny_folder)
    old = Consent.attest("Ada", basis="espeak-ng's", scope=("cloning", "adapting"))
    past = dataclasses.replace(old, created="2020-01-01T00:00:00+00:00", expires="2021-01-01T00:00:00+00:00")
    with pytest.raises(ConsentError, match="expired"):
        finetune(recordings, name="Ada", consent=past, out=tmp_path / "ada", model=tiny_folder)
    with pytest.raises(ConsentError, match=r"Consent\.attest"):
        finetune(recordings, name="Ada", consent=None, out=tmp_path / "ada", model=tiny_folder)  # type: ignore[arg-type]
    assert not (tmp_path / "ada").exists()


def test_recordings_that_carry_the_mark_are_refused(
    recordings: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = []
    ada = VoxClone.from_pretrained(tiny_folder, device="cpu").voices["ada"]

    def refuse(self: VoxClone, sources: list[object], consent: Consent, spoken_by: Voice | None = None) -> None:
        heard.append((len(sources), consent, spoken_by))
        raise ConsentError("carries the mark")

    monkeypatch.setattr(VoxClone, "require_natural", refuse)
    with pytest.raises(ConsentError, match=r"0\.wav: carries the mark"):
        finetune(recordings, name="Ada", consent=CONSENT, out=tmp_path / "ada", model=tiny_folder)
    options: dict[str, Any] = {"name": "Ada", "consent": CONSENT, "out": tmp_path / "ada", "model": tiny_folder}
    with pytest.raises(ConsentError, match="carries the mark"):
        finetune(recordings, spoken_by=ada, **options)
    ada.save(tmp_path / "ada.voice")
    command = ["finetune", str(recordings), "--consent", "mine", "--name", "Ada", "--model", str(tiny_folder)]
    assert main([*command, "-o", str(tmp_path / "ada"), "--spoken-by", str(tmp_path / "ada.voice")]) == 2
    assert [spoken_by for _, _, spoken_by in heard] == [None, ada, ada]
    assert not (tmp_path / "ada").exists()
    assert heard[0][:2] == (1, CONSENT)


def test_a_mark_that_is_found_late_leaves_nothing(
    recordings: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = []

    def refuse(self: VoxClone, sources: list[object], consent: Consent, spoken_by: Voice | None = None) -> None:
        heard.append(sources)
        if len(heard) == 2:
            raise ConsentError("carries the mark")

    monkeypatch.setattr(VoxClone, "require_natural", refuse)
    with pytest.raises(ConsentError, match=r"1\.wav: carries the mark"):
        finetune(recordings, name="Ada", consent=CONSENT, out=tmp_path / "ada", model=tiny_folder)
    assert not (tmp_path / "ada").exists()


def test_speech_of_another_voice_than_the_one_given_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    model = VoxClone.from_pretrained(tiny_folder, device="cpu")
    (tmp_path / "said").mkdir()
    model.generate("Hello there.", model.voices["bob"]).save(tmp_path / "said" / "0.wav")
    (tmp_path / "said" / "0.txt").write_text("Hello there.")
    consent = Consent.attest("ada", basis="mine", scope=("cloning", "adapting"))
    options: dict[str, Any] = {"name": "Ada", "consent": consent, "out": tmp_path / "ada", "model": tiny_folder}
    with pytest.raises(ConsentError, match=rf"0\.wav: it says that voice {model.voices['bob'].voice_id} spoke it"):
        finetune(tmp_path / "said", spoken_by=model.voices["ada"], **options)
    assert not (tmp_path / "ada").exists()


def test_too_little_and_no_text_are_errors(recordings: Path, tiny_folder: Path, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for number in range(3):
        shutil.copy(recordings / f"{number}.wav", few)
    with pytest.raises(VoxcloneError, match="none of the 3 recordings has text"):
        finetune(few, name="Ada", consent=CONSENT, out=tmp_path / "a", model=tiny_folder)
    assert not (tmp_path / "a").exists()  # so that the next try may go by another name
    for number in range(3):
        shutil.copy(recordings / f"{number}.txt", few)
    with pytest.raises(VoxcloneError, match="3 of 3 utterances can be used; 4 are the least"):
        finetune(few, name="Ada", consent=CONSENT, out=tmp_path / "new/b", model=tiny_folder)
    assert not (tmp_path / "new").exists()
    for path in few.glob("*.wav"):
        path.write_bytes(b"RIFF")
    (tmp_path / "c").mkdir()
    with pytest.raises(VoxcloneError, match=r"0 of 3 utterances can be used \(unreadable\)"):
        finetune(few, name="Ada", consent=CONSENT, out=tmp_path / "c", model=tiny_folder)
    assert list((tmp_path / "c").iterdir()) == []


def test_the_voice_is_not_put_among_the_recordings(recordings: Path, tiny_folder: Path) -> None:
    before = sorted(recordings.rglob("*"))
    for out in (recordings / ".", recordings / "voice", recordings / "deep/voice"):
        with pytest.raises(VoxcloneError, match="name another folder"):
            finetune(recordings, name="Ada", consent=CONSENT, out=out, model=tiny_folder)
    assert sorted(recordings.rglob("*")) == before


def test_a_folder_holds_one_speakers_work(done: Path, recordings: Path, tiny_folder: Path) -> None:
    with pytest.raises(VoxcloneError, match="name 'ada' instead of 'Bob'"):
        finetune(recordings, name="Bob", consent=CONSENT, out=done, model=tiny_folder)


@pytest.mark.parametrize("content", [b'{"name": ', b"\xff", b"[1]"])
def test_a_damaged_work_folder_says_what_to_do(
    content: bytes, recordings: Path, tiny_folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work/about.json").write_bytes(content)
    with pytest.raises(
        VoxcloneError, match=r"work is damaged: about\.json cannot be read; delete .*work and run again"
    ):
        finetune(recordings, name="Ada", consent=CONSENT, out=tmp_path, model=tiny_folder)


def test_an_empty_name_is_refused(recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="name is ' '; say whose voice it is"):
        finetune(recordings, name=" ", consent=CONSENT, out=tmp_path / "ada")
    assert main(["finetune", str(recordings), "--consent", "mine", "--name", "", "-o", str(tmp_path / "ada")]) == 2
    assert "--name is ''; say whose voice it is, or leave it out" in capsys.readouterr().err


def test_a_run_that_was_told_to_stop_leaves_no_voice(
    done: Path, recordings: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "ada"
    shutil.copytree(done / "work", out / "work")
    monkeypatch.setattr(Trainer, "fit", lambda self: False)  # as SIGTERM makes it
    with pytest.raises(VoxcloneError, match="the same command goes on"):
        finetune(recordings, name="ada", consent=CONSENT, out=out, model=tiny_folder, depth="embedding")
    assert [path.name for path in out.iterdir()] == ["work"]


def test_too_few_minutes_are_told(done: Path, recordings: Path, tiny_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "ada"
    shutil.copytree(done / "work", out / "work")
    with pytest.warns(UserWarning, match="not done when its 1e-06 minutes were over, after 1 of 60 updates"):
        tuned = finetune(
            recordings, name="ada", consent=CONSENT, out=out, model=tiny_folder, depth="embedding", minutes=1e-6
        )
    assert tuned.voice_path.exists() and tuned.likeness.held_back == 2


@pytest.mark.parametrize("depth", ["lora", "full"])
def test_the_same_command_begins_alike(
    depth: Depth, done: Path, recordings: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[dict[str, torch.Tensor]] = []

    def fit(self: Trainer) -> bool:
        begun.append({name: value.clone() for name, value in self.networks.state_dict().items()})
        return False

    monkeypatch.setattr(Trainer, "fit", fit)
    for seed in (1, 2):
        torch.manual_seed(seed)
        out = tmp_path / str(seed)
        shutil.copytree(done / "work", out / "work")
        with pytest.raises(VoxcloneError, match="the same command goes on"):
            finetune(recordings, name="ada", consent=CONSENT, out=out, model=tiny_folder, depth=depth)
    one, other = begun
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_killed_run_goes_on(recordings: Path, tiny_folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "ada"
    command = [sys.executable, "-c", "import sys; from voxclone.cli import main; sys.exit(main())", "finetune"]
    command += [str(recordings), "--consent", "x", "--out", str(out), "--model", str(tiny_folder)]
    command += ["--depth", "lora", "--minutes", "30"]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2])
    try:
        deadline = time.monotonic() + 300
        while not list(out.glob("work/lora-*/log.tsv")) and time.monotonic() < deadline:
            assert process.poll() is None, "it ended before it could be killed"
            time.sleep(0.2)
        assert list(out.glob("work/lora-*/log.tsv"))
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not (out / "ada.voice").exists()
    cut = (out / "work/utterances/utterances.jsonl").read_bytes()
    (out / "work/utterances/utterances.jsonl").write_bytes(cut + b'[{"key": "half')  # as a kill may leave it
    durations = (out / "work/durations/index.jsonl").read_bytes()
    left = [out / f".{'0' * 32}.partial", out / f"work/utterances/.{'0' * 32}.sidecar"]
    for path in left:
        path.write_bytes(b"half")
    arguments = [*command[4:-1], "0.05"]
    assert main(["finetune", *arguments]) == 0
    assert (out / "work/utterances/utterances.jsonl").read_bytes() == cut
    assert (out / "work/durations/index.jsonl").read_bytes() == durations
    assert Voice.load(out).adapter is not None
    assert not any(path.exists() for path in left)
