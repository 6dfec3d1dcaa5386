"""Speech holds samples and times, saves itself and plays in a notebook."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxclone import AudioError, Consent, Provenance, Segment, Speech

PROVENANCE = Provenance.of("tiny", "0" * 64, "1" * 16, [Consent.attest("Ada", basis="my own voice")], None)


@pytest.fixture
def speech() -> Speech:
    samples = np.sin(np.arange(22050) * 0.05).astype(np.float32)
    samples[:2] = 1.0, -1.0
    words = (Segment("hello", 0.1, 0.5), Segment("there", 0.5, 1.0))
    return Speech(samples, 22050, words, (Segment("^", 0.0, 1.0),), np.zeros((80, 86), np.float32), PROVENANCE)


def test_duration_and_samples(speech: Speech) -> None:
    assert speech.duration_seconds == 1.0
    assert speech.numpy() is speech.samples


def test_save_follows_the_suffix(speech: Speech, tmp_path: Path) -> None:
    for suffix, form in {"wav": "WAV", "flac": "FLAC", "mp3": "MP3", "ogg": "OGG"}.items():
        speech.save(tmp_path / f"speech.{suffix}")
        assert soundfile.info(tmp_path / f"speech.{suffix}").format == form
    read, rate = soundfile.read(tmp_path / "speech.wav", dtype="float32")
    assert rate == 22050
    np.testing.assert_allclose(read, speech.samples, atol=1.1 / 32768)
    with pytest.raises(AudioError, match=r"\.txt"):
        speech.save(tmp_path / "speech.txt")


def test_the_notebook_player_holds_the_audio(speech: Speech) -> None:
    html = speech._repr_html_()
    start, end = '<audio controls src="data:audio/wav;base64,', '"></audio>'
    assert html.startswith(start)
    assert html.endswith(end)
    wav = base64.b64decode(html.removeprefix(start).removesuffix(end), validate=True)
    read, rate = soundfile.read(io.BytesIO(wav), dtype="float32")
    assert rate == 22050
    np.testing.assert_allclose(read, speech.samples, atol=1.1 / 32768)


def test_repr_shows_words_and_no_arrays(speech: Speech) -> None:
    assert repr(speech) == "Speech('hello there', 1.00 s at 22050 Hz)"
    words = tuple(Segment("word", 0.0, 1.0) for _ in range(1000))
    assert len(repr(Speech(speech.samples, 22050, words, (), speech.mel, PROVENANCE))) < 120
