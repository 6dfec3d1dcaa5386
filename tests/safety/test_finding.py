"""`voxclone.detect`, the command, and the exit, with a random detector and thresholds that decide."""

from __future__ import annotations

import dataclasses
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import voxclone
from voxclone import hub
from voxclone.audio.io import write_audio
from voxclone.cli import main
from voxclone.config import WatermarkConfig
from voxclone.models.watermark import WatermarkDetector
from voxclone.safety.ear import Ear
from voxclone.safety.finding import load_finder, read_blocks, read_finder

TEXT = "One two three, four five six seven."
ALWAYS, NEVER = -1e6, 1e6


@pytest.fixture(scope="module")
def marked(tiny_model: voxclone.VoxClone, tmp_path_factory: pytest.TempPathFactory) -> Callable[[float], Path]:
    """Folders of the tiny model with a detector of that threshold."""
    root = tmp_path_factory.mktemp("marked")

    def folder(threshold: float) -> Path:
        target = root / str(threshold)
        if not target.exists():
            watermark = WatermarkConfig(channels=8, dilations=(1, 2), threshold=threshold, doubt=threshold)
            config = dataclasses.replace(tiny_model.config, watermark=watermark)
            with torch.random.fork_rng():
                torch.manual_seed(0)
                detector = WatermarkDetector(watermark)
            voices = {name: target.with_name(f"{name}.voice") for name in tiny_model.voices}
            for name, voice in tiny_model.voices.items():
                voice.save(voices[name])
            hub.save_folder(target, config, tiny_model._parts() | {"detector": detector}, card="", voices=voices)
        return target

    return folder


def test_detects_in_files_and_arrays(marked, recording, tmp_path):
    samples, rate = recording
    write_audio(tmp_path / "speech.wav", samples, rate)
    for audio in (tmp_path / "speech.wav", (samples, rate), (tmp_path / "speech.wav").read_bytes()):
        assert voxclone.detect(audio, model=marked(ALWAYS)).verdict == "watermarked"
        found = voxclone.detect(audio, model=marked(NEVER))
        assert isinstance(found, voxclone.Detection)
        assert (found.verdict, found.spans, found.payload) == ("not_detected", (), None)


@pytest.mark.parametrize(("key", "value"), [("channels", 1 << 20), ("n_fft", 1 << 12)])
def test_sizes_that_the_detector_s_file_does_not_bring_are_refused(marked, tmp_path, key, value):
    shutil.copytree(marked(NEVER), tmp_path / "huge")
    config = json.loads((tmp_path / "huge/config.json").read_text())
    config["watermark"][key] = value
    (tmp_path / "huge/config.json").write_text(json.dumps(config))
    with pytest.raises(voxclone.ModelError, match="WatermarkDetector"):
        read_finder(tmp_path / "huge", hub.read_config(tmp_path / "huge"))


def test_a_model_without_a_detector_neither_finds_nor_speaks(tiny_model, recording, tmp_path, capsys):
    config = dataclasses.replace(tiny_model.config, watermark=None)
    parts = {name: part for name, part in tiny_model._parts().items() if name != "detector"}
    hub.save_folder(tmp_path / "bare", config, parts, card="")
    tiny_model.voices["ada"].save(tmp_path / "ada.voice")
    with pytest.raises(voxclone.ModelError, match="'tiny' has no watermark detector"):
        voxclone.detect(recording, model=tmp_path / "bare")
    model = voxclone.VoxClone.from_pretrained(tmp_path / "bare", device="cpu")
    with pytest.raises(voxclone.UnmarkedError, match="unmarked_for_research=True"):
        model.generate(TEXT, tiny_model.voices["ada"])
    with pytest.raises(voxclone.UnmarkedError, match="unmarked_for_research=True"):
        next(iter(model.stream(TEXT, tiny_model.voices["ada"])))
    arguments = ["say", TEXT, "--model", tmp_path / "bare", "--voice", tmp_path / "ada.voice", "-o", tmp_path / "a.wav"]
    assert main(list(map(str, arguments))) == 2
    assert "has no watermark detector" in capsys.readouterr().err and not (tmp_path / "a.wav").exists()


def test_commercial_use_needs_a_consent_to_it(tiny_model, tiny_folder, recording, tmp_path, capsys):
    model = voxclone.VoxClone.from_pretrained(tiny_folder, device="cpu", commercial=True)
    for speak in (lambda: model.generate(TEXT, model.voices["ada"]), lambda: model.stream(TEXT, model.voices["ada"])):
        with pytest.raises(voxclone.ConsentError, match="not to commercial"):
            list(speak())
    with pytest.raises(voxclone.ConsentError, match="not to commercial"):
        model.clone(recording, name="eve", consent=voxclone.Consent.attest("eve", basis="a test"))
    agreed = voxclone.Consent.attest("eve", basis="a test", scope=("cloning", "commercial"))
    voice = model.clone(recording, name="eve", consent=agreed)
    assert model.generate("One.", voice).provenance.consent_sha256 == agreed.digest
    assert main(["say", "One.", "--model", str(tiny_folder), "--commercial", "-o", str(tmp_path / "a.wav")]) == 2
    assert "not to commercial" in capsys.readouterr().err


