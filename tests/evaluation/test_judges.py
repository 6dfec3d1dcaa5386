"""Judges: found by name, absent with a reason, and heard through their own interfaces."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from voxclone import EvaluationError
from voxclone.audio.io import write_audio
from voxclone.evaluation.judges import Absent, open_naturalness, open_recogniser, open_verifier, opening
from voxclone.evaluation.judges import naturalness as naturalness_module


@pytest.fixture
def clips(tmp_path: Path) -> list[Path]:
    """Two short recordings at another rate than the judges'."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / "a.wav", tmp_path / "b c.wav"]
    for path in paths:
        write_audio(path, (0.1 * rng.normal(size=22050)).astype(np.float32), 22050)
    return paths


def program(path: Path, code: str) -> str:
    path.write_text(code)
    return f"command:{shlex.quote(sys.executable)} {shlex.quote(str(path))}"


def test_names_that_are_not_known() -> None:
    with pytest.raises(EvaluationError, match="no recogniser 'sphinx'; known are pocketsphinx, faster-whisper"):
        open_recogniser("sphinx:x")
    with pytest.raises(EvaluationError, match="no verifier"):
        open_verifier("ecapa")
    with pytest.raises(EvaluationError, match="no naturalness predictor"):
        open_naturalness("mos")


def test_what_is_not_installed_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("faster_whisper", "transformers"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(Absent, match="pip install faster-whisper"):
        open_recogniser("faster-whisper:/model")
    with pytest.raises(Absent, match="pip install transformers"):
        open_verifier("transformers:/model")


def test_the_hub_is_not_asked_to_convert_a_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Transformers would do it in a thread that the process waits for at its end."""
    converting: list[str | None] = []

    def load(*_: Any, **__: Any) -> None:
        converting.append(os.environ.get("DISABLE_SAFETENSORS_CONVERSION"))
        raise OSError("no network")

    loader = SimpleNamespace(from_pretrained=load)
    library = SimpleNamespace(pipeline=load, AutoFeatureExtractor=loader, AutoModelForAudioXVector=loader)
    monkeypatch.setitem(sys.modules, "transformers", library)
    monkeypatch.setenv("DISABLE_SAFETENSORS_CONVERSION", "")  # so that it is put back
    for find in (open_recogniser, open_verifier):
        monkeypatch.delenv("DISABLE_SAFETENSORS_CONVERSION")
        with pytest.raises(Absent, match="transformers cannot load 'a/b': no network"):
            find("transformers:a/b")
    assert converting == ["1", "1"]


def test_weights_that_would_be_downloaded_are_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(naturalness_module, "TORCHMETRICS_CACHE", tmp_path)
    with pytest.raises(Absent, match=r"would download dnsmos: its weights are not here, .*model_v8\.onnx is missing"):
        open_naturalness("dnsmos")
    with pytest.raises(Absent, match=r"nisqa\.tar is missing"):
        open_naturalness("nisqa")


def test_pocketsphinx_hears_silence_as_nothing(tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    path = tmp_path / "quiet.wav"
    write_audio(path, np.zeros(16000, np.float32), 16000)
    assert open_recogniser("pocketsphinx").transcribe([path]) == [""]
    with pytest.raises(Absent, match=r"no language model .*gone\.lm"):
        open_recogniser(f"pocketsphinx:{tmp_path / 'gone.lm'}")


def test_commands(clips: list[Path], tmp_path: Path) -> None:
    """A program gets the files, or the pairs, and answers in lines."""
    line = program(
        tmp_path / "asr.py", "import sys\nfor f in sys.argv[1:]: print(f, 'wer=0', f'said {len(f)}', sep='\\t')"
    )
    assert open_recogniser(line).transcribe(clips) == [f"said {len(str(clip))}" for clip in clips]
    line = program(tmp_path / "mos.py", "import sys\nfor f in sys.argv[:0:-1]: print(f, f'mos={len(f)}.5', sep='\\t')")
    assert open_naturalness(line).score(clips) == [len(str(clip)) + 0.5 for clip in clips]
    code = (
        "import sys\nfor l in open(sys.argv[1]): a, b = l.rstrip().split('\\t'); print(b, 0.25 * (a == b), sep='\\t')"
    )
    pairs = [(clips[0], clips[1]), (clips[1], clips[1])]
    assert open_verifier(program(tmp_path / "sv.py", code)).similarity(pairs) == [0.0, 0.25]


def test_commands_that_fail_are_absent(clips: list[Path], tmp_path: Path) -> None:
    failing = program(tmp_path / "fail.py", "import sys; sys.exit('no weights')")
    with pytest.raises(Absent, match="failed with status 1: no weights"):
        open_recogniser(failing).transcribe(clips)
    with pytest.raises(Absent, match=r"there is no program '/no/such/program'; install it, or give its path"):
        open_recogniser("command:/no/such/program")
    silent = program(tmp_path / "silent.py", "")
    with pytest.raises(Absent, match="printed no line for"):
        open_naturalness(silent).score(clips)
    with pytest.raises(Absent, match="printed 0 lines for 1 pairs"):
        open_verifier(silent).similarity([(clips[0], clips[1])])
    wordy = program(tmp_path / "wordy.py", "import sys\nfor f in sys.argv[1:]: print(f, 'good', sep='\\t')")
    with pytest.raises(Absent, match="must end with a number, got 'good'"):
        open_naturalness(wordy).score(clips)


def test_a_command_gets_no_input_and_leaves_nothing_to_wait_for(clips: list[Path], tmp_path: Path) -> None:
    """One that reads its input, or leaves a process behind that holds its output, would keep an evaluation waiting."""
    code = (
        "import subprocess, sys\n"
        "left = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(300)'])\n"
        f"open({str(tmp_path / 'left')!r}, 'w').write(str(left.pid))\n"
        "for f in sys.argv[1:]: print(f, sys.stdin.read() + 'nothing', sep='\\t')\n"
    )
    stdin, (reading, writing) = os.dup(0), os.pipe()
    os.write(writing, b"typed")
    os.close(writing)
    os.dup2(reading, 0)
    try:
        assert open_recogniser(program(tmp_path / "asr.py", code)).transcribe(clips) == ["nothing", "nothing"]
    finally:
        os.dup2(stdin, 0)
        os.close(reading)
        os.close(stdin)
    os.kill(int((tmp_path / "left").read_text()), signal.SIGKILL)  # it has not ended: nobody waited for it


def test_functions_of_a_file(clips: list[Path], tmp_path: Path) -> None:
    """Each is given samples at 16 kHz; embeddings are compared by their cosine, each file's made once."""
    file = tmp_path / "mine.py"
    file.write_text(
        "calls = []\n"
        "def hear(samples, rate): return f'{len(samples)} at {rate}'\n"
        "def embed(samples, rate): calls.append(1); return [3.0, 4.0] if samples[0] > 0 else [4.0, -3.0]\n"
        "def count(samples, rate): return float(len(calls))\n"
    )
    assert open_recogniser(f"python:{file}:hear").transcribe(clips) == ["16000 at 16000"] * 2
    write_audio(clips[0], np.full(16000, 0.1, np.float32), 16000)
    write_audio(clips[1], np.full(16000, -0.1, np.float32), 16000)
    verifier = open_verifier(f"python:{file}:embed")
    assert verifier.similarity([(clips[0], clips[0]), (clips[0], clips[1])]) == pytest.approx([1.0, 0.0])
    assert open_naturalness("python:statistics:pstdev").name == "statistics:pstdev"


def test_functions_that_are_not_there_are_absent(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("constant = 1\n")
    with pytest.raises(Absent, match=r"no_such_module:embed cannot be had: ModuleNotFoundError: No module named"):
        open_verifier("python:no_such_module:embed")
    with pytest.raises(Absent, match="cannot be had"):
        open_verifier(f"python:{tmp_path / 'gone.py'}:embed")
    with pytest.raises(Absent, match="has no attribute 'embed'"):
        open_verifier(f"python:{tmp_path / 'mine.py'}:embed")
    with pytest.raises(Absent, match="cannot be called"):
        open_verifier(f"python:{tmp_path / 'mine.py'}:constant")
    with pytest.raises(EvaluationError, match="a judge is named as python:MODULE:FUNCTION"):
        open_verifier("python:embed")


def test_functions_that_fail_are_absent(clips: list[Path], tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "def fail(samples, rate): raise RuntimeError('out of memory')\ndef words(samples, rate): return 'no'\n"
    )
    with pytest.raises(Absent, match=r"mine\.py:fail failed on a\.wav: RuntimeError: out of memory"):
        open_recogniser(f"python:{file}:fail").transcribe(clips)
    with pytest.raises(Absent, match=r"mine\.py:fail failed on a\.wav: RuntimeError"):
        open_verifier(f"python:{file}:fail").similarity([(clips[0], clips[1])])
    with pytest.raises(Absent, match=r"mine\.py:words returned no embedding for a\.wav"):
        open_verifier(f"python:{file}:words").similarity([(clips[0], clips[1])])
    with pytest.raises(Absent, match=r"mine\.py:words returned no number"):
        open_naturalness(f"python:{file}:words").score(clips)
    file.write_text("def embed(:\n")
    with pytest.raises(Absent, match="cannot be had: SyntaxError"):
        open_verifier(f"python:{file}:embed")


def test_transformers_models_in_a_folder(clips: list[Path], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    sizes = {
        "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16,
        "conv_dim": (8, 8), "conv_stride": (5, 64), "conv_kernel": (10, 64),
        "num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2,
    }  # fmt: skip
    features = transformers.Wav2Vec2FeatureExtractor()
    xvector = tmp_path / "wavlm"
    config = transformers.WavLMConfig(**sizes, tdnn_dim=(16, 16), tdnn_kernel=(3, 1), tdnn_dilation=(1, 1))
    transformers.WavLMForXVector(config).save_pretrained(xvector)
    features.save_pretrained(xvector)
    same, other = open_verifier(f"transformers:{xvector}").similarity([(clips[0], clips[0]), (clips[0], clips[1])])
    assert same == pytest.approx(1.0, abs=1e-5)
    assert other < same
    ctc = tmp_path / "wav2vec2"
    letters = ["<pad>", "<s>", "</s>", "<unk>", "|", "a", "b"]
    ctc.mkdir()
    (ctc / "vocab.json").write_text(json.dumps({letter: index for index, letter in enumerate(letters)}))
    tokenizer = transformers.Wav2Vec2CTCTokenizer(str(ctc / "vocab.json"))
    transformers.Wav2Vec2Processor(features, tokenizer).save_pretrained(ctc)
    transformers.Wav2Vec2ForCTC(transformers.Wav2Vec2Config(**sizes, vocab_size=7)).save_pretrained(ctc)
    assert all(isinstance(text, str) for text in open_recogniser(f"transformers:{ctc}").transcribe(clips))
    with pytest.raises(Absent, match="transformers cannot load"):
        open_verifier(f"transformers:{tmp_path / 'gone'}")


def test_audio_is_heard_at_16_khz(clips: list[Path]) -> None:
    heard = opening.hear(clips[0])
    assert len(heard) == 16000
    assert heard.dtype == np.float32
