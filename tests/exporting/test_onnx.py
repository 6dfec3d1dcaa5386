"""ONNX files against the modules that they were exported from, by onnxruntime, over other lengths than the trace's."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from voxclone import ModelError, VoxClone, hub
from voxclone.cli import main
from voxclone.config import VocoderConfig
from voxclone.exporting import ExportedModel, export_onnx
from voxclone.exporting.fourier import RealSTFT
from voxclone.exporting.onnx import VOCODER_FILE, export_vocoder
from voxclone.exporting.vocoders import exportable
from voxclone.files import file_sha256
from voxclone.finetuning.base import load_base
from voxclone.models.acoustic import AcousticModel
from voxclone.models.acoustic.delivery import LONGEST_SILENCE
from voxclone.models.vocoder import build_vocoder
from voxclone.text.phonemes import phonemize
from voxclone.text.symbols import SYMBOLS, symbol_ids

pytest.importorskip("onnx", reason="the onnx extra is not installed")
pytest.importorskip("onnxruntime")

SMALL: dict[str, Any] = {
    "upsample_initial_channel": 16,
    "resblock": "2",
    "resblock_kernel_sizes": (3,),
    "resblock_dilation_sizes": ((1, 3),),
}
VOCODERS = {
    "hifigan": VocoderConfig(**SMALL),
    "bigvgan": VocoderConfig(**SMALL, activation="snakebeta", activation_logarithmic=True),
    "source_istft": VocoderConfig(
        **SMALL, upsample_rates=(4,), upsample_kernel_sizes=(8,), head="source_istft", head_n_fft=256
    ),
}


@pytest.fixture
def seeded() -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("name", VOCODERS)
def test_vocoder(name: str, seeded: None, tmp_path: Path) -> None:
    config = VOCODERS[name]
    vocoder = build_vocoder(config).eval()
    export_vocoder(vocoder, tmp_path / VOCODER_FILE, config.n_mels)
    for frames, voiced in ((1, 1.0), (5, 0.0), (40, 0.6), (93, 0.5)):
        mel = 2 * torch.randn(1, 80, frames) - 5
        f0 = torch.where(torch.rand(1, frames) < voiced, 100 + 100 * torch.rand(1, frames), torch.zeros(1, frames))
        with torch.inference_mode():
            expected = vocoder(mel, f0)[0].numpy()
        found = ExportedModel(tmp_path).vocode(mel.numpy(), f0.numpy())
        assert found.shape == (256 * frames,)
        assert np.abs(expected).max() > 0.05
        # A source divides by a sine that nears 0 at each pulse: rounding shows there, in single samples.
        worst, typical = (1e-3, 1e-4) if "istft" in name else (1e-5, 1e-6)
        assert np.abs(found - expected).max() < worst
        assert np.sqrt(np.square(found - expected).mean()) < typical


def test_model(tiny_folder: Path, tiny_model: VoxClone, tmp_path: Path) -> None:
    """From phonemes to samples as `generate` has them, and at another pace."""
    exported = export_onnx(tiny_folder, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "acoustic.onnx", "vocoder.onnx", "voxclone.json",
    ]  # fmt: skip
    about = json.loads((tmp_path / "out" / "voxclone.json").read_text())
    assert about["symbols"] == list(SYMBOLS)
    assert (about["sample_rate"], about["hop_length"], about["marked"]) == (22050, 256, True)
    voice = tiny_model.voices["ada"]
    for text in ("Yes.", "The birch canoe slid on the smooth planks, and nobody saw it."):
        ids = np.array(symbol_ids(phonemize(text, "en-us").symbols))
        expected = tiny_model.generate(text, voice)
        found = exported.run(ids, voice.speaker_embedding, voice.f0_median, voice.spectrum)
        assert found.shape == expected.samples.shape
        scale = max(1.0, float(np.abs(found).max()))
        assert np.abs(found / scale - expected.samples).max() < 2e-2
        slow = exported.run(ids, voice.speaker_embedding, voice.f0_median, voice.spectrum, speed=0.5)
        assert 1.5 * len(found) < len(slow) < 2.5 * len(found)


def test_pauses_longer_than_the_decoder_is_asked_for(tiny_folder: Path, tiny_model: VoxClone, tmp_path: Path) -> None:
    """Predicted ones and written ones, slowly: the silence put into them is in the exported model as well."""
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    config = hub.read_config(folder)
    pausing = dataclasses.replace(config, acoustic=dataclasses.replace(config.acoustic, pauses=True))
    acoustic = AcousticModel(pausing.acoustic)
    acoustic.load_state_dict(hub.read_tensors(folder / "acoustic.safetensors")[0], strict=False)
    assert acoustic.pauses is not None
    acoustic.pauses.bar.fill_(-100.0)  # at every space
    hub.save_part(folder, "acoustic", acoustic, pausing)
    model, exported = VoxClone.from_pretrained(folder), export_onnx(folder, tmp_path / "out")
    voice = model.voices["ada"]
    ids = np.array(symbol_ids(phonemize("The boats went out again, and came back.", "en-us").symbols))
    expected = model.generate("The boats went out again, and came back.", voice, speed=0.25)
    found = exported.run(ids, voice.speaker_embedding, voice.f0_median, voice.spectrum, speed=0.25)
    assert expected.prosody.durations.max() > LONGEST_SILENCE
    assert found.shape == expected.samples.shape


@pytest.mark.parametrize(("n_fft", "hop"), [(256, 64), (20, 4), (9, 3)])
def test_transform_is_pytorchs(n_fft: int, hop: int) -> None:
    window = torch.hann_window(n_fft)
    transform = RealSTFT(n_fft, hop, window)
    waveform = torch.randn(2, hop * 30)
    real, imaginary = transform(waveform)
    padded = nn.functional.pad(waveform, ((n_fft - hop) // 2,) * 2)
    expected = torch.stft(padded, n_fft, hop, n_fft, window, center=False, return_complex=True)
    torch.testing.assert_close(torch.complex(real, imaginary), expected, atol=1e-5, rtol=1e-5)
    made = transform.inverse(real, imaginary)
    inside = slice(n_fft, -n_fft)
    torch.testing.assert_close(made[:, inside], waveform[:, inside], atol=1e-5, rtol=1e-4)


def test_what_cannot_be_exported() -> None:
    with pytest.raises(ModelError, match="a vocoder of type Linear cannot be exported to ONNX yet"):
        exportable(nn.Linear(1, 1))


def test_a_model_of_other_symbols_is_refused(tiny_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "other")
    sums, before = (folder / "sha256.txt").read_text(), file_sha256(folder / "config.json")
    values = json.loads((folder / "config.json").read_text())
    values["text"]["symbols_version"] += 1
    (folder / "config.json").write_text(json.dumps(values))
    (folder / "sha256.txt").write_text(sums.replace(before, file_sha256(folder / "config.json")))
    with pytest.raises(ModelError, match="phoneme symbols"):
        export_onnx(folder, tmp_path / "out")
    with pytest.raises(ModelError, match="phoneme symbols"):
        load_base(folder)


def test_command(tiny_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--model", str(tiny_folder), "-o", str(tmp_path / "out")]) == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()] == [
        str(tmp_path / "out" / name) for name in ("acoustic.onnx", "vocoder.onnx", "voxclone.json")
    ]
