from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from voxclone.audio.io import read_audio, write_audio
from voxclone.audio.loudness import integrated_loudness
from voxclone.audio.reference import clipped_fraction, prepare_reference
from voxclone.audio.resample import resample
from voxclone.errors import AudioError

Recording = tuple[NDArray[np.float32], int]
CLIPS = sorted((Path(__file__).parents[3] / "shared" / "data" / "clips").glob("*.[wfm][alp][v3a]*"))


@pytest.mark.parametrize("sample_rate", [16000, 22050])
def test_a_recording_is_trimmed_resampled_and_levelled(recording: Recording, sample_rate: int) -> None:
    waveform, rate = recording
    silence = np.zeros(rate, dtype=np.float32)
    reference = prepare_reference((np.concatenate([silence, 0.2 * waveform, silence]), rate), sample_rate)
    assert reference.waveform.dtype == np.float32
    assert reference.sample_rate == sample_rate
    assert len(reference.waveform) / sample_rate == pytest.approx(3.0, abs=0.2)
    assert integrated_loudness(reference.waveform, sample_rate) == pytest.approx(-23, abs=0.1)
    assert np.abs(reference.waveform).max() <= 0.99
    assert 2.0 < reference.speech_seconds <= 3.0
    assert reference.peak == pytest.approx(0.2 * np.abs(waveform).max(), rel=1e-5)
    assert reference.name == "audio"


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".mp3", ".ogg", ".opus"])
def test_every_format_gives_the_same_reference(tmp_path: Path, recording: Recording, suffix: str) -> None:
    waveform, rate = recording
    path = tmp_path / f"ada{suffix}"
    write_audio(path, waveform, rate)
    reference, expected = prepare_reference(path, 16000), prepare_reference(recording, 16000)
    assert reference.name == f"ada{suffix}"
    assert reference.speech_seconds == pytest.approx(expected.speech_seconds, abs=0.3)
    assert len(reference.waveform) == pytest.approx(len(expected.waveform), abs=1600)
    np.testing.assert_array_equal(prepare_reference(path.read_bytes(), 16000).waveform, reference.waveform)


@pytest.mark.skipif(not CLIPS, reason="the clips are not here")
@pytest.mark.parametrize("clip", CLIPS, ids=lambda path: path.name)
def test_real_clips_are_fit(clip: Path) -> None:
    samples, rate = read_audio(clip)
    reference = prepare_reference(clip, 16000)
    assert 0.5 * len(samples) / rate < reference.speech_seconds <= len(samples) / rate
    assert 20 < reference.snr_db < 80
    assert 0.65 * rate / 2 <= reference.bandwidth_hz <= rate / 2
    narrow = prepare_reference((resample(resample(samples, rate, 8000), 8000, rate), rate), 16000)
    assert 3500 <= narrow.bandwidth_hz <= 4250
    assert clipped_fraction(samples) < 1e-3


@pytest.mark.parametrize("snr_db", [5, 10, 20, 30, 40])
def test_the_noise_is_estimated(recording: Recording, snr_db: float) -> None:
    waveform, rate = recording
    clean = np.where(np.abs(waveform) > 0.01, waveform, 0)
    power = np.mean(clean[np.abs(clean) > 0] ** 2)
    noise = np.sqrt(power / 10 ** (snr_db / 10)) * np.random.default_rng(1).normal(size=len(clean))
    assert prepare_reference((clean + noise, rate), 16000).snr_db == pytest.approx(snr_db, abs=3)


@pytest.mark.parametrize("band_hz", [2000, 4000, 6000])
def test_the_bandwidth_is_estimated(recording: Recording, band_hz: int) -> None:
    waveform, rate = recording
    rich = waveform + 0.01 * np.random.default_rng(0).normal(size=len(waveform)).astype(np.float32)
    limited = resample(resample(rich, rate, 2 * band_hz), 2 * band_hz, rate)
    assert prepare_reference((limited, rate), 16000).bandwidth_hz == pytest.approx(band_hz, abs=500)


def test_of_a_long_recording_the_densest_30_s_are_taken(recording: Recording) -> None:
    waveform, rate = recording
    sparse = np.concatenate([waveform, np.zeros(6 * rate, dtype=np.float32)])
    dense = 0.5 * np.tile(waveform, 11)
    reference = prepare_reference((np.concatenate([np.tile(sparse, 5), dense, np.tile(sparse, 5)]), rate), rate)
    assert len(reference.waveform) / rate == pytest.approx(30, abs=0.5)
    assert reference.speech_seconds > 20
    assert reference.peak == pytest.approx(np.abs(dense).max(), rel=1e-5)


