"""Every file says what made it, in its tags and beside it, and other programs read the same."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
import soundfile

pytest.importorskip("mutagen", reason="the dev extra is not installed")

import mutagen

from voxclone import AudioError, ProvenanceError, Speech, VoxClone
from voxclone.safety.labels import GENRE, MAX_LABEL_BYTES, Label, read_sidecar, read_tagged, sidecar_path, tags_of_wav
from voxclone.safety.provenance import DIGITAL_SOURCE_TYPE, Provenance

SUFFIXES = ("wav", "flac", "mp3", "ogg", "opus", "m4a")
TEXT = "Zebras and xylophones."


@pytest.fixture(scope="module")
def speech(tiny_model: VoxClone) -> Speech:
    return tiny_model.generate(TEXT, tiny_model.voices["ada"])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_carries_the_label_and_a_sidecar(speech: Speech, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"speech.{suffix}"
    speech.save(path)
    label, sidecar = read_tagged(path), read_sidecar(path)
    assert label is not None
    assert sidecar is not None
    assert label.provenance == sidecar.provenance == speech.provenance
    assert sidecar.file_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (label.pcm_sha256 is not None) == (suffix in ("wav", "flac"))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [path.name, f"{path.name}.provenance.json"]
    content = path.read_bytes() + sidecar_path(path).read_bytes()
    assert b"ebras" not in content
    assert DIGITAL_SOURCE_TYPE.encode() in content


@pytest.mark.parametrize("suffix", ["flac", "mp3", "ogg", "opus", "m4a"])
def test_another_library_reads_the_tags(speech: Speech, suffix: str, tmp_path: Path) -> None:
    speech.save(tmp_path / f"speech.{suffix}")
    tags = mutagen.File(tmp_path / f"speech.{suffix}").tags
    values = {str(value[0] if isinstance(value, list) else value) for value in dict(tags).values()}
    assert GENRE in values
    labels = [json.loads(value) for value in values if value.startswith("{") and len(value) > 30]  # ID3v1 cuts at 30
    assert [label["provenance"] for label in labels] == [speech.provenance.to_dict()]


def test_a_wav_has_riff_info(speech: Speech, tmp_path: Path) -> None:
    """RIFF INFO read by hand: mutagen reads ID3 chunks alone."""
    speech.save(tmp_path / "speech.wav")
    content = (tmp_path / "speech.wav").read_bytes()
    at = content.index(b"INFO") + 4
    found = {}
    while content[at : at + 4] not in (b"data", b"PEAK", b""):
        size = int.from_bytes(content[at + 4 : at + 8], "little")
        found[content[at : at + 4]] = content[at + 8 : at + 8 + size].rstrip(b"\0").decode()
        at += 8 + size + size % 2
    assert found[b"ISFT"].startswith("voxclone ")
    assert found[b"IGNR"] == GENRE
    assert found[b"ICRD"] == speech.provenance.created
    assert json.loads(found[b"ICMT"])["provenance"] == speech.provenance.to_dict()


def test_a_notebooks_player_carries_the_label(speech: Speech, tmp_path: Path) -> None:
    import base64

    html = speech._repr_html_()
    (tmp_path / "played.wav").write_bytes(base64.b64decode(html.partition("base64,")[2].partition('"')[0]))
    label = read_tagged(tmp_path / "played.wav")
    assert label is not None
    assert label.provenance == speech.provenance
    assert len(soundfile.read(tmp_path / "played.wav")[0]) == len(speech.samples)


def test_a_failed_save_leaves_nothing(speech: Speech, tmp_path: Path) -> None:
    with pytest.raises(AudioError):
        speech.save(tmp_path / "speech.txt")
    with pytest.raises(AudioError):
        speech.save(tmp_path / "none" / "speech.wav")
    with pytest.raises(AudioError, match="is a folder"):
        speech.save(".")
    sidecar_path(tmp_path / "speech.wav").mkdir()
    with pytest.raises(AudioError, match=r"provenance\.json"):
        speech.save(tmp_path / "speech.wav")
    assert [entry.name for entry in tmp_path.iterdir() if entry.is_file()] in ([], ["speech.wav"])


def test_the_longest_label_fits_into_a_wav() -> None:
    import numpy as np

    from voxclone.audio.tags import MAX_TAG_BYTES

    provenance = Provenance(
        "g" * 40, "m" * 100, "0" * 64, "1" * 16, "attested", "2" * 64, "w" * 60, "2026-01-01T00:00:00+00:00"
    )
    noise = np.random.default_rng(0).normal(size=22050 * 70).astype(np.float32) * 0.1
    assert len(tags_of_wav(noise, 22050, provenance)["comment"].encode()) <= MAX_TAG_BYTES


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "null",
        '{"voxclone_label": 2}',
        '{"voxclone_label": 1}',
        '{"voxclone_label": 1, "provenance": []}',
        "[" * 5000,
        "9" * (MAX_LABEL_BYTES + 1),
    ],
)
def test_what_is_no_label_is_refused(text: str) -> None:
    with pytest.raises(ProvenanceError):
        Label.from_json(text)


@pytest.mark.parametrize(
    "change",
    [
        {"generator": ""},
        {"generator": "x" * 300},
        {"model": "a\nb"},
        {"model": "\x1b[2J"},
        {"model_sha256": "0" * 63},
        {"voice_id": "g" * 16},
        {"consent_sha256": None},
        {"watermark_id": 3},
        {"created": "now"},
        {"created": "2026-01-01T00:00:00"},
        {"digital_source_type": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"},
        {"text": "what was said"},
    ],
)
def test_unfit_provenance_is_refused(speech: Speech, change: dict[str, object]) -> None:
    with pytest.raises(ProvenanceError):
        Provenance.from_dict(speech.provenance.to_dict() | change)
    assert Provenance.from_dict(json.loads(speech.provenance.to_json())) == speech.provenance
