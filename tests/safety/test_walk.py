"""Every public callable that gives or writes audio, walked on the bundled model: what leaves carries mark and label."""

from __future__ import annotations

import argparse
import asyncio
import base64
import importlib
import inspect
import io
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

import voxclone
from voxclone import ModelError, Provenance, Segment, Speech, VoxClone, detect
from voxclone.audio.io import read_audio
from voxclone.audio.m4a import can_read
from voxclone.cli import _parser, main
from voxclone.evaluation import Item, evaluate
from voxclone.safety.labels import read_sidecar, read_tagged

TEXT = "I never said this aloud, and nobody who listens to it ever heard me say so."
DOORS = ("voxclone", "voxclone.evaluation", "voxclone.exporting", "voxclone.finetuning")
IMPLIED = ("__iter__", "__next__", "__anext__", "_repr_html_")  # what Python and notebooks call
SUFFIXES = ("wav", "flac", "mp3", "ogg", "opus", *(["m4a"] if can_read() else []))


class Heard(NamedTuple):
    """Audio that left: its samples, and what is said of it."""

    samples: NDArray[np.float32]
    sample_rate: int
    provenance: Provenance | None


def spoken(*speeches: Speech) -> list[Heard]:
    return [Heard(each.samples, each.sample_rate, each.provenance) for each in speeches]


def joined(chunks: list[Speech]) -> list[Heard]:
    """A stream's chunks, which alone are too short to find a mark in; each has its label."""
    assert len({(each.provenance.voice_id, each.provenance.model_sha256) for each in chunks}) == 1
    return [Heard(np.concatenate([each.samples for each in chunks]), chunks[0].sample_rate, chunks[0].provenance)]


def files(folder: Path) -> list[Heard]:
    """The audio files below a folder, whose tags and sidecar agree."""
    found = []
    for path in sorted(folder.rglob("*")):
        if path.suffix[1:] in SUFFIXES and path.parent.name != "references":  # what was recorded
            tags, sidecar = read_tagged(path), read_sidecar(path)
            assert tags is not None and sidecar is not None and tags.provenance == sidecar.provenance, path
            found.append(Heard(*read_audio(path), tags.provenance))
    return found


def saved(model: VoxClone, folder: Path) -> list[Heard]:
    speech = model.generate(TEXT, model.voices["amber"])
    for suffix in SUFFIXES:
        speech.save(folder / f"speech.{suffix}")
    found = files(folder)
    assert len(found) == len(SUFFIXES)
    return found


def shown(model: VoxClone, folder: Path) -> list[Heard]:
    page = model.generate(TEXT, model.voices["amber"])._repr_html_()
    (player,) = re.findall(r"base64,([^\"]+)\"", page)
    wav = base64.b64decode(player)
    label = read_tagged(wav)
    return [Heard(*read_audio(wav), None if label is None else label.provenance)]


def streamed(model: VoxClone, folder: Path) -> list[Heard]:
    async def collected() -> list[Speech]:
        return [chunk async for chunk in model.stream(TEXT, model.voices["amber"])]

    return [
        *joined(list(model.stream(iter([TEXT[:30], TEXT[30:]]), model.voices["amber"]))),
        *joined(asyncio.run(collected())),
    ]


def narrated(model: VoxClone, folder: Path) -> list[Heard]:
    model.narrate(f"# One\n\n{TEXT}", model.voices["amber"], folder)
    return files(folder)


def evaluated(model: VoxClone, folder: Path) -> list[Heard]:
    pytest.importorskip("jiwer", reason="the evaluate extra is not installed")
    items = [Item("one", folder.parent / "natural.wav", TEXT, "Ada")]
    evaluate(model, items, folder, consent="a test's own", recogniser="none", naturalness=("none",))
    return files(folder)


def piped(model: VoxClone, folder: Path) -> list[Heard]:
    """What `voxclone say -` gives another program: raw samples, which have no room for a label."""
    raw = io.BytesIO()
    sys.stdout = io.TextIOWrapper(raw, write_through=True)
    try:
        assert main(["say", TEXT, "-o", "-"]) == 0
        sys.stdout.flush()
        return [Heard(np.frombuffer(raw.getvalue(), "<i2").astype(np.float32) / 32768, model.sample_rate, None)]
    finally:
        sys.stdout = sys.__stdout__


def said(model: VoxClone, folder: Path) -> list[Heard]:
    assert main(["say", TEXT, "-o", str(folder / "said.flac")]) == 0
    return files(folder)


def read_aloud(model: VoxClone, folder: Path) -> list[Heard]:
    (folder / "book.txt").write_text(TEXT, encoding="utf-8")
    assert main(["narrate", str(folder / "book.txt"), "-o", str(folder / "read")]) == 0
    return files(folder)


def dubbed(model: VoxClone, folder: Path) -> list[Heard]:
    (folder / "cues.srt").write_text(f"1\n00:00:00,000 --> 00:00:09,000\n{TEXT}\n", encoding="utf-8")
    assert main(["dub", str(folder / "cues.srt"), "-o", str(folder / "dub.wav")]) == 0
    return files(folder)


