"""All that speaks or writes audio goes through the one exit, and nothing speaks without every safety module."""

from __future__ import annotations

import ast
import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import voxclone
from voxclone import Provenance, Segment, Speech, UnmarkedError, VoxClone
from voxclone.cli import main
from voxclone.safety.labels import read_sidecar, read_tagged
from voxclone.synthesis import outlet

PACKAGE = Path(voxclone.__file__).parent
SAFETY = sorted(path.stem for path in (PACKAGE / "safety").glob("*.py") if path.stem != "__init__")
TEXT = "Hello there."


def speeches(model: VoxClone, folder: Path) -> dict[str, list[Speech]]:
    """What each way to speak gives."""
    ada = model.voices["ada"]

    async def streamed() -> list[Speech]:
        return [chunk async for chunk in model.stream(TEXT, ada)]

    return {
        "generate": [model.generate(TEXT, ada)],
        "a list": model.generate([TEXT, "And another."], ada),
        "stream": list(model.stream(TEXT, ada)),
        "asyncio": asyncio.run(streamed()),
        "dub": [model.dub([Segment(TEXT, 0.0, 60.0)], ada, slowest=1.0)],
    }


def test_everything_that_speaks_carries_provenance(tiny_model: VoxClone, tmp_path: Path) -> None:
    ada = tiny_model.voices["ada"]
    for way, given in speeches(tiny_model, tmp_path).items():
        assert given, way
        for speech in given:
            assert isinstance(speech.provenance, Provenance), way
            assert (speech.provenance.voice_id, speech.provenance.model) == (ada.voice_id, "tiny")


class Nowhere:
    """A detector that finds nothing: speech then must not leave."""

    mark_id = "nowhere"

    def check_marked(self, samples: NDArray[np.float32], sample_rate: int) -> bool | None:
        return False


def test_nothing_leaves_without_the_mark(tiny_model: VoxClone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    ada = tiny_model.voices["ada"]
    origin = dataclasses.replace(tiny_model._origin, mark=Nowhere())
    monkeypatch.setattr(tiny_model, "_origin", origin)
    ways: list[Callable[[], Any]] = [
        lambda: tiny_model.generate(TEXT, ada),
        lambda: tiny_model.generate([TEXT], ada),
        lambda: list(tiny_model.stream(TEXT, ada)),
        lambda: tiny_model.narrate(TEXT, ada, tmp_path / "book"),
        lambda: tiny_model.dub([Segment(TEXT, 0.0, 60.0)], ada, slowest=1.0),
    ]
    for way in ways:
        with pytest.raises(UnmarkedError):
            way()
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".wav", ".flac")]


