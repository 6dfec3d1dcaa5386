"""The detector that listens says what the one that is trained says, and needs no PyTorch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch

from voxclone import hub
from voxclone.audio.io import write_audio
from voxclone.config import WatermarkConfig
from voxclone.errors import ConfigError, ModelError
from voxclone.models.watermark import WatermarkDetector
from voxclone.safety.ear import Ear, tensor_shapes
from voxclone.safety.finding import load_finder

TINY = WatermarkConfig(channels=8, dilations=(1, 2), pilot_hops=50, pilot_local_hops=20)
OTHER = WatermarkConfig(
    n_fft=256, hop_length=64, short_n_fft=64, short_hop_length=32, smooth_bins=9, entry_stride=3, channels=12,
    dilations=(3,), pilot_bands=4, pilot_hops=101, pilot_local_hops=30,
)  # fmt: skip


def speech(samples: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    loudness = np.abs(np.sin(np.arange(samples) / 3000))
    return (0.1 * rng.standard_normal(samples) * loudness).astype(np.float32)


def differences(detector: WatermarkDetector, ear: Ear, waveform: np.ndarray) -> list[float]:
    with torch.inference_mode():
        trained = [each[0].numpy() for each in detector(torch.from_numpy(waveform)[None])]
    heard = ear(waveform)
    assert [each.shape for each in heard] == [each.shape for each in trained]
    return [float(np.abs(a - b).max()) for a, b in zip(heard, trained, strict=True)]


@pytest.mark.parametrize("config", [TINY, OTHER, WatermarkConfig()], ids=["tiny", "other", "default"])
@pytest.mark.parametrize("frames", [1, 1.5, 7, 100, 313.3])
def test_hears_what_the_trained_detector_hears(random_detector, config, frames):
    detector, ear = random_detector(config)
    waveform = speech(round(frames * config.frame_length))
    assert max(differences(detector, ear, waveform)) < 1e-4
    assert max(differences(detector, ear, np.zeros_like(waveform))) < 1e-4


def test_hears_what_the_bundled_detector_hears():
    folder = hub.resolve(None)
    config = hub.read_config(folder).watermark
    detector = hub.build(lambda: WatermarkDetector(config), folder / "detector.safetensors").eval()
    assert max(differences(detector, load_finder().ear, speech(10 * config.sample_rate))) < 1e-4


def test_every_tensor_counts_as_in_the_trained_detector(random_detector):
    detector, ear = random_detector(TINY)
    waveform = speech(20 * TINY.frame_length)
    before = ear(waveform)[0]
    state = detector.state_dict()
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == tensor_shapes(TINY)
    for name, tensor in state.items():
        changed = tensor.clone()
        changed.view(-1)[-1] += 1  # of the last channel, tap and bin
        detector.load_state_dict(state | {name: changed})
        other = Ear(TINY, ear.tensors | {name: changed.numpy()})
        if name not in (
            "pilot.bands",
            "head.bias",
            "head.weight",
        ):
            assert np.abs(other(waveform)[0] - before).max() > 1e-3, name
        assert max(differences(detector, other, waveform)) < 1e-4, name


def test_detection_does_without_pytorch(tiny_folder, tmp_path):
    write_audio(tmp_path / "speech.wav", speech(2 * 16000), 16000)
    code = f"""
import sys, voxclone
from voxclone.cli import main
speech, model = {str(tmp_path / "speech.wav")!r}, {str(tiny_folder)!r}
print(voxclone.detect(speech, model=model).verdict)
main(["detect", speech, "--model", model])
main(["inspect", speech, "--model", model])
print("torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "speech.wav: " in done.stdout and done.stdout.split()[-1] == "False"


@pytest.mark.parametrize("wrong", [{"dilations": (1 << 20,)}, {"pilot_hops": 1 << 20}, {"pilot_local_hops": 1 << 20}])
def test_a_detector_that_hears_far_is_refused(wrong):
    with pytest.raises(ConfigError, match="at most"):
        WatermarkConfig(**wrong)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_reads_every_floating_point_type(random_detector, tmp_path, dtype):
    detector, _ = random_detector(TINY)
    stored = {name: tensor.to(dtype) for name, tensor in detector.state_dict().items()}
    hub.write_tensors(tmp_path / "detector.safetensors", stored, {})
    arrays = hub.read_arrays(tmp_path / "detector.safetensors", tensor_shapes(TINY), "detector")
    for name, tensor in stored.items():
        assert arrays[name].dtype == np.float32
        np.testing.assert_array_equal(arrays[name], tensor.float().numpy())
    whole = stored | {"head.bias": torch.zeros(2, dtype=torch.int64)}
    hub.write_tensors(tmp_path / "detector.safetensors", whole, {})
    with pytest.raises(ModelError, match=r"head\.bias is I64"):
        hub.read_arrays(tmp_path / "detector.safetensors", tensor_shapes(TINY), "detector")
