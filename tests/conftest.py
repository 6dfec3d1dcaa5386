"""A tiny random model that stands for a trained one, something that sounds like speech, and no network."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray

if TYPE_CHECKING:
    from voxclone import VoxClone

BASIS = "a test's own random numbers"


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
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model folder of a few hundred kB with random weights and the example voices ada and bob."""
    import torch

    from voxclone import Consent, Voice, hub
    from voxclone.config import AcousticConfig, AlignerConfig, ModelConfig, SpeakerEncoderConfig, VocoderConfig
    from voxclone.models.acoustic import AcousticModel
    from voxclone.models.aligner import Aligner
    from voxclone.models.speaker_encoder import SpeakerEncoder
    from voxclone.models.vocoder import build_vocoder
    from voxclone.synthesis.reference import encoder_id
    from voxclone.text.symbols import SYMBOLS

    config = ModelConfig(
        name="tiny",
        acoustic=AcousticConfig(
            n_symbols=len(SYMBOLS),
            speaker_embedding_dim=16,
            hidden_dim=16,
            encoder_layers=1,
            decoder_layers=1,
            predictor_layers=1,
        ),
        speaker_encoder=SpeakerEncoderConfig(
            channels=16, dilations=(1, 2), pooled_channels=16, attention_channels=8, embedding_dim=16
        ),
        vocoder=VocoderConfig(
            upsample_initial_channel=16,
            resblock="2",
            resblock_kernel_sizes=(3,),
            resblock_dilation_sizes=((1, 3),),
        ),
        aligner=AlignerConfig(n_symbols=len(SYMBOLS), dim=16),
    )
    assert config.aligner is not None
    folder = tmp_path_factory.mktemp("models") / "tiny"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        parts = {
            "speaker_encoder": SpeakerEncoder(config.speaker_encoder),
            "acoustic": AcousticModel(config.acoustic),
            "vocoder": build_vocoder(config.vocoder),
            "aligner": Aligner(config.aligner),
        }
    paths = {}
    for index, (name, f0_median) in enumerate({"ada": 200.0, "bob": 110.0}.items()):
        embedding = np.random.default_rng(index).normal(size=16)
        embedding /= np.linalg.norm(embedding)
        consents = (Consent.attest(name, basis=BASIS),)
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