def test_every_way_passes_the_one_function(
    tiny_model: VoxClone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the outlet closed, nothing speaks, whichever module had imported it."""

    class Closed(Exception):
        pass

    def closed(*args: object, **kwargs: object) -> Speech:
        raise Closed

    real = outlet.release
    for module in list(sys.modules.values()):
        if getattr(module, "release", None) is real:
            monkeypatch.setattr(module, "release", closed)
    ada = tiny_model.voices["ada"]
    for way in (
        lambda: tiny_model.generate(TEXT, ada),
        lambda: list(tiny_model.stream(TEXT, ada)),
        lambda: tiny_model.narrate(TEXT, ada, tmp_path),
        lambda: tiny_model.dub([Segment(TEXT, 0.0, 60.0)], ada),
    ):
        with pytest.raises(Closed):
            way()


def test_every_file_that_is_written_is_labelled(tiny_model: VoxClone, tiny_folder: Path, tmp_path: Path) -> None:
    ada = tiny_model.voices["ada"]
    tiny_model.generate(TEXT, ada).save(tmp_path / "saved.wav")
    tiny_model.narrate(TEXT, ada, tmp_path / "book")
    options = ["--model", str(tiny_folder), "--device", "cpu"]
    assert main(["say", TEXT, "-o", str(tmp_path / "said.flac"), *options]) == 0
    assert main(["narrate", str(text_file(tmp_path)), "-o", str(tmp_path / "read"), *options]) == 0
    files = [path for path in tmp_path.rglob("*") if path.suffix in (".wav", ".flac", ".mp3", ".ogg")]
    assert {path.relative_to(tmp_path).parts[0] for path in files} == {"saved.wav", "said.flac", "book", "read"}
    for path in files:
        label, sidecar = read_tagged(path), read_sidecar(path)
        assert label is not None, path
        assert sidecar is not None, path
        assert label.provenance == sidecar.provenance, path
        assert len(soundfile.read(path)[0]), path


def text_file(folder: Path) -> Path:
    path = folder / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return path


# What of the package writes or plays audio, and why that is no way past the exit.
WRITERS = {
    "audio/io.py": "write_audio itself",
    "safety/labels.py": "save_labelled, the one writer of synthetic speech, and copy_labelled, which keeps its label",
    "speech.py": "the notebook's player, with provenance in its tags",
    "cli/play.py": "plays and pipes what a stream let out, which is Speech",
    "finetuning/report.py": "a speaker's own recordings, for the page",
}
WRITING = {"write_audio", "RawOutputStream", "RawStream", "OutputStream", "playrec"}


def writes(node: ast.AST) -> bool:
    """Whether it is a call that writes or plays audio."""
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name == "SoundFile":
        return any(isinstance(each, ast.Constant) and each.value in ("w", "r+") for each in node.args[1:2])
    of_soundfile = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") in ("soundfile", "sf")
    return name in WRITING or (of_soundfile and name == "write")


def test_no_other_module_writes_or_plays_audio() -> None:
    writers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "training" not in path.parts and any(map(writes, ast.walk(ast.parse(path.read_text(encoding="utf-8")))))
    }
    assert writers == set(WRITERS)  # and that these label what they write: test_walk.py, test_labels.py


def test_no_recipe_or_notebook_writes_or_plays_audio() -> None:
    """They have what the package gives them, whose every way is walked in test_walk.py."""
    root = PACKAGE.parent
    if not (root / "recipes").is_dir():
        pytest.skip("without the repository")
    sources = {path: path.read_text(encoding="utf-8") for path in (root / "recipes").rglob("*.py")}
    for path in (root / "docs").glob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        sources[path] = "\n".join(re.sub(r"^[%!].*$", "", each, flags=re.MULTILINE) for each in code)
    assert len(sources) > 10
    assert [path for path, source in sources.items() if any(map(writes, ast.walk(ast.parse(source))))] == []


def test_only_the_exit_makes_speech() -> None:
    makers = [
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == "Speech"
    ]
    assert makers == ["synthesis/outlet.py"]


def test_a_pipe_and_a_dub_are_checked_for_the_mark(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("voxclone.safety.detection.MarkFinder.check_marked", lambda *_: False)
    options = ["--model", str(tiny_folder), "--device", "cpu"]
    cues = tmp_path / "cues.srt"
    cues.write_text("1\n00:00:00,000 --> 00:01:00,000\nHello.\n")
    for command in (["say", TEXT, "-o", "-"], ["dub", str(cues), "-o", str(tmp_path / "dub.wav")]):
        assert main([*command, *options]) == 2
        captured = capsys.readouterr()
        assert "does not carry its mark" in captured.err and captured.out == ""
    assert not list(tmp_path.glob("*.wav"))


REMOVED = """
import os, sys
sys.path.insert(0, {root!r})
import torch
for module in {modules!r}:
    if os.fork():
        os.wait()
        continue
    sys.modules["voxclone.safety." + module] = None
    try:
        import voxclone
        model = voxclone.VoxClone.from_pretrained({folder!r}, device="cpu")
        model.generate("Hello.", next(iter(model.voices.values())))
    except ImportError as error:
        print(module, "mute", "voxclone.safety." + module in str(error), flush=True)
    else:
        print(module, "spoke", flush=True)
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks, so that torch is imported once")
def test_without_any_one_safety_module_nothing_speaks(tiny_folder: Path) -> None:
    code = REMOVED.format(root=str(PACKAGE.parent), modules=SAFETY, folder=str(tiny_folder))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [f"{module} mute True" for module in SAFETY]
    assert {"certificate", "challenge", "consent", "detection", "labels", "manifest", "validity"} < set(SAFETY)
