"""A book in a folder: every word once, with its time; done again only where it changed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from voxclone import AudioError, ConfigError, Speech, TextError, Voice, VoxClone

SENTENCES = "The wind had not stopped for a week. No boat went out. "
BOOK = f"Chapter 1\n\n{SENTENCES * 6}\n\n{SENTENCES}\n\nChapter 2\n\nIt ended."


@pytest.fixture
def ada(tiny_model: VoxClone) -> Voice:
    return tiny_model.voices["ada"]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are spoken from now on."""
    spoken: list[str] = []
    generate = VoxClone.generate

    def watched(self: VoxClone, text: str, *args: Any, **options: Any) -> Speech:
        spoken.append(text)
        speech: Speech = generate(self, text, *args, **options)  # type: ignore[call-overload]
        return speech

    monkeypatch.setattr(VoxClone, "generate", watched)
    return spoken


def test_every_word_has_its_file_and_its_time(tiny_model: VoxClone, ada: Voice, tmp_path: Path) -> None:
    narration = tiny_model.narrate(BOOK, ada, tmp_path / "out", suffix=".wav", part_minutes=0.2, speed=4.0)
    assert narration.chapters == ("Chapter 1", "Chapter 2")
    assert [part.chapter for part in narration.parts] == [0, 0, 0, 1]
    spoken, start = [], 0.0
    for part in narration.parts:
        info = soundfile.info(narration.folder / part.file)
        assert info.duration == pytest.approx(part.duration_seconds)
        assert part.start_seconds == pytest.approx(start)
        start += part.duration_seconds
        times = json.loads((narration.folder / part.timestamps).read_text())["words"]
        assert len(times) == part.words
        assert 0 <= times[0][1] < times[-1][2] <= info.duration
        spoken += [word for word, _, _ in times]
        assert (narration.folder / f"{part.file}.provenance.json").is_file()
    assert narration.duration_seconds == pytest.approx(start)
    assert narration.chapter_start_seconds(1) == narration.parts[-1].start_seconds
    assert spoken[:3] == ["Chapter", "one", "The"]
    assert len(spoken) == 2 + 7 * 12 + 2 + 2


def test_what_stopped_goes_on(
    tiny_model: VoxClone, tiny_folder: Path, ada: Voice, tmp_path: Path, calls: list[str]
) -> None:
    options: dict[str, Any] = {"suffix": ".wav", "part_minutes": 0.2, "speed": 4.0}
    broken = BOOK.replace("It ended.", "It \u65e5 ended.")
    with pytest.raises(TextError, match=r"position \d+ \(line 9\).*kept") as caught:
        tiny_model.narrate(broken, ada, tmp_path, **options)
    assert caught.value.position == broken.index("\u65e5")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.wav")}
    assert len(before) == 3
    calls.clear()
    narration = tiny_model.narrate(BOOK, ada, tmp_path, **options)
    assert calls == ["Chapter 2\n\nIt ended."]
    assert all(path.stat().st_mtime_ns == time for path, time in before.items())
    calls.clear()
    assert tiny_model.narrate(BOOK, ada, tmp_path, **options) == narration
    assert calls == []
    (tmp_path / narration.parts[1].file).unlink()
    assert tiny_model.narrate(BOOK, ada, tmp_path, **options) == narration
    assert len(calls) == 1
    calls.clear()
    tiny_model.narrate(BOOK, tiny_model.voices["bob"], tmp_path, **options)
    assert len(calls) == 4
    calls.clear()
    worded = VoxClone.from_pretrained(tiny_folder, device="cpu", lexicon={"began": "bɪɡæn"})
    worded.narrate(BOOK, worded.voices["bob"], tmp_path, **options)
    assert len(calls) == 4


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a forked process is what is killed")
@pytest.mark.parametrize("before", [True, False])
def test_killed_at_any_moment_it_goes_on(tiny_model: VoxClone, ada: Voice, tmp_path: Path, before: bool) -> None:
    """Killed before or after each file is put in its place: audio, sidecar, times and index of each part."""
    options: dict[str, Any] = {"suffix": ".wav", "part_minutes": 0.2, "speed": 4.0}
    whole = tiny_model.narrate(BOOK, ada, tmp_path / "whole", **options)
    names = {path.name for path in whole.folder.iterdir()}
    replace, folder = os.replace, tmp_path / "killed"
    status, kills = 9, 0
    while status == 9:
        child = os.fork()
        if not child:
            torch.set_num_threads(1)
            left = kills % 3  # at the first, second or third file of what this process makes

            def dying(source: Any, target: Any) -> None:
                nonlocal left
                if before and left == 0:
                    os._exit(9)
                replace(source, target)
                if left == 0:
                    os._exit(9)
                left -= 1

            os.replace = dying  # type: ignore[assignment]
            try:
                tiny_model.narrate(BOOK, ada, folder, **options)
            finally:
                os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        kills += 1
        if kills > 40 or (before and kills == 9):  # killed before its first file is there, it never comes further
            break
    narration = tiny_model.narrate(BOOK, ada, folder, **options)
    assert (narration.chapters, narration.parts) == (whole.chapters, whole.parts)
    assert {path.name for path in folder.iterdir()} == names
    for part in whole.parts:
        np.testing.assert_array_equal(*(soundfile.read(each / part.file)[0] for each in (whole.folder, folder)))


