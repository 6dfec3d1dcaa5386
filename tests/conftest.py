"""A tiny random model that stands for a trained one, something that sounds like speech, and no network."""

from __future__ import annotations

import ctypes
import dataclasses
import gc
import importlib.util
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

if TYPE_CHECKING:
    from voxclone import VoxClone
    from voxclone.config import WatermarkConfig
    from voxclone.models.watermark import WatermarkDetector
    from voxclone.safety.ear import Ear

BASIS = "a test's own random numbers"


@pytest.fixture(scope="session")
def script() -> Callable[[str], ModuleType]:
    """Loads a script of the repository as a module; skips where only the package is."""

    def load(path: str) -> ModuleType:
        file = Path(__file__).resolve().parents[1] / path
        if not file.exists():
            pytest.skip("without the repository")
        spec = importlib.util.spec_from_file_location(f"script_{file.stem}", file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture(scope="session")
def cpu_seconds() -> Callable[[Callable[[], object]], float]:
    """What this thread computes for a call, the faster of two: other threads and collecting garbage left out."""

    def measure(call: Callable[[], object]) -> float:
        seconds = []
        for _ in range(2):
            gc.collect()
            gc.disable()
            try:
                start = time.thread_time()
                call()
                seconds.append(time.thread_time() - start)
            finally:
                gc.enable()
        return min(seconds)

    return measure


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    """Fail whoever connects to anything but this machine."""
    connect = socket.socket.connect
    lookup = socket.getaddrinfo

    def is_local(host: object) -> bool:
        return host in (None, "", "localhost", "127.0.0.1", "::1")

    def guarded_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not is_local(address[0]):
            pytest.fail(f"a test connected to {address}")
        connect(self, address)

    def guarded_lookup(host: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_local(host):
            pytest.fail(f"a test looked up {host}")
        return lookup(host, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket, "getaddrinfo", guarded_lookup)
        yield


@pytest.fixture(scope="session")
def random_detector() -> Callable[[WatermarkConfig], tuple[WatermarkDetector, Ear]]:
    """Makes a detector of random weights, as it is trained and as it listens."""
    import torch

    from voxclone.models.watermark import WatermarkDetector
    from voxclone.safety.ear import Ear

    def make(config: WatermarkConfig) -> tuple[WatermarkDetector, Ear]:
        generator = torch.Generator().manual_seed(0)
        detector = WatermarkDetector(config).eval().requires_grad_(False)
        for tensor in detector.parameters():
            scale = tensor[0].numel() ** -0.5 if tensor.ndim > 1 else 0.1
            tensor.copy_(scale * torch.randn(tensor.shape, generator=generator))
        for name, tensor in detector.named_parameters():
            if "norm.weight" in name:
                tensor += 1
        return detector, Ear(config, {name: tensor.numpy() for name, tensor in detector.state_dict().items()})

    return make


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model folder of a few hundred kB with random weights and the example voices ada and bob.

    Its thresholds let everything out, and call no recording marked; it has none for who speaks.
    """
    import torch

    from voxclone import Consent, Voice, hub
    from voxclone.config import ModelConfig, VerificationConfig
    from voxclone.models.acoustic import AcousticModel
    from voxclone.models.aligner import Aligner
    from voxclone.models.cohort import Cohort
    from voxclone.models.identity import weights_id
    from voxclone.models.speaker_encoder import SpeakerEncoder
    from voxclone.models.vocoder import build_vocoder
    from voxclone.models.watermark import WatermarkDetector
    from voxclone.synthesis.reference import encoder_id

    config = ModelConfig.from_dict(json.loads((Path(__file__).parent / "golden" / "tiny.json").read_text()))
    assert config.aligner is not None and config.watermark is not None
    folder = tmp_path_factory.mktemp("models") / "tiny"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts: dict[str, Any] = {
            "speaker_encoder": SpeakerEncoder(config.speaker_encoder),
            "acoustic": AcousticModel(config.acoustic),
            "vocoder": build_vocoder(config.vocoder),
            "aligner": Aligner(config.aligner),
            "detector": WatermarkDetector(config.watermark),
        }
        verification = VerificationConfig(8, weights_id(parts["speaker_encoder"]), nearest=4)
        config = dataclasses.replace(config, verification=verification)
        parts["cohort"] = Cohort(verification, 16)
        parts["cohort"].embeddings.copy_(torch.eye(16)[:8])
    paths = {}
    for index, (name, f0_median) in enumerate({"ada": 200.0, "bob": 110.0}.items()):
        embedding = np.random.default_rng(index).normal(size=16)
        embedding /= np.linalg.norm(embedding)
        consents = (Consent.attest(name, basis=BASIS, scope=("cloning", "sharing")),)
        paths[name] = folder.with_name(f"{name}.voice")
        Voice(name, embedding, np.full(80, -5.0), f0_median, consents, encoder_id(parts["speaker_encoder"])).save(
            paths[name]
        )
    hub.save_folder(folder, config, parts, card="# tiny\nRandom weights.\n", voices=paths)
    return folder


@pytest.fixture(scope="session")
def tiny_model(tiny_folder: Path) -> VoxClone:
    """The tiny model on the CPU; the model keeps no state, so that tests may share it."""
    from voxclone import VoxClone

    return VoxClone.from_pretrained(tiny_folder, device="cpu")


@pytest.fixture(scope="session")
def recording() -> tuple[NDArray[np.float32], int]:
    """Three seconds like speech at 16 kHz: harmonics of 120 Hz in syllables, with some noise."""
    rate = 16000
    time = np.arange(3 * rate) / rate
    voice = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 2 * time) + 0.6, 0, 1)
    noise = 1e-3 * np.random.default_rng(0).normal(size=len(time))
    return (0.1 * voice * syllables + noise).astype(np.float32), rate


class Espeak:
    """espeak-ng as a synthesiser, from the wheel that phonemes come from."""

    def __init__(self) -> None:
        import espeakng_loader

        self._library = ctypes.CDLL(espeakng_loader.get_library_path())
        data = Path(espeakng_loader.get_data_path()).parent
        self.sample_rate = self._library.espeak_Initialize(2, 0, os.fsencode(data), 0)  # 2: synchronous, to a callback
        assert self.sample_rate > 0
        kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
        self._callback = kind(self._receive)
        self._library.espeak_SetSynthCallback(self._callback)
        self._chunks: list[NDArray[np.int16]] = []

    def _receive(self, samples: Any, count: int, events: Any) -> int:
        if samples and count:
            self._chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    def speak(self, text: str, voice: str, pitch: int) -> NDArray[np.int16]:
        self._chunks.clear()
        assert self._library.espeak_SetVoiceByName(voice.encode()) == 0
        self._library.espeak_SetParameter(3, pitch, 0)  # 3: pitch, 0 to 100
        spoken = text.encode()
        assert self._library.espeak_Synth(spoken, ctypes.c_size_t(len(spoken) + 1), 0, 0, 0, 1, None, None) == 0
        return np.concatenate(self._chunks)


@pytest.fixture(scope="session")
def espeak() -> Espeak:
    """Speech with known words."""
    return Espeak()
