"""Files and texts from strangers end in an error of voxclone's own: no crash, no hang, no memory."""

from __future__ import annotations

import io
import json
import math
import shutil
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("hypothesis", reason="the dev extra is not installed")

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voxclone import AudioError, ModelError, Voice, VoiceError, VoxClone, VoxcloneError, hub
from voxclone.audio.io import MAX_FILE_CHANNELS, read_audio, write_audio
from voxclone.audio.m4a import read_m4a_tags
from voxclone.cli.consent import read_record
from voxclone.config import ModelConfig
from voxclone.config.reading import MAX_INTEGER, MAX_TEXT
from voxclone.hub.voices import _read_base
from voxclone.json_limits import parse_json, read_json
from voxclone.models.vocoder.convert import read_public_config
from voxclone.prosody import Prosody
from voxclone.safety.challenge import Challenge
from voxclone.text.lexicon import as_lexicon

FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
EDITS = st.lists(st.tuples(st.floats(0, 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=6)


def edited(content: bytes, edits: list[tuple[float, bytes]], cut: float) -> bytes:
    """The bytes with some overwritten, and the end cut off."""
    changed = bytearray(content)
    for where, new in edits:
        at = int(where * max(0, len(changed) - len(new)))
        changed[at : at + len(new)] = new
    return bytes(changed[: max(1, int(len(changed) * cut))])


@FUZZ
@given(edits=EDITS, cut=st.sampled_from([1.0, 1.0, 1.0, 0.9, 0.5, 0.01]))
def test_a_damaged_voice_is_a_voice_or_an_error(
    tiny_model: VoxClone, tmp_path: Path, edits: list[tuple[float, bytes]], cut: float
) -> None:
    path = tmp_path / "ada.voice"
    tiny_model.voices["ada"].save(path)
    path.write_bytes(edited(path.read_bytes(), edits, cut))
    try:
        voice = Voice.load(path)
    except VoxcloneError:
        return
    assert np.isfinite(voice.speaker_embedding).all()
    assert voice.consents


@FUZZ
@given(edits=EDITS, cut=st.sampled_from([1.0, 1.0, 0.9, 0.3]), form=st.sampled_from(["WAV", "FLAC", "OGG", "MP3"]))
def test_damaged_audio_is_audio_or_an_error(edits: list[tuple[float, bytes]], cut: float, form: str) -> None:
    stream = io.BytesIO()
    soundfile.write(stream, np.sin(np.arange(8000) * 0.1).astype(np.float32), 16000, format=form)
    try:
        samples, rate = read_audio(edited(stream.getvalue(), edits, cut))
    except AudioError:
        return
    assert np.isfinite(samples).all()
    assert 4000 <= rate <= 384000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)


@FUZZ
@given(data=st.data())
def test_a_configuration_with_a_strange_value_is_refused_or_bounded(tiny_folder: Path, data: st.DataObject) -> None:
    values: dict[str, Any] = json.loads((tiny_folder / "config.json").read_text())
    part = data.draw(st.sampled_from([key for key, value in values.items() if isinstance(value, dict)]))
    key = data.draw(st.sampled_from(sorted(values[part])))
    values[part][key] = data.draw(JSON)
    try:
        config = ModelConfig.from_dict(values)
    except VoxcloneError:
        return
    found: list[Any] = [config.to_dict()]
    while found:
        value = found.pop()
        if isinstance(value, dict | list | tuple):
            found += value.values() if isinstance(value, dict) else value
        elif isinstance(value, int | float):
            assert math.isfinite(value) and (isinstance(value, float) or abs(value) <= MAX_INTEGER)
        else:
            assert value is None or len(value) <= MAX_TEXT


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("acoustic", "hidden_dim", 1 << 20),
        ("acoustic", "hidden_dim", 10**30),
        ("acoustic", "encoder_layers", 200),
        ("acoustic", "encoder_layers", 10**6),
        ("acoustic", "n_symbols", 16000),
        ("speaker_encoder", "channels", 1 << 20),
        ("speaker_encoder", "n_mels", 10**6),
        ("speaker_encoder", "dilations", [1] * 1000),
        ("vocoder", "upsample_initial_channel", 1 << 18),
        ("audio", "n_fft", 1 << 30),
    ],
)
def test_sizes_that_the_weights_do_not_bring_cost_no_memory(
    tiny_folder: Path, tmp_path: Path, part: str, key: str, value: Any
) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "huge")
    values = json.loads((folder / "config.json").read_text())
    values[part][key] = value
    (folder / "config.json").write_text(json.dumps(values))
    rewrite_sums(folder)
    before = resident_bytes()
    with pytest.raises(ModelError):
        VoxClone.from_pretrained(folder, device="cpu")
    assert resident_bytes() - before < 200 << 20


