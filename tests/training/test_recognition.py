"""What the recogniser hears, and what it asks of made speech."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

pytest.importorskip("accelerate")
pytest.importorskip("matplotlib")

from voxclone.text.symbols import SILENCES, SYMBOLS, symbol_ids
from voxclone.training.recognition import (
    ContentConsistency,
    PhonemeRecognizer,
    RecognitionStep,
    centred,
    frame_phonemes,
)

SOUNDS = torch.tensor([i for i in range(1, len(SYMBOLS)) if i not in symbol_ids(SILENCES[1:])][:4])
SPECTRA = torch.randn(len(SYMBOLS), 80, generator=torch.Generator().manual_seed(0))


def a_recognizer() -> PhonemeRecognizer:
    torch.manual_seed(0)
    return PhonemeRecognizer(channels=32, dilations=(1, 2))


def a_batch(seed: int = 0) -> dict[str, Tensor]:
    """Sounds of four kinds, each with a spectrum of its own."""
    draw = torch.Generator().manual_seed(seed)
    said = SOUNDS[torch.randint(4, (4, 20), generator=draw)]
    durations = torch.full((4, 20), 6)
    mel = SPECTRA[said].repeat_interleave(6, 1).transpose(1, 2)
    return {
        "phoneme_ids": said,
        "durations": durations,
        "mel": mel + 0.3 * torch.randn(mel.shape, generator=draw) - 4,
        "mel_lengths": torch.full((4,), 120),
    }


@pytest.fixture(scope="module")
def trained() -> PhonemeRecognizer:
    step = RecognitionStep(a_recognizer(), []).train()
    optimizer = torch.optim.Adam(step.parameters(), 3e-3)
    for seed in range(60):
        loss = step(a_batch(seed), "model")["total"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    optimizer.zero_grad()
    return step.recognizer.eval()


def test_it_learns_what_is_said(trained: PhonemeRecognizer) -> None:
    fresh = RecognitionStep(a_recognizer(), []).eval()
    known = RecognitionStep(trained, []).eval()
    batch = a_batch(1000)
    assert float(fresh(batch, "model")["right"]) < 0.5
    assert float(known(batch, "model")["right"]) > 0.95


def test_level_and_a_fixed_channel_are_not_heard() -> None:
    recognizer, batch = a_recognizer().eval(), a_batch()
    channel = torch.linspace(-2, 1, 80)[:, None]
    plain = recognizer(batch["mel"], batch["mel_lengths"])
    torch.testing.assert_close(recognizer(batch["mel"] + channel, batch["mel_lengths"]), plain, atol=1e-3, rtol=1e-3)


def test_padding_is_not_heard() -> None:
    recognizer, batch = a_recognizer().eval(), a_batch()
    lengths = torch.tensor([120, 60, 120, 120])
    alone = recognizer(batch["mel"][1:2, :, :60], lengths[1:2])
    together = recognizer(batch["mel"], lengths)[1:2, :, :60]
    torch.testing.assert_close(together[:, :, :40], alone[:, :, :40], atol=1e-4, rtol=1e-4)
    assert float(centred(batch["mel"], lengths)[1, :, 60:].abs().max()) == 0


def test_frames_are_of_the_phoneme_that_lasts_over_them() -> None:
    ids, durations = torch.tensor([[5, 7, 9], [4, 6, 0]]), torch.tensor([[2, 1, 3], [1, 2, 0]])
    found = frame_phonemes(ids, durations)
    assert found[0].tolist() == [5, 5, 7, 9, 9, 9]
    assert found[1, :3].tolist() == [4, 6, 6]


def test_what_is_said_wrongly_costs_more_and_silence_nothing(trained: PhonemeRecognizer) -> None:
    listener, batch = ContentConsistency(trained), a_batch(2000)
    said = frame_phonemes(batch["phoneme_ids"], batch["durations"])
    torch.manual_seed(0)
    right = float(listener(batch["mel"], batch["mel_lengths"], said))
    wrong = float(listener(batch["mel"], batch["mel_lengths"], said.roll(1, 0)))
    assert wrong > 3 * right
    silent = torch.full_like(said, symbol_ids(SILENCES[1:])[0])
    assert float(listener(batch["mel"], batch["mel_lengths"], silent)) == 0


def test_speech_is_asked_for_and_the_listener_stays(trained: PhonemeRecognizer) -> None:
    listener, batch = ContentConsistency(trained), a_batch(3000)
    mel = batch["mel"].clone().requires_grad_()
    listener(mel, batch["mel_lengths"], frame_phonemes(batch["phoneme_ids"], batch["durations"])).backward()
    assert mel.grad is not None and float(mel.grad.abs().max()) > 0
    assert all(value.grad is None for value in trained.parameters())
