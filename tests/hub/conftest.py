"""A tiny model folder, and no network."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from voxclone import hub
from voxclone.config import AcousticConfig, ModelConfig

Parts = dict[str, nn.Module]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a test reached for the network")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.delenv("HF_TOKEN", raising=False)


@pytest.fixture
def config() -> ModelConfig:
    return ModelConfig(acoustic=AcousticConfig(n_symbols=7), name="tiny")


@pytest.fixture
def parts() -> Parts:
    torch.manual_seed(0)
    return {
        "speaker_encoder": nn.Linear(3, 2),
        "acoustic": nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4)),
        "vocoder": nn.Linear(2, 2, bias=False),
    }


@pytest.fixture
def voice_file(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere.voice"
    path.write_bytes(b"a voice")
    return path


@pytest.fixture
def folder(tmp_path: Path, config: ModelConfig, parts: Parts, voice_file: Path) -> Path:
    path = tmp_path / "models" / "tiny"
    hub.save_folder(path, config, parts, card="# tiny\n", voices={"Ada": voice_file})
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Callable[[Path], Path]:
    """Puts a folder into a cache of huggingface_hub's layout as org/name, revisions main and v1."""

    def fill(folder: Path, commit: str = "0123456789abcdef0123456789abcdef01234567") -> Path:
        root = tmp_path / "cache"
        repo = root / "models--org--name"
        for name in ("main", "v1"):
            ref = repo / "refs" / name
            ref.parent.mkdir(parents=True, exist_ok=True)
            ref.write_text(commit)
        (repo / "blobs").mkdir()
        for number, file in enumerate(sorted(path for path in folder.rglob("*") if path.is_file())):
            blob = repo / "blobs" / f"{number:040x}"
            blob.write_bytes(file.read_bytes())
            link = repo / "snapshots" / commit / file.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(blob)
        return root

    return fill