def test_the_command_says_it_by_its_exit_status(marked, recording, tmp_path, capsys):
    samples, rate = recording
    speech, short, broken = (str(tmp_path / name) for name in ("speech.wav", "short.wav", "broken.wav"))
    write_audio(speech, samples, rate)
    write_audio(short, samples[: rate // 4], rate)
    Path(broken).write_bytes(b"no audio")
    assert main(["detect", speech, "--model", str(marked(ALWAYS))]) == 0
    assert main(["detect", speech, "--model", str(marked(NEVER))]) == 1
    assert main(["detect", short, "--model", str(marked(NEVER))]) == 2
    capsys.readouterr()
    assert main(["detect", "--json", broken, speech, "--model", str(marked(NEVER))]) == 2
    first, second = capsys.readouterr().out.splitlines()
    assert "broken.wav" in json.loads(first)["error"] and json.loads(second)["verdict"] == "not_detected"
    assert main(["detect", broken, "--model", str(marked(NEVER))]) == 2
    assert "broken.wav: error: " in capsys.readouterr().out


def test_the_command_reads_standard_input(marked, recording, tmp_path, capsys, monkeypatch):
    write_audio(tmp_path / "a.flac", *recording)
    for content, status, said in (
        ((tmp_path / "a.flac").read_bytes(), 0, "-: watermarked"),
        (b"", 2, "-: error: the audio in memory (0 bytes) is empty"),
    ):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert main(["detect", "-", "--model", str(marked(ALWAYS))]) == status
        assert capsys.readouterr().out.startswith(said)


def test_a_closed_standard_input_is_told(marked, capsys, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    for command in (["detect", "-"], ["say", "-", "-o", "a.wav"]):
        assert main([*command, "--model", str(marked(ALWAYS))]) == 2
        assert (
            capsys.readouterr().err
            == "voxclone: error: standard input is closed, so that nothing can be read from it\n"
        )


def test_addresses_and_folders_do_not_keep_the_others_from_being_judged(marked, recording, tmp_path, capsys):
    speech, unread = str(tmp_path / "a.wav"), ["https://example.org/a.wav", str(tmp_path), "x" * 300]
    write_audio(speech, *recording)
    assert main(["detect", *unread, speech, "--model", str(marked(ALWAYS))]) == 2
    *refused, judged = capsys.readouterr().out.splitlines()
    assert [line.startswith(f"{name}: error: ") for line, name in zip(refused, unread, strict=True)] == [True] * 3
    assert "is an address" in refused[0] and "is a folder" in refused[1] and judged.startswith(f"{speech}: watermarked")


def test_speech_without_the_mark_is_not_let_out(marked):
    model = voxclone.VoxClone.from_pretrained(marked(NEVER), device="cpu")
    with pytest.raises(voxclone.UnmarkedError, match="does not carry its mark"):
        model.generate(" ".join([TEXT] * 3), model.voices["ada"])


def test_research_may_let_it_out_loudly(marked, tmp_path):
    with pytest.warns(RuntimeWarning, match="may not be told from a recording"):
        model = voxclone.VoxClone.from_pretrained(marked(NEVER), device="cpu", unmarked_for_research=True)
    speech = model.generate(TEXT, model.voices["ada"])
    assert speech.provenance.watermark_id is None
    model.save_pretrained(tmp_path / "copy")
    assert (tmp_path / "copy" / "detector.safetensors").exists()


def test_marked_speech_names_its_mark(marked):
    model = voxclone.VoxClone.from_pretrained(marked(ALWAYS), device="cpu")
    speech = model.generate(TEXT, model.voices["ada"])
    assert speech.provenance.watermark_id == "tiny, one bit"


def test_an_hour_is_read_in_little_memory(marked, tmp_path, monkeypatch):
    """Two minutes at 48 kHz, with a limit on what is ever held at once."""
    held = []
    original = Ear.__call__
    monkeypatch.setattr(Ear, "__call__", lambda self, heard: (held.append(len(heard)), original(self, heard))[1])
    rng = np.random.default_rng(0)
    write_audio(tmp_path / "long.flac", (0.01 * rng.normal(size=120 * 48000)).astype(np.float32), 48000)
    blocks = read_blocks(tmp_path / "long.flac")
    assert max(len(block) for block, _ in blocks) <= 1 << 16
    load_finder(marked(NEVER)).find(read_blocks(tmp_path / "long.flac"))
    assert len(held) >= 4 and max(held) < 40 * 16000
