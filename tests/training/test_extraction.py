"""From files to features: what is read, what is refused, what is filled in."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from voxclone.config import AudioConfig
from voxclone.errors import AudioError, VoxcloneError
from voxclone.training.extraction import (
    Recording,
    extract_speaker_features,
    extract_speech_features,
    fill_store,
    read_folder,
    read_manifest,
)
from voxclone.training.features import FeatureStore

Sound = tuple[NDArray[np.float32], int]


def test_manifest_fills_in_corpus_and_split(tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.tsv"
    manifest.write_text('path\tspeaker\tsplit\ttext\na.wav\tada\tvalid\tShe said "no.\nb/c.wav\tbob\t\t\n')
    first, second = read_manifest(manifest, tmp_path)
    assert (first.path, first.key, first.text) == (tmp_path / "a.wav", "a.wav", 'She said "no.')
    assert first.about["split"] == "valid" and first.about["speaker"] == "ada"
    assert second.text == ""
    filled = {"split": "train", "corpus": tmp_path.name, "language": "en"}
    assert second.about == {"path": "b/c.wav", "speaker": "bob"} | filled
    manifest.write_bytes(b"\xef\xbb\xbf" + manifest.read_bytes().replace(b"\n", b"\r\n"))  # as spreadsheets save it
    assert read_manifest(manifest, tmp_path) == [first, second]
    manifest.write_text("path\tspeaker\na.wav\tada\nb.wav\tada\na.wav\tbob\n")
    with pytest.raises(VoxcloneError, match=r"line 4 of .* names a\.wav, as line 2 does"):
        read_manifest(manifest, tmp_path)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("b.wav\tada\tlong", "gives 'long' as seconds; a number is needed"),
        ("b.wav\tada\tnan", "gives 'nan' as seconds"),
        ("b.wav\tada\tinf", "gives 'inf' as seconds"),
        ("b.wav\tada\t-1", "gives '-1' as seconds"),
        ("b.wav\tada\t1.5\tmore", "has more fields than its header; no field may hold a tab"),
    ],
)
def test_a_manifests_line_that_does_not_fit_is_named(tmp_path: Path, line: str, told: str) -> None:
    manifest = tmp_path / "manifest.tsv"
    manifest.write_text("path\tspeaker\tseconds\na.wav\tada\t2.5\t\nc.wav\tada\n")
    assert [each.about.get("seconds") for each in read_manifest(manifest, tmp_path)] == ["2.5", None]
    manifest.write_text(f"path\tspeaker\tseconds\n\na.wav\tada\t2.5\n{line}\n")
    with pytest.raises(VoxcloneError, match=f"line 4 of .*manifest.tsv {told}"):
        read_manifest(manifest, tmp_path)


@pytest.mark.parametrize("text", ["", "path\tspeaker\n", "path\ttext\na.wav\thello\n", "path\tspeaker\na.wav\t\n"])
def test_refuses_a_manifest_without_paths_and_speakers(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.tsv").write_text(text)
    with pytest.raises(VoxcloneError, match="speaker"):
        read_manifest(tmp_path / "manifest.tsv", tmp_path)


def test_folder_takes_speakers_from_its_folders_and_text_from_beside(tmp_path: Path) -> None:
    chapter = tmp_path / "84/121123"
    chapter.mkdir(parents=True)
    for name in ("84_1.wav", "84_2.FLAC", "notes.md"):
        (chapter / name).touch()
    (chapter / "84_1.normalized.txt").write_text("Go.\n")
    first, second = read_folder(tmp_path)
    assert (first.key, first.text, first.about["speaker"]) == ("84/121123/84_1.wav", "Go.", "84")
    assert (second.text, second.about["split"], second.about["corpus"]) == ("", "train", tmp_path.name)


def test_refuses_a_folder_without_speakers_or_audio(tmp_path: Path) -> None:
    with pytest.raises(VoxcloneError, match="no audio"):
        read_folder(tmp_path)
    (tmp_path / "a.wav").touch()
    with pytest.raises(VoxcloneError, match="no speaker's folder"):
        read_folder(tmp_path)
    (tmp_path / "metadata.csv").touch()  # LJ Speech's: its wavs/ is no speaker
    with pytest.raises(VoxcloneError, match=rf"get\.py ljspeech --unpacked --out {tmp_path}` writes one"):
        read_folder(tmp_path)


def a_recording(folder: Path, sound: Sound, text: str = "", **about: str) -> Recording:
    path = folder / "a.wav"
    soundfile.write(path, *sound)
    return Recording(path, "a.wav", text, {"speaker": "ada", **about})


def test_speech_features_agree_on_their_frames(tmp_path: Path, recording: Sound) -> None:
    arrays, rate = extract_speech_features(a_recording(tmp_path, recording, "Two cats."), AudioConfig())
    frames = len(arrays["f0"])
    assert rate == 16000
    assert arrays["mel"].shape == (frames, 80)
    assert arrays["waveform"].dtype == np.int16 and len(arrays["waveform"]) == 256 * frames
    assert np.median(arrays["f0"][arrays["f0"] > 0]) == pytest.approx(120, rel=0.01)
    assert len(arrays["phoneme_ids"]) > 6


@pytest.mark.parametrize(("language", "phonemized"), [("en", True), ("en-GB", True), ("de", False)])
def test_only_english_is_phonemized(tmp_path: Path, recording: Sound, language: str, phonemized: bool) -> None:
    arrays, _ = extract_speech_features(a_recording(tmp_path, recording, "Hello", language=language), AudioConfig())
    assert ("phoneme_ids" in arrays) == phonemized


def test_speaker_features_are_cut_and_speech_features_refused_when_long(tmp_path: Path, recording: Sound) -> None:
    samples, rate = recording
    long = a_recording(tmp_path, (np.tile(samples, 8), rate))
    arrays, _ = extract_speaker_features(long, 16000)
    assert len(arrays["waveform"]) == 20 * 16000
    with pytest.raises(AudioError, match="after trimming"):
        extract_speech_features(long, AudioConfig())


def test_store_keeps_the_measured_rate_and_names_what_was_refused(tmp_path: Path, recording: Sound) -> None:
    good = a_recording(tmp_path, recording)
    declared = Recording(good.path, "b.wav", "", {"speaker": "bob", "sample_rate": "8000"})
    missing = Recording(tmp_path / "none.wav", "none.wav", "", {"speaker": "eve"})
    store = FeatureStore(tmp_path / "store")
    extract = functools.partial(extract_speaker_features, sample_rate=16000)
    refused = fill_store(store, [good, missing, declared], extract, workers=1)
    assert list(refused) == ["none.wav"]
    assert {entry.key: entry.about["sample_rate"] for entry in store.entries} == {"a.wav": "16000", "b.wav": "8000"}
    assert fill_store(store, [good, declared], extract, workers=1) == {}
    assert len(FeatureStore(tmp_path / "store").entries) == 2
