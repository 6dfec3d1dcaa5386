"""The README's Python blocks and command lines run as they stand, with something like speech as `me.wav`."""

import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import voxclone
from voxclone import hub

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BUNDLED = [folder / "pretrained" / hub.BUNDLED_NAME for folder in (Path(voxclone.__file__).parent, ROOT)]

needs_bundled_model = pytest.mark.skipif(
    not any((folder / "config.json").is_file() for folder in BUNDLED), reason="no model is bundled"
)


def blocks(language: str) -> list[tuple[int, str]]:
    """The README's code blocks in a language, each with its first line's number."""
    found = re.finditer(rf"^```{language}\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    return [(README.count("\n", 0, match.start(1)) + 1, match[1]) for match in found]


@pytest.fixture
def folder_with_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recording: tuple[NDArray[np.float32], int]
) -> Path:
    """The working directory: empty but for `me.wav`, which a model with a mark would not take from itself."""
    soundfile.write(tmp_path / "me.wav", *recording)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@needs_bundled_model
def test_python_blocks_run(folder_with_clip: Path) -> None:
    names: dict[str, Any] = {}
    found = blocks("python")
    assert len(found) >= 5
    for line, source in found:
        exec(compile("\n" * (line - 1) + source, "README.md", "exec"), names)
    for written in ("speech.wav", "me.voice", "my-model/config.json"):
        assert (folder_with_clip / written).is_file()


@needs_bundled_model
def test_command_lines_run(folder_with_clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from voxclone import cli

    lines = [line for _, block in blocks("bash") for line in block.splitlines() if line.startswith("voxclone ")]
    assert len(lines) >= 5
    for line in lines:
        assert not cli.main(shlex.split(line)[1:]), f"{line}: {capsys.readouterr().err}"
    for written in ("hello.wav", "me.voice", "hello-me.wav"):
        assert (folder_with_clip / written).is_file()