Way = Callable[[VoxClone, Path], list[Heard]]
WAYS: dict[str, Way] = {
    "VoxClone.generate": lambda model, _: spoken(
        model.generate(TEXT, model.voices["amber"]), *model.generate([TEXT, TEXT], model.voices["kathleen"])
    ),
    "VoxClone.stream": streamed,
    "VoxClone.narrate": narrated,
    "VoxClone.dub": lambda model, _: spoken(model.dub([Segment(TEXT, 0.0, 9.0)], model.voices["linda"])),
    "Speech.save": saved,
    "Speech._repr_html_": shown,
    "evaluate": evaluated,
}  # every public callable that gives or writes audio
COMMANDS: dict[str, Way] = {"say": said, "say -": piped, "narrate": read_aloud, "dub": dubbed}
THE_SAME = {
    "Speech.numpy",
    "SpeechStream.__iter__",
    "SpeechStream.__next__",
    "SpeechStream.__anext__",
    "finetune",
    "VoxClone.compiled",
    "VoxClone.graphed",
}  # what gives that of the others: a Speech's samples, a stream's chunks, a model; finetune's page is in its own test
SILENT = {
    "Alignment.*", "Consent.*", "Detection.*", "Narration.*", "Prosody.*", "Provenance.*", "RecordingQuality.*",
    "Report.*", "Segment.*", "Signer.*", "SpeakerMatch.*", "Voice.*", "Item.*", "FineTuned.*", "ExportedModel.*",
    "detect", "export_onnx", "read_list", "Speech.duration_seconds", "Speech.export", "Speech.plot",
    "SpeechStream.close", "VoxClone.acoustic_id", "VoxClone.align", "VoxClone.clone", "VoxClone.embed",
    "VoxClone.find_mark", "VoxClone.for_voice", "VoxClone.from_pretrained", "VoxClone.match_embeddings",
    "VoxClone.match_speakers", "VoxClone.match_texts", "VoxClone.measure_prosody", "VoxClone.require_calibrated",
    "VoxClone.push_to_hub", "VoxClone.require_natural", "VoxClone.require_speaker", "VoxClone.same_speaker_threshold",
    "VoxClone.save_pretrained", "VoxClone.settings_id", "VoxClone.similarity",
}  # fmt: skip


def public_callables() -> set[str]:
    """Functions and methods behind the public doors; a class that is no way to audio is one name."""
    names = set()
    for door in DOORS:
        module = importlib.import_module(door)
        for name in module.__all__:
            thing = getattr(module, name)
            if inspect.isclass(thing) and not issubclass(thing, Exception):
                fields = set(getattr(thing, "__dataclass_fields__", {}))
                members = {each for each in dir(thing) if not each.startswith("_") or each in IMPLIED} - fields
                own = {each for each in members if inspect.getattr_static(object, each, None) is None}
                names |= {f"{name}.*"} if f"{name}.*" in SILENT else {f"{name}.{each}" for each in own}
            elif callable(thing) and not inspect.isclass(thing):
                names.add(name)
    return names


def test_no_public_callable_is_overlooked() -> None:
    """A new one has to be named above: as a way that is walked, or as one that gives no audio."""
    pytest.importorskip("accelerate", reason="the finetune extra is not installed")
    assert public_callables() == set(WAYS) | THE_SAME | SILENT
    for name in SILENT & {f"{kind}.*" for kind in voxclone.__all__}:
        for member, function in inspect.getmembers(getattr(voxclone, name[:-2]), inspect.isfunction):
            assert "Speech" not in str(inspect.signature(function).return_annotation), (name, member)


def test_every_command_is_walked_or_silent() -> None:
    (commands,) = (each for each in _parser()._actions if isinstance(each, argparse._SubParsersAction))
    silent = {"clone", "voices", "consent", "inspect", "export", "detect", "doctor"}
    assert set(commands.choices) == {name.split()[0] for name in COMMANDS} | {"finetune", "evaluate"} | silent


@pytest.fixture(scope="module")
def bundled() -> VoxClone:
    try:
        return VoxClone.from_pretrained(device="cpu")
    except ModelError:
        pytest.skip("no model is bundled")


@pytest.mark.parametrize("way", [*WAYS, *COMMANDS])
def test_what_leaves_carries_mark_and_provenance(
    bundled: VoxClone,
    way: str,
    tmp_path: Path,
    recording: tuple[NDArray[np.float32], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    soundfile.write(tmp_path / "natural.wav", *recording)
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(VoxClone, "from_pretrained", lambda *_, **__: bundled)  # for commands: loaded once
    found = (WAYS | COMMANDS)[way](bundled, tmp_path / "out")
    assert found
    for heard in found:
        assert detect((heard.samples, heard.sample_rate)).verdict == "watermarked"
        if way == "say -":
            assert heard.provenance is None
            continue
        assert heard.provenance is not None
        assert heard.provenance.model == "en-small" and heard.provenance.watermark_id == "en-small, one bit"
        assert TEXT not in heard.provenance.to_json()
