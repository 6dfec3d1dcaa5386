"""inspect tells what was done to a file after it was saved."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voxclone import AudioError, Signer, Speech, VoxClone
from voxclone.audio.io import read_audio, write_audio
from voxclone.audio.tags import read_tags
from voxclone.cli import main
from voxclone.safety.fingerprint import SAME, distance, fingerprint
from voxclone.safety.inspection import Found, inspect_file
from voxclone.safety.labels import Label, sidecar_path, tags_of_wav


def voiced(model: VoxClone, text: str, seed: int) -> Speech:
    """A speech of two seconds of coloured noise, since a random model always makes the same sound."""
    import dataclasses

    speech = model.generate(text, model.voices["ada"])
    random = np.random.default_rng(seed)
    steps = random.normal(size=(80, 128))
    noise = np.fft.irfft(np.fft.rfft(random.normal(size=(80, 554))) * np.repeat(np.exp(steps), 3, axis=1)[:, :278], 554)
    samples = (0.1 * noise / noise.std()).clip(-1, 1).astype(np.float32).reshape(-1)
    return dataclasses.replace(speech, samples=samples)


@pytest.fixture(scope="module")
def speech(tiny_model: VoxClone) -> Speech:
    return voiced(tiny_model, "Hello there.", 0)


@pytest.fixture(scope="module")
def other(tiny_model: VoxClone) -> Speech:
    import dataclasses

    speech = voiced(tiny_model, "Something else.", 1)
    later = dataclasses.replace(speech.provenance, created="2026-01-01T00:00:00+00:00")
    return dataclasses.replace(speech, provenance=later)


def finds(verdict: Found) -> object:
    return lambda samples, sample_rate: verdict


def needs_signing() -> None:
    pytest.importorskip("c2pa", reason="the c2pa extra is not installed")
    pytest.importorskip("cryptography", reason="the c2pa extra is not installed")


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg", "opus", "m4a"])
@pytest.mark.parametrize("signed", [False, True])
def test_what_was_saved_is_consistent(speech: Speech, suffix: str, signed: bool, tmp_path: Path) -> None:
    if signed and suffix in ("ogg", "opus"):
        pytest.skip("cannot be signed")
    if signed:
        needs_signing()
    if suffix == "m4a":
        pytest.importorskip("av", reason="the m4a extra is not installed")
    speech.save(tmp_path / f"a.{suffix}", signer=Signer.development() if signed else None)
    found = inspect_file(tmp_path / f"a.{suffix}")
    assert found.verdict == "consistent", found.reasons
    assert found.provenance == speech.provenance
    assert (found.manifest is not None) == signed


def test_a_turned_down_wav_with_its_label_kept_is_edited(speech: Speech, tmp_path: Path) -> None:
    speech.save(tmp_path / "a.wav")
    tags = read_tags(tmp_path / "a.wav")
    sidecar_path(tmp_path / "a.wav").unlink()
    for changed in (speech.samples * 0.5, speech.samples[len(speech.samples) // 3 :]):
        write_audio(tmp_path / "a.wav", changed, speech.sample_rate, tags=tags)
        assert inspect_file(tmp_path / "a.wav").verdict == "edited"


def test_tags_of_another_file_are_transplanted(speech: Speech, other: Speech, tmp_path: Path) -> None:
    tags = tags_of_wav(other.samples, other.sample_rate, other.provenance)
    write_audio(tmp_path / "a.wav", speech.samples, speech.sample_rate, tags=tags)
    found = inspect_file(tmp_path / "a.wav")
    assert found.verdict == "transplanted"
    assert "other audio" in found.reasons[0]


def test_a_sidecar_of_another_file_is_transplanted(speech: Speech, other: Speech, tmp_path: Path) -> None:
    speech.save(tmp_path / "a.wav")
    other.save(tmp_path / "b.wav")
    shutil.copy(sidecar_path(tmp_path / "b.wav"), sidecar_path(tmp_path / "a.wav"))
    assert inspect_file(tmp_path / "a.wav").verdict == "transplanted"


def test_a_missing_part_is_stripped(speech: Speech, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    speech.save(path)
    write_audio(path, speech.samples, speech.sample_rate)  # the sidecar stays
    assert inspect_file(path).verdict == "stripped"
    sidecar_path(path).unlink()
    assert inspect_file(path).verdict == "nothing"
    assert inspect_file(path, finds("watermarked")).verdict == "stripped"  # type: ignore[arg-type]
    assert inspect_file(path, finds("inconclusive")).verdict == "unclear"  # type: ignore[arg-type]


def test_a_removed_manifest_is_stripped(speech: Speech, tmp_path: Path) -> None:
    needs_signing()
    speech.save(tmp_path / "a.wav", signer=Signer.development())
    content = (tmp_path / "a.wav").read_bytes()
    cut = content[: content.index(b"C2PA")]
    (tmp_path / "a.wav").write_bytes(b"RIFF" + (len(cut) - 8).to_bytes(4, "little") + cut[8:])
    found = inspect_file(tmp_path / "a.wav")
    assert found.verdict == "stripped"
    assert "no manifest" in " ".join(found.reasons)


def test_a_label_without_the_mark_it_tells_of_is_forged(speech: Speech, tmp_path: Path) -> None:
    import dataclasses

    marked = dataclasses.replace(speech, provenance=dataclasses.replace(speech.provenance, watermark_id="sign"))
    marked.save(tmp_path / "a.wav")
    assert inspect_file(tmp_path / "a.wav", finds("watermarked")).verdict == "consistent"  # type: ignore[arg-type]
    assert inspect_file(tmp_path / "a.wav", finds("inconclusive")).verdict == "consistent"  # type: ignore[arg-type]
    assert inspect_file(tmp_path / "a.wav", finds("not_detected")).verdict == "forged"  # type: ignore[arg-type]
    unmarked = dataclasses.replace(speech, provenance=dataclasses.replace(speech.provenance, watermark_id=None))
    unmarked.save(tmp_path / "b.wav")
    assert inspect_file(tmp_path / "b.wav", finds("watermarked")).verdict == "transplanted"  # type: ignore[arg-type]


def test_a_damaged_label_counts_as_an_edit(speech: Speech, tmp_path: Path) -> None:
    speech.save(tmp_path / "a.wav")
    tags = read_tags(tmp_path / "a.wav")
    write_audio(tmp_path / "a.wav", speech.samples, speech.sample_rate, tags=tags | {"comment": tags["comment"][:-9]})
    sidecar_path(tmp_path / "a.wav").write_text('{"voxclone_label": 1, "provenance": 3}')
    found = inspect_file(tmp_path / "a.wav")
    assert found.verdict == "edited"
    assert len(found.reasons) == 2


def test_the_fingerprint_survives_codecs_and_tells_recordings_apart(
    speech: Speech, other: Speech, tmp_path: Path
) -> None:
    whole = fingerprint(speech.samples, speech.sample_rate)
    for suffix in ("mp3", "ogg", "opus"):
        write_audio(tmp_path / f"a.{suffix}", speech.samples, speech.sample_rate)
        assert distance(whole, fingerprint(*read_audio(tmp_path / f"a.{suffix}"))) < 0.1
    assert distance(whole, fingerprint(other.samples, other.sample_rate)) > 0.33
    for short in (np.zeros(1), np.zeros(100), np.ones(5000)):
        own = fingerprint(short.astype(np.float32), 8000)
        assert distance(own, own) == 0
        assert distance(own, whole) > SAME


def test_no_audio_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"junk")
    with pytest.raises(AudioError):
        inspect_file(tmp_path / "a.wav")
    with pytest.raises(AudioError):
        inspect_file(tmp_path / "none.wav")


def test_the_command_prints_and_tells_by_its_status(
    speech: Speech,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    recording: tuple[NDArray[np.float32], int],
) -> None:
    speech.save(tmp_path / "a.wav")
    write_audio(tmp_path / "natural.wav", *recording)
    assert main(["inspect", str(tmp_path / "a.wav")]) == 0
    out = capsys.readouterr().out
    assert "a.wav: consistent" in out
    assert f"voice id: {speech.provenance.voice_id}" in out
    assert main(["inspect", str(tmp_path / "natural.wav")]) == 3
    assert ": nothing: " in capsys.readouterr().out
    write_audio(tmp_path / "a.wav", speech.samples, speech.sample_rate)
    assert main(["inspect", "--json", str(tmp_path / "a.wav"), str(tmp_path / "natural.wav")]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["verdict"] for line in lines] == ["stripped", "nothing"]
    assert main(["inspect", str(tmp_path / "none.wav"), str(tmp_path / "natural.wav")]) == 2
    out = capsys.readouterr().out
    assert "none.wav: error: " in out and "natural.wav: nothing: " in out
    steering = tmp_path / "a\x1b[2Jb\nc.wav"
    write_audio(steering, *recording)
    assert main(["inspect", str(steering)]) == 3
    shown = capsys.readouterr().out
    assert "\x1b" not in shown and "b\nc" not in shown


def test_a_labels_extra_marks_must_be_texts(speech: Speech) -> None:
    label = json.loads(Label(speech.provenance).to_json())
    from voxclone import ProvenanceError

    for change in ({"pcm_sha256": 3}, {"colour": "red"}):
        with pytest.raises(ProvenanceError):
            Label.from_json(json.dumps(label | change))
