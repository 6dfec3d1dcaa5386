"""Voices as the speaker encoder hears them in an acoustic model's mels, and texts spoken in voices of a bank."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

pytest.importorskip("accelerate")
pytest.importorskip("matplotlib")

from voxclone import VoxClone
from voxclone.audio.mel import MelSpectrogram
from voxclone.audio.resample import resample
from voxclone.config import AcousticConfig, AudioConfig, SpeakerEncoderConfig
from voxclone.models.acoustic.units import MEL_FLOOR
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.training.acoustic_adversarial import AdversarialAcousticStep
from voxclone.training.consistency import SpeakerConsistency, VoiceBank
from voxclone.training.recognition import ContentConsistency, PhonemeRecognizer

AUDIO = AudioConfig()
CONFIG = AcousticConfig(
    n_symbols=12, speaker_embedding_dim=8, hidden_dim=16, attention_heads=2, encoder_layers=1, decoder_layers=1,
    predictor_layers=1, quality_dims=2,
)  # fmt: skip


def a_consistency(voices: int = 40) -> SpeakerConsistency:
    torch.manual_seed(0)
    sizes = SpeakerEncoderConfig(channels=8, pooled_channels=8, attention_channels=4, embedding_dim=8)
    return SpeakerConsistency(SpeakerEncoder(sizes), AUDIO, a_bank(voices))


def a_bank(count: int = 40) -> VoiceBank:
    generator = torch.Generator().manual_seed(1)
    return VoiceBank(
        normalize(torch.randn(count, 8, generator=generator)),
        torch.randn(count, 80, generator=generator) - 4,
        torch.rand(count, generator=generator) * 100 + 100,
        torch.zeros(count, 2),
    )


def a_batch() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "phoneme_ids": torch.randint(1, 12, (3, 30), generator=generator),
        "phoneme_lengths": torch.full((3,), 30),
        "durations": torch.full((3, 30), 10),
        "mel": torch.randn(3, 80, 300, generator=generator) - 4,
        "mel_lengths": torch.full((3,), 300),
        "f0": torch.full((3, 300), 150.0),
        "f0_median": torch.full((3,), 150.0),
        "speaker_embedding": normalize(torch.randn(3, 8, generator=generator)),
        "spectrum": torch.full((3, 80), -4.0),
        "quality": torch.zeros(3, 2),
    }


def test_the_mel_tells_voices_as_the_samples_do() -> None:
    model = VoxClone.from_pretrained(device="cpu")
    listener = SpeakerConsistency(model._speaker_encoder, AUDIO, a_bank())
    heard, known = [], []
    for voice in model.voices.values():
        samples = model.generate("The boats go out in the morning, before the sun is up.", voice).samples
        mel = MelSpectrogram(AUDIO)(torch.from_numpy(samples)[None])
        heard.append(listener.embed(mel, torch.tensor([mel.shape[2]]))[0])
        narrow = torch.from_numpy(resample(samples, AUDIO.sample_rate, model._speaker_encoder.sample_rate))
        with torch.no_grad():
            known.append(model._speaker_encoder.embed(narrow[None])[0])
    cosines = torch.stack(heard) @ torch.stack(known).T
    assert bool((cosines.diagonal() > 0.85).all()), cosines
    assert cosines.argmax(1).tolist() == list(range(len(heard)))


def test_padding_is_not_heard() -> None:
    listener = a_consistency()
    mel = torch.randn(1, 80, 116) - 4  # a whole number of the encoder's frames but for a hundredth
    padded = torch.cat([mel, torch.full((1, 80, 84), 3.0)], 2)
    alone = listener.embed(mel, torch.tensor([116]))
    assert float((listener.embed(padded, torch.tensor([116])) * alone).sum()) > 0.98
    assert float((listener.embed(padded, torch.tensor([200])) * alone).sum()) < 0.98


def test_voices_are_of_the_bank_or_between_two() -> None:
    torch.manual_seed(0)
    bank = a_bank()
    drawn = bank.draw(400, torch.device("cpu"))
    assert torch.allclose(drawn["speaker_embedding"].norm(dim=1), torch.ones(400))
    assert float(drawn["f0_median"].min()) >= 100 and float(drawn["f0_median"].max()) <= 200
    nearest = (drawn["speaker_embedding"] @ bank.voices["speaker_embedding"].T).max(1).values
    whole = float((nearest > 1 - 1e-5).float().mean())
    assert 0.4 < whole < 0.6


def test_other_voices_train_the_decoder_alone_and_stay_out_of_its_weights() -> None:
    torch.manual_seed(0)
    step = AdversarialAcousticStep(CONFIG, [], channels=2, consistency_weight=4.0).train()
    names = set(step.state_dict())
    plain = step(a_batch(), "generator")
    step.consistency = a_consistency()
    assert set(step.state_dict()) == names
    losses = step(a_batch(), "generator")
    assert "consistency" not in plain and 0 < float(losses["consistency"].detach()) <= 2
    losses["consistency"].backward()
    touched = {name for name, value in step.named_parameters() if value.grad is not None and bool(value.grad.any())}
    assert touched and {name.split(".")[1] for name in touched} <= {
        "prosody_embedding", "place", "entry", "decoder", "head", "speaker",
    }  # fmt: skip
    assert all(value.grad is None for value in step.consistency.encoder.parameters())


def test_where_others_are_judged_both_phases_know_of_it() -> None:
    torch.manual_seed(0)
    step = AdversarialAcousticStep(CONFIG, [], channels=2, consistency_weight=4.0).train()
    step.consistency = a_consistency()
    found = []
    for step.judges_others in (False, True):
        torch.manual_seed(1)
        losses = step(a_batch(), "generator")
        found.append((losses, float(step(a_batch(), "discriminator")["total"].detach())))
    (alone, alone_told), (both, both_told) = found
    assert "adversarial_others" not in alone
    expected = alone["total"] + both["adversarial_others"]
    assert float(both["total"].detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    assert both_told > 1.5 * alone_told


def test_others_are_padded_as_natural_spans_are() -> None:
    torch.manual_seed(0)
    step = AdversarialAcousticStep(CONFIG, [], channels=2).train()
    batch = a_batch()
    batch["durations"][1], batch["mel_lengths"][1] = 2, 60
    batch["mel"][1, :, 60:] = MEL_FLOOR
    _, natural, _ = step._make(batch)
    others, _ = step._in_other_voices(batch, a_consistency())
    assert torch.equal(others[1, :, -1], natural[1, :, -1])
    assert not torch.equal(others[1, :, 0], natural[1, :, 0])


def test_a_voice_can_be_learnt() -> None:
    torch.manual_seed(0)
    step = AdversarialAcousticStep(CONFIG, [], channels=2).train()
    step.consistency = a_consistency(voices=2)
    optimizer = torch.optim.Adam(step.parameters_of("generator"), 5e-3)
    found = []
    for _ in range(25):
        _, asked = step._in_other_voices(a_batch(), step.consistency)
        error = asked["consistency"]
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        found.append(float(error.detach()))
    assert sum(found[-5:]) < 0.8 * sum(found[:5])


def test_the_course_is_held_to_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOXCLONE_KERNELS", "reference")  # what is not trained has others, which round otherwise
    torch.manual_seed(0)
    step = AdversarialAcousticStep(CONFIG, [], channels=2, course_weight=4.0).train()
    names = set(step.state_dict())
    step.hold_course()
    assert set(step.state_dict()) == names
    _, asked = step._in_other_voices(a_batch(), a_consistency())
    assert float(asked["course"].detach()) == 0
    with torch.no_grad():
        step.model.head.bias += 1.0
    _, asked = step._in_other_voices(a_batch(), a_consistency())
    assert float(asked["course"].detach()) < 1e-5  # another level throughout is no other course
    with torch.no_grad():
        for value in step.model.decoder.parameters():
            value += 0.1 * torch.randn_like(value)
    _, asked = step._in_other_voices(a_batch(), a_consistency())
    assert float(asked["course"].detach()) > 1e-3


def test_what_the_course_is_held_to_goes_where_the_model_goes() -> None:
    step = AdversarialAcousticStep(CONFIG, [], channels=2, course_weight=4.0)
    step.hold_course()
    step.to("meta")
    assert {value.device.type for former in step._former for value in former.state_dict().values()} == {"meta"}


def test_what_is_said_in_other_voices_is_listened_to() -> None:
    torch.manual_seed(0)
    step = AdversarialAcousticStep(CONFIG, [], channels=2, content_weight=2.0).train()
    step.consistency = a_consistency()
    found = []
    for step.content in (None, ContentConsistency(PhonemeRecognizer(n_symbols=12, channels=8, dilations=(1,)))):
        torch.manual_seed(1)
        found.append(step(a_batch(), "generator"))
    deaf, heard = found
    assert "content" not in deaf
    expected = float((deaf["total"] + 2 * heard["content"]).detach())
    assert float(heard["total"].detach()) == pytest.approx(expected, rel=1e-4)


def test_a_longer_hop_is_another_pace() -> None:
    wide = SpeakerConsistency(a_consistency().encoder, dataclasses.replace(AUDIO, hop_length=320), a_bank())
    assert wide.pace == pytest.approx(a_consistency().pace * 320 / 256)
