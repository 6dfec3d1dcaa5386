"""Several recordings make one voice, and what does not belong to it is named."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from voxclone import AudioError, Consent, VoxClone
from voxclone.audio.mel import MelSpectrogram
from voxclone.config import AudioConfig, SpeakerEncoderConfig
from voxclone.synthesis.embedding import embed_waveforms
from voxclone.synthesis.reference import SpeakerMeasures, embed_speaker, measure_speaker

RATE = 16000
Recording = tuple[NDArray[np.float32], int]


class ColourEncoder(nn.Module):
    """Tells voices apart by how bright they are, as exactly as a trained encoder would by what they are."""

    sample_rate = RATE

    def __init__(self) -> None:
        super().__init__()
        self.mel_spectrogram = MelSpectrogram(SpeakerEncoderConfig())
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, mel: Tensor, mel_lengths: Tensor) -> Tensor:
        brightness = []
        for item, length in zip(mel, mel_lengths, strict=True):
            power = item[:, :length].exp().mean(1)
            brightness.append(power[40:].sum() / power.sum())
        angle = torch.stack(brightness).clamp(0, 0.5) * torch.pi
        return torch.stack([angle.cos(), angle.sin()], 1)


def talk(hz: float, bright: bool, seconds: float = 3.0, seed: int = 0) -> NDArray[np.float32]:
    """Vowels with a pitch that moves, and hisses between; bright or dull."""
    time = np.arange(int(seconds * RATE)) / RATE
    phase = 2 * np.pi * np.cumsum(hz * 2 ** (0.2 * np.sin(2 * np.pi * 0.9 * time))) / RATE
    count = int(6000 / hz)
    voice = sum(np.sin(k * phase) * (1.0 if bright else k**-2.0) for k in range(1, count))
    beat = (time * 3) % 1
    breath = np.diff(np.random.default_rng(seed).normal(size=len(time) + 1))
    stress = 1 + 0.4 * np.sin(2 * np.pi * 0.37 * time + seed)
    waveform = 0.05 * stress * voice * ((beat > 0.35) & (beat < 0.85)) + 0.002 * breath * (
        (beat > 0.1) & (beat <= 0.35)
    )
    return np.asarray(waveform / 10 if bright else waveform, np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(4):
        soundfile.write(tmp_path / f"ada{number}.wav", talk(150 + 5 * number, bright=False, seed=number), RATE)
    soundfile.write(tmp_path / "eve.wav", talk(150, bright=True), RATE)
    soundfile.write(tmp_path / "silence.wav", np.zeros(3 * RATE), RATE)
    noise = np.random.default_rng(0).normal(size=4 * RATE)
    swell = (1 + np.sin(2 * np.pi * 0.5 * np.arange(4 * RATE) / RATE)) ** 2
    hum = np.sin(2 * np.pi * 140 * np.arange(4 * RATE) / RATE) * (np.arange(4 * RATE) % (2 * RATE) < 4000)
    soundfile.write(tmp_path / "surf.wav", 0.05 * noise * swell + 0.3 * hum, RATE)
    return tmp_path


def measured(folder: Path, names: str, threshold: float | None = 0.8) -> tuple[SpeakerMeasures, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sources = [folder / f"{name}.wav" for name in names.split()]
        measures = measure_speaker(ColourEncoder(), AudioConfig(), sources, threshold)  # type: ignore[arg-type]
    return measures, [str(each.message) for each in caught]


def test_recordings_of_one_speaker_share_the_voice(folder: Path) -> None:
    measures, told = measured(folder, "ada0 ada1 ada2")
    assert not told
    assert [each.name for each in measures.recordings] == ["ada0.wav", "ada1.wav", "ada2.wav"]
    assert sum(each.share for each in measures.recordings) == pytest.approx(1.0)
    assert all(each.share > 0.2 and not each.left_out for each in measures.recordings)


def test_noise_in_a_recording_costs_it_its_share(folder: Path) -> None:
    samples = talk(150, bright=False)
    noise = np.random.default_rng(1).normal(size=len(samples)) * samples.std() / 2
    soundfile.write(folder / "noisy.wav", samples + noise, RATE)
    measures, _ = measured(folder, "ada0 noisy", threshold=None)
    clean, noisy = measures.recordings
    assert noisy.snr_db < clean.snr_db - 10
    assert noisy.share < 0.8 * clean.share


@pytest.mark.parametrize(
    ("odd", "why"),
    [("eve", "another speaker"), ("silence", "silent"), ("surf", "noise")],
    ids=["speaker", "silence", "noise"],
)
def test_what_does_not_belong_is_left_out_and_named(folder: Path, odd: str, why: str) -> None:
    measures, told = measured(folder, f"ada0 ada1 {odd} ada2")
    (message,) = told
    assert message.startswith(f"{odd}.wav is left out of the voice: ")
    assert why in message
    alone, _ = measured(folder, "ada0 ada1 ada2")
    np.testing.assert_allclose(measures.speaker_embedding, alone.speaker_embedding, atol=1e-6)
    np.testing.assert_allclose(measures.spectrum, alone.spectrum, atol=1e-5)
    assert measures.f0_median == alone.f0_median
    assert measures.recordings[2].share == 0.0
    assert why in measures.recordings[2].left_out


def test_without_a_measured_threshold_nobody_is_accused(folder: Path) -> None:
    measures, told = measured(folder, "ada0 ada1 eve", threshold=None)
    assert not told
    assert measures.recordings[2].share > 0.2


def test_of_two_recordings_the_doubt_is_told_and_both_stay(folder: Path) -> None:
    measures, told = measured(folder, "ada0 eve")
    (message,) = told
    assert message.startswith("ada0.wav: it sounds like another speaker than eve.wav")
    assert all(each.share > 0.2 for each in measures.recordings)


def test_half_and_half_is_an_error_that_names_two(folder: Path) -> None:
    soundfile.write(folder / "eve1.wav", talk(160, bright=True, seed=5), RATE)
    with pytest.raises(AudioError, match=r"several speakers: \w+\.wav does not sound like \w+\.wav"):
        measured(folder, "ada0 eve ada1 eve1")


def test_noise_alone_is_told_and_nothing_fit_is_an_error(folder: Path) -> None:
    _, told = measured(folder, "surf")
    assert told == ["surf.wav: it sounds like noise: hardly any of it is voiced. Clone from plain speech"]
    with pytest.raises(AudioError, match=r"silence\.wav: .*silent"):
        measured(folder, "silence silence")


def test_a_file_that_is_missing_is_an_error_among_others(folder: Path) -> None:
    with pytest.raises(AudioError, match=r"nobody\.wav"):
        measured(folder, "ada0 nobody ada1")


def test_arrays_are_named_by_their_number(recording: Recording) -> None:
    quiet = (np.zeros(RATE, np.float32), RATE)
    with pytest.warns(UserWarning, match=r"^recording 2 is left out"):
        measure_speaker(ColourEncoder(), AudioConfig(), [recording, quiet, recording])  # type: ignore[arg-type]


def test_the_voice_tells_what_was_found(tiny_model: VoxClone, recording: Recording, tmp_path: Path) -> None:
    consent = Consent.attest("Ada", basis="my own voice")
    with pytest.warns(UserWarning, match="recording 2 is left out") as caught:
        voice = tiny_model.clone([recording, (np.zeros(RATE, np.float32), RATE)], name="Ada", consent=consent)
    assert caught[0].filename == __file__
    first, second = voice.recordings
    assert first.share == 1.0
    assert 2.0 < first.speech_seconds < 3.1
    assert second.left_out
    voice.save(tmp_path / "ada.voice")
    loaded = type(voice).load(tmp_path / "ada.voice")
    assert loaded == voice
    assert loaded.recordings == ()


def test_batches_give_what_single_recordings_give(tiny_model: VoxClone, recording: Recording) -> None:
    samples, rate = recording
    sources = [(samples[: rate * seconds], rate) for seconds in (3, 2, 3)]
    together = tiny_model.embed(sources)
    assert together.shape == (3, 16)
    for source, embedding in zip(sources, together, strict=True):
        alone = embed_speaker(tiny_model._speaker_encoder, tiny_model.sample_rate, source)
        np.testing.assert_allclose(embedding, alone, atol=1e-5)
    assert tiny_model.embed([]).shape == (0, 16)


def test_one_recording_needs_no_list(tiny_model: VoxClone, recording: Recording, tmp_path: Path) -> None:
    file = tmp_path / "ada.wav"
    soundfile.write(file, *recording)
    expected = tiny_model.embed([recording])
    for source in (recording, file, str(file), file.read_bytes()):
        np.testing.assert_allclose(tiny_model.embed(source), expected, atol=1e-2)
    assert tiny_model.embed((str(file), file)).shape == (2, 16)


@pytest.mark.parametrize(("batch_seconds", "batches"), [(6.0, [2, 1]), (100.0, [3]), (0.1, [1, 1, 1])])
def test_batches_are_bounded(batch_seconds: float, batches: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = ColourEncoder()
    sizes: list[int] = []
    forward = encoder.forward
    monkeypatch.setattr(encoder, "forward", lambda mel, lengths: sizes.append(len(mel)) or forward(mel, lengths))
    waveforms = [talk(150, bright=False, seconds=seconds) for seconds in (3.0, 2.0, 3.0)]
    assert len(list(embed_waveforms(encoder, waveforms, batch_seconds))) == 3  # type: ignore[arg-type]
    assert sizes == batches