def test_a_file_of_text_is_read(tiny_model: VoxClone, ada: Voice, tmp_path: Path) -> None:
    (tmp_path / "book.txt").write_bytes("\ufeffIt began.\r\n\r\nIt ended.".encode())
    narration = tiny_model.narrate(tmp_path / "book.txt", ada, tmp_path / "out")
    assert [part.file for part in narration.parts] == ["000-00.flac"]
    assert narration.parts[0].words == 4
    assert np.abs(soundfile.read(narration.folder / "000-00.flac")[0]).max() > 0


def test_what_cannot_be_narrated_is_refused(tiny_model: VoxClone, ada: Voice, tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    for text, error in (("* * *", "nothing"), (tmp_path / "latin.txt", "UTF-8"), (tmp_path / "none.txt", "read")):
        with pytest.raises(TextError, match=error):
            tiny_model.narrate(text, ada, tmp_path / "out")
    for options in ({"suffix": ".doc"}, {"part_minutes": 0}, {"duration_seconds": 3.0}, {"speed": 9}):
        with pytest.raises((AudioError, ConfigError), match=next(iter(options))):
            tiny_model.narrate("Hello.", ada, tmp_path / "out", **options)
    (tmp_path / "index.json").write_text('{"mine": 1}')
    with pytest.raises(ConfigError, match="another folder"):
        tiny_model.narrate("Hello.", ada, tmp_path)
    assert (tmp_path / "index.json").read_text() == '{"mine": 1}'


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("file", "../000-00.wav"), ("file", 300 * "a"), ("file", True), ("digest", 1), ("duration_seconds", "1.5"),
        ("duration_seconds", 1e300), ("words", 1.5), ("unknown", 1),
    ],
)  # fmt: skip
def test_somebody_elses_index_is_refused(
    tiny_model: VoxClone, ada: Voice, tmp_path: Path, name: str, value: object
) -> None:
    tiny_model.narrate("Hello.", ada, tmp_path, suffix=".wav")
    index = json.loads((tmp_path / "index.json").read_text())
    index["parts"][0][name] = value
    (tmp_path / "index.json").write_text(json.dumps(index))
    with pytest.raises(ConfigError, match="no narration's index"):
        tiny_model.narrate("Hello.", ada, tmp_path, suffix=".wav")
    (tmp_path / "index.json").write_text("[" * 100_000)
    with pytest.raises(ConfigError, match="no narration's index"):
        tiny_model.narrate("Hello.", ada, tmp_path, suffix=".wav")


def test_files_that_were_left_unsigned_are_signed(tiny_model: VoxClone, ada: Voice, tmp_path: Path) -> None:
    pytest.importorskip("c2pa", reason="the c2pa extra is not installed")
    from voxclone.safety.certificate import Signer
    from voxclone.safety.manifest import has_manifest, read_manifest

    signer = Signer.development()
    with pytest.raises(AudioError, match=r"\.ogg files cannot be signed"):
        tiny_model.narrate("Hello.", ada, tmp_path / "ogg", suffix=".ogg", signer=signer)
    assert not (tmp_path / "ogg").exists()
    tiny_model.narrate("Hello.", ada, tmp_path)
    assert not has_manifest(tmp_path / "000-00.flac")
    (part,) = tiny_model.narrate("Hello.", ada, tmp_path, signer=signer).parts
    manifest = read_manifest(tmp_path / part.file)
    assert manifest is not None and manifest.state == "valid"
    made = (tmp_path / part.file).stat().st_mtime_ns
    assert tiny_model.narrate("Hello.", ada, tmp_path, signer=Signer.development()).parts == (part,)
    assert (tmp_path / part.file).stat().st_mtime_ns == made


def test_ssml_is_not_cut(tiny_model: VoxClone, ada: Voice, tmp_path: Path) -> None:
    short = "<speak>It began.</speak>"
    assert len(tiny_model.narrate(short, ada, tmp_path / "short", suffix=".wav").parts) == 1
    long = f"<speak>{SENTENCES * 6}</speak>"
    with pytest.raises(TextError, match=r"SSML cannot be cut into the \d parts"):
        tiny_model.narrate(long, ada, tmp_path / "long", part_minutes=0.1)
    assert not (tmp_path / "long").exists()