def test_an_offset_is_removed(recording: Recording) -> None:
    waveform, rate = recording
    reference = prepare_reference((waveform + 0.2, rate), rate)
    assert abs(reference.waveform.mean()) < 1e-3
    assert reference.speech_seconds == prepare_reference(recording, rate).speech_seconds


def test_too_little_speech_is_refused(recording: Recording) -> None:
    waveform, rate = recording
    padded = np.concatenate([np.zeros(5 * rate), waveform[: rate // 2], np.zeros(5 * rate)])
    with pytest.raises(AudioError, match=r"audio: 0\.\d\d s of speech were found in 10.50 s .*at least 1.0 s"):
        prepare_reference((padded, rate), rate)


def test_a_short_file_is_refused_by_name(tmp_path: Path, recording: Recording) -> None:
    waveform, rate = recording
    write_audio(tmp_path / "ada.wav", waveform[: rate // 2], rate)
    with pytest.raises(AudioError, match=r"ada\.wav: 0\.\d\d s of speech were found in 0.50 s"):
        prepare_reference(tmp_path / "ada.wav", rate)


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros(48000), r"3.00 s of audio are silent \(digital silence\)"),
        (np.full(48000, 0.5), "digital silence"),
        (1e-5 * np.random.default_rng(0).normal(size=48000), r"silent \(its loudest 10 ms are at -\d+ dBFS\)"),
        (0.1 * np.random.default_rng(0).normal(size=48000), "0.00 s of speech were found in 3.00 s"),
        (np.sin(np.arange(48000) * 0.1), "0.00 s of speech"),
        (np.zeros(1), "silent"),
    ],
    ids=["zeros", "offset", "faint", "noise", "tone", "one"],
)
def test_what_is_not_speech_is_refused(samples: np.ndarray, words: str) -> None:
    with pytest.raises(AudioError, match=words):
        prepare_reference((samples, 16000), 16000)


@pytest.mark.parametrize("gain", [1.0, 0.3])
@pytest.mark.parametrize("offset", [0.0, 0.05])
def test_clipped_audio_is_refused(recording: Recording, gain: float, offset: float) -> None:
    waveform, rate = recording
    clipped = gain * np.clip(6 * waveform / np.abs(waveform).max(), -1, 1) + offset
    with pytest.raises(AudioError, match=r"clipped: \d+\.\d% of its samples .* at most 1%"):
        prepare_reference((clipped, rate), rate)


@pytest.mark.parametrize("suffix", [".mp3", ".ogg"])
def test_audio_clipped_before_a_lossy_codec_is_refused(tmp_path: Path, recording: Recording, suffix: str) -> None:
    waveform, rate = recording
    write_audio(tmp_path / f"clipped{suffix}", 12 * waveform / np.abs(waveform).max(), rate)
    with pytest.raises(AudioError, match="clipped"):
        prepare_reference(tmp_path / f"clipped{suffix}", rate)


def test_the_clipped_fraction_counts_runs() -> None:
    waveform = np.zeros(1000, dtype=np.float32)
    waveform[[10, 20, 30, 31]] = 1.0  # single samples and pairs are peaks
    assert clipped_fraction(waveform) == 0.0
    waveform[100:110] = 1.0
    waveform[200:205] = -0.8
    assert clipped_fraction(waveform) == pytest.approx(0.015)
    assert clipped_fraction(np.zeros(10)) == 0.0


def test_what_cannot_be_read_is_refused_as_reading_does(tmp_path: Path, recording: Recording) -> None:
    with pytest.raises(AudioError, match="no such file"):
        prepare_reference(tmp_path / "absent.wav", 16000)
    waveform, rate = recording
    write_audio(tmp_path / "whole.flac", waveform, rate)
    with pytest.raises(AudioError, match="cut short"):
        prepare_reference((tmp_path / "whole.flac").read_bytes()[:-100], 16000)
    with pytest.raises(AudioError, match="NaN"):
        prepare_reference((np.where(np.arange(len(waveform)) == 7, np.nan, waveform), rate), 16000)


def test_importing_is_light() -> None:
    code = (
        "import sys, voxclone.audio.io, voxclone.audio.reference;"
        "print(sorted({'torch', 'scipy', 'librosa', 'numba', 'torchaudio'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