def rewrite_sums(folder: Path) -> None:
    from hashlib import sha256

    lines = (folder / "sha256.txt").read_text().splitlines()
    names = [line.partition("  ")[2] for line in lines]
    sums = [f"{sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (folder / "sha256.txt").write_text("".join(sums))


def resident_bytes() -> int:
    """The process's memory; 0 where the system does not tell."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * 4096 if statm.exists() else 0


@pytest.mark.parametrize(
    "name", ["../escape.voice", "/etc/passwd", "voices/../../x.voice", "voices/.voice", "a/b.voice"]
)
def test_no_listed_name_leads_out_of_the_folder(tiny_folder: Path, tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    with (folder / "sha256.txt").open("a") as file:
        file.write(f"{'0' * 64}  {name}\n")
    with pytest.raises(ModelError, match="found"):
        VoxClone.from_pretrained(folder, device="cpu")


def test_an_audio_bomb_is_refused_before_it_fills_the_memory() -> None:
    stream = io.BytesIO()
    with soundfile.SoundFile(stream, "w", 44100, 1, "PCM_16", format="FLAC") as file:
        for _ in range(60 * 12):
            file.write(np.zeros(44100, np.int16))
    bomb = stream.getvalue()
    assert len(bomb) < 400_000  # twelve minutes
    tracemalloc.start()
    with pytest.raises(AudioError, match="more than speech can"):
        read_audio(bomb)
    assert tracemalloc.get_traced_memory()[1] < 160 << 20
    tracemalloc.stop()


def test_a_file_of_many_channels_is_refused() -> None:
    stream = io.BytesIO()
    soundfile.write(stream, np.zeros((100, MAX_FILE_CHANNELS + 1), np.float32), 16000, format="WAV")
    with pytest.raises(AudioError, match="channels"):
        read_audio(stream.getvalue())


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, '{"a": 1, "a": 2}', "[NaN]", "[-Infinity]", "\ud800", "9" * 5000]
)
def test_json_has_limits(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        parse_json(text)
    (tmp_path / "a.json").write_text("[" + "1," * 1000 + "1]")
    with pytest.raises(ValueError, match="at most 100"):
        read_json(tmp_path / "a.json", 100)
    assert len(read_json(tmp_path / "a.json")) == 1001


def test_json_of_every_kind_has_limits(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    readers: list[tuple[Callable[[], Any], str]] = [
        (lambda: as_lexicon(path), "it is not JSON"),
        (lambda: Prosody.load(path), "cannot be read as a prosody file"),
        (lambda: read_public_config(path), "cannot read the vocoder's config"),
        (lambda: Challenge.load(path), "is not a challenge"),
        (lambda: read_record(str(path)), "is not a consent record"),
        (lambda: _read_base(path), "does not say what voice it is"),
    ]
    for content in ("[" * 100_000, '{"a": 1, "a": 2}', '{"a": NaN}', "\ud800"):
        path.write_text(content, encoding="utf-8", errors="surrogatepass")
        for read, said in readers:
            with pytest.raises(VoxcloneError, match=rf"{said}|cannot be read"):
                read()


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[2J", "x" * 201, "a\u202eb", "\u200b"])
def test_a_voices_name_can_be_shown(tiny_model: VoxClone, name: str) -> None:
    ada = tiny_model.voices["ada"]
    with pytest.raises(VoiceError):
        Voice(name, ada.speaker_embedding, ada.spectrum, ada.f0_median, ada.consents, ada.encoder_id)


@pytest.mark.parametrize(
    "text",
    ["\u0430da", "a\u202eb", "a\u2066b", "\x1b[2J", "a\0b", "\ud800", "\u0000" * 1000, "\u202e" * 1000],
)
def test_confusable_and_control_characters_are_errors_that_name_them(tiny_model: VoxClone, text: str) -> None:
    with pytest.raises(VoxcloneError, match=r"cannot speak|empty"):
        tiny_model.generate(text, tiny_model.voices["ada"])


def test_a_megabyte_of_text_is_refused_at_once(tiny_model: VoxClone) -> None:
    with pytest.raises(VoxcloneError, match="narrate"):
        tiny_model.generate("ha " * 350_000, tiny_model.voices["ada"])


def test_a_pickle_is_not_opened(tiny_folder: Path, tmp_path: Path) -> None:
    import pickle

    folder = shutil.copytree(tiny_folder, tmp_path / "model")
    target = tmp_path / "ran"
    (folder / "vocoder.safetensors").write_bytes(pickle.dumps(_Bomb(str(target))))
    rewrite_sums(folder)
    with pytest.raises(ModelError, match="pickle"):
        VoxClone.from_pretrained(folder, device="cpu")
    with pytest.raises(VoiceError, match="pickle"):
        Voice.load(folder / "vocoder.safetensors")
    assert not target.exists()
    assert hub.read_config(folder).name == "tiny"


class _Bomb:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.path),)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"stsd", b"xtsd", "of a kind that is not known"),  # of which PyAV's stream lacks its rate
        (b"voxclone", b"v\x84xcl\xb9ne", None),  # a tag that is no UTF-8
    ],
)
def test_a_damaged_m4a_is_audio_or_an_error(tmp_path: Path, old: bytes, new: bytes, said: str | None) -> None:
    pytest.importorskip("av")
    path = tmp_path / "a.m4a"
    write_audio(path, np.sin(np.arange(16000) * 0.1).astype(np.float32), 16000, tags={"comment": "by voxclone"})
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))
    if said is None:
        assert len(read_audio(path)[0]) >= 16000 and read_m4a_tags(path)
    else:
        with pytest.raises(AudioError, match=said):
            read_audio(path)


def test_an_m4a_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("av")
    write_audio(tmp_path / "a.m4a", np.zeros(160_000, np.float32), 16000)
    monkeypatch.setattr("voxclone.audio.m4a.BOMB_FRAMES", 1000)
    monkeypatch.setattr("voxclone.audio.m4a.BOMB_RATIO", 1)
    with pytest.raises(AudioError, match="more than speech can"):
        read_audio(tmp_path / "a.m4a")
