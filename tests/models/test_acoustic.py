"""The acoustic model with a tiny random net: lengths, masks, controls, determinism, export."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from voxclone.config import AcousticConfig
from voxclone.errors import ConfigError
from voxclone.layers.masks import length_mask
from voxclone.models.acoustic import AcousticModel, AcousticOutput, Delivery, regulate_length
from voxclone.models.acoustic.delivery import from_prosody, to_prosody
from voxclone.models.acoustic.length_regulator import frame_owners
from voxclone.models.acoustic.variance import phoneme_prosody

FLOOR = math.log(1e-5)


def build(**changes: int) -> AcousticModel:
    sizes = {"n_symbols": 12, "n_mels": 6, "speaker_embedding_dim": 5, "hidden_dim": 8, "attention_heads": 2}
    sizes |= {"encoder_layers": 1, "decoder_layers": 2, "predictor_layers": 1}
    torch.manual_seed(3)
    return AcousticModel(AcousticConfig(**(sizes | changes))).eval()


@pytest.fixture
def model() -> AcousticModel:
    return build()


def speakers(count: int) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    embedding = torch.nn.functional.normalize(torch.randn(count, 5, generator=generator), dim=1)
    spectrum = torch.randn(count, 6, generator=generator) - 5
    return embedding, torch.tensor([110.0, 210.0, 160.0, 90.0])[:count], spectrum


IDS = torch.tensor([[1, 5, 6, 7, 8, 9, 2], [1, 4, 7, 2, 0, 0, 0], [1, 9, 8, 4, 2, 0, 0]])
LENGTHS = torch.tensor([7, 4, 5])


def infer(model: AcousticModel, seed: int | None = None) -> AcousticOutput:
    return model.infer(IDS, LENGTHS, *speakers(3), seed=seed)


# ---- length regulator


def test_regulate_length() -> None:
    encodings = torch.tensor([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
    frames, lengths = regulate_length(encodings, torch.tensor([[2, 0, 1], [1, 4, 0]]))
    assert frames[:, :, 0].tolist() == [[1, 1, 3, 0, 0], [4, 5, 5, 5, 5]]
    assert lengths.tolist() == [3, 5]


@pytest.mark.parametrize("durations", [[[1, -1], [1, 1]], [[1, 1], [0, 0]], [[3, -1], [2, 2]]])
def test_regulate_length_refuses(durations: list[list[int]]) -> None:
    with pytest.raises(ValueError, match="at least one frame"):
        regulate_length(torch.zeros(2, 2, 1), torch.tensor(durations))


def test_regulate_length_equals_repeat_interleave() -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        durations = torch.randint(0, 4, (1, 9), generator=generator)
        durations[0, 3] += 1
        encodings = torch.randn(1, 9, 2, generator=generator, requires_grad=True)
        frames, _ = regulate_length(encodings, durations)
        torch.testing.assert_close(frames[0], encodings[0].repeat_interleave(durations[0], 0))
        frames.sum().backward()
        assert encodings.grad is not None
        assert torch.equal(encodings.grad[0, :, 0].long(), durations[0])


def test_frame_owners() -> None:
    assert frame_owners(torch.tensor([[0, 2, 0, 1], [1, 0, 0, 4]])).tolist() == [[1, 1, 3, 3, 3], [0, 3, 3, 3, 3]]


# ---- prosody


def test_phoneme_prosody_by_hand() -> None:
    median = torch.tensor([100.0, 200.0])
    f0 = torch.tensor([[0.0, 100.0, 200.0, 50.0, 50.0, 0.0], [200.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    mel = torch.full((2, 4, 6), -3.0)
    mel[0, :, 1:3] = 2.0
    durations = torch.tensor([[1, 2, 0, 3], [2, 1, 0, 0]])
    found = phoneme_prosody(mel, f0, durations, median)

    def energy(level: float) -> float:
        return (level + math.log(4) - 2) / 2  # four equal bands

    expected = [
        [[0, 0, energy(-3)], [1.5, 1, energy(2)], [0, 0, 0], [-3, 2 / 3, energy(-3)]],
        [[0, 0.5, energy(-3)], [0, 0, energy(-3)], [0, 0, 0], [0, 0, 0]],
    ]
    torch.testing.assert_close(found, torch.tensor(expected), atol=1e-5, rtol=1e-5)


def test_prosody_has_no_units_of_the_speaker() -> None:
    mel, durations = torch.zeros(1, 4, 3), torch.tensor([[3]])
    f0 = torch.tensor([[100.0, 120.0, 140.0]])
    low = phoneme_prosody(mel, f0, durations, torch.tensor([110.0]))
    torch.testing.assert_close(phoneme_prosody(mel, 2 * f0, durations, torch.tensor([220.0])), low)


def test_prosody_far_into_a_long_recording_is_as_exact() -> None:
    mel = torch.randn(1, 4, 4000, generator=torch.Generator().manual_seed(0)) - 5
    f0 = torch.full((1, 4000), 130.0)
    durations = torch.full((1, 800), 5)
    whole = phoneme_prosody(mel, f0, durations, torch.tensor([100.0]))
    last = phoneme_prosody(mel[:, :, -5:], f0[:, -5:], torch.tensor([[5]]), torch.tensor([100.0]))
    torch.testing.assert_close(whole[:, -1:], last, atol=2e-3, rtol=1e-3)


# ---- infer


@pytest.mark.parametrize("frames_per_step", [1, 2, 3])
def test_shapes_lengths_and_padding(frames_per_step: int) -> None:
    out = infer(build(frames_per_step=frames_per_step))
    frames = int(out.mel_lengths.max())
    assert out.mel.shape == (3, 6, frames)
    assert out.f0.shape == (3, frames)
    assert out.prosody.shape == (3, 7, 3)
    assert out.durations.dtype == torch.int64
    assert torch.equal(out.durations.sum(1), out.mel_lengths)
    real = length_mask(LENGTHS, 7)
    assert (out.durations[real] >= 1).all()
    assert not out.durations[~real].any()
    beyond = ~length_mask(out.mel_lengths, frames)
    assert beyond.any()
    torch.testing.assert_close(out.mel.transpose(1, 2)[beyond], torch.full((int(beyond.sum()), 6), FLOOR))
    assert not out.f0[beyond].any()
    assert (out.f0 >= 0).all()
    assert all(torch.isfinite(x).all() for x in (out.mel, out.f0, out.prosody))


@pytest.mark.parametrize("frames_per_step", [1, 2, 3])
@pytest.mark.parametrize("seed", [None, 5])
def test_a_batch_is_its_items(frames_per_step: int, seed: int | None) -> None:
    model = build(frames_per_step=frames_per_step)
    together = infer(model, seed)
    embedding, median, spectrum = speakers(3)
    for item, n in enumerate(LENGTHS.tolist()):
        one = slice(item, item + 1)
        alone = model.infer(IDS[one, :n], LENGTHS[one], embedding[one], median[one], spectrum[one], seed=seed)
        t = int(alone.mel_lengths)
        assert torch.equal(together.durations[one, :n], alone.durations)
        torch.testing.assert_close(together.mel[one, :, :t], alone.mel, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(together.f0[one, :t], alone.f0, atol=1e-2, rtol=1e-4)


def test_what_stands_in_the_padding_does_not_matter(model: AcousticModel) -> None:
    dirty = torch.where(length_mask(LENGTHS, 7), IDS, 11)
    torch.testing.assert_close(model.infer(dirty, LENGTHS, *speakers(3)).mel, infer(model).mel)
    frames = torch.randn(1, 9, 8, generator=torch.Generator().manual_seed(0))
    mask, condition, spectrum = length_mask(torch.tensor([6]), 9), torch.zeros(1, 8), torch.zeros(1, 6)
    other = frames.clone()
    other[:, 6:] = 100.0
    for clean, changed in zip(
        model.decode(frames, mask, condition, spectrum), model.decode(other, mask, condition, spectrum), strict=True
    ):
        torch.testing.assert_close(clean[..., :6], changed[..., :6])


def test_the_speaker_and_the_phonemes_matter(model: AcousticModel) -> None:
    embedding, median, spectrum = speakers(1)
    one, length = IDS[:1], LENGTHS[:1]
    mel = model.infer(one, length, embedding, median, spectrum).mel
    assert not torch.equal(model.infer(one, length, -embedding, median, spectrum).mel, mel)
    assert not torch.equal(model.infer(one, length, embedding, median, spectrum + 1).mel, mel)
    assert not torch.equal(model.infer(one.flip(1), length, embedding, median, spectrum).mel, mel)


def test_the_mel_is_told_from_the_speakers_spectrum(model: AcousticModel) -> None:
    frames, mask = torch.randn(1, 9, 8, generator=torch.Generator().manual_seed(0)), torch.ones(1, 9, dtype=torch.bool)
    spectrum = torch.linspace(-3, -8, 6)[None]
    with torch.no_grad():
        at_mean = model.decode(frames, mask, torch.zeros(1, 8), model.mean_spectrum[None])[0]
        mel = model.decode(frames, mask, torch.zeros(1, 8), spectrum)[0]
    torch.testing.assert_close(mel - at_mean, (spectrum - model.mean_spectrum)[:, :, None].expand_as(mel))


def deliver(model: AcousticModel, **changes: Tensor) -> tuple[AcousticOutput, Delivery]:
    """Three items spoken as planned, but for the changes."""
    plan = model.plan(IDS, LENGTHS, *speakers(3))
    durations = plan.predicted.durations.round().clamp(min=1).long() * plan.mask
    delivery = replace(plan.predicted, **({"durations": durations} | changes))
    return model.speak(plan, delivery), delivery


def test_what_is_planned_is_what_infer_speaks(model: AcousticModel) -> None:
    assert torch.equal(deliver(model)[0].mel, infer(model).mel)
    assert torch.equal(deliver(model)[0].f0, infer(model).f0)


def test_durations_are_taken_as_given(model: AcousticModel) -> None:
    durations = torch.tensor([[1, 2, 3, 4, 5, 6, 7], [400, 1, 9, 1, 0, 0, 0], [2, 2, 2, 2, 2, 0, 0]])
    out, _ = deliver(model, durations=durations)
    assert torch.equal(out.durations, durations)
    assert out.mel_lengths.tolist() == [28, 411, 10]


def test_a_long_silence_is_silent_in_its_middle(model: AcousticModel) -> None:
    durations = torch.tensor([[2, 90, 3, 4, 5, 6, 200], [36, 1, 1, 1, 0, 0, 0], [2, 2, 2, 2, 2, 0, 0]])
    long, _ = deliver(model, durations=durations)
    short, _ = deliver(model, durations=durations.clamp(max=36))
    assert long.mel_lengths.tolist() == [310, 39, 10]
    assert torch.equal(long.durations, durations)
    (a, b), (c, d) = (2 + 18, 2 + 90 - 18), (110 + 18, 310 - 18)  # IDS: 5 is a comma, 2 the end
    for start, end in ((a, b), (c, d)):
        torch.testing.assert_close(long.mel[0, :, start:end], torch.full((6, end - start), FLOOR))
        assert not long.f0[0, start:end].any()
    kept = torch.cat([long.mel[0, :, :a], long.mel[0, :, b:c], long.mel[0, :, d:310]], 1)
    torch.testing.assert_close(kept, short.mel[0, :, :92])
    torch.testing.assert_close(long.mel[1, :, :39], short.mel[1, :, :39])
    torch.testing.assert_close(long.f0[1, :39], short.f0[1, :39])


def voice_everything(model: AcousticModel) -> None:
    with torch.no_grad():
        model.head.bias[-1] = model.head.bias[7] = 50.0
        model.prosody_predictor.project.bias[1] = 50.0
        model.duration_predictor.project.bias += 0.9  # more frames than steps are smoothed over, no long silences


def test_each_phoneme_has_the_pitch_that_was_asked_for(model: AcousticModel) -> None:
    voice_everything(model)
    asked = torch.linspace(120, 260, 21).view(3, 7)
    out, _ = deliver(model, f0=asked)
    found = phoneme_prosody(out.mel, out.f0, out.durations, torch.tensor([100.0] * 3))[:, :, 0]
    real = length_mask(LENGTHS, 7)
    semitones = 4 * found - 12 * torch.log2(asked / 100)
    assert semitones[real].abs().max() < 0.05
    shifted, _ = deliver(model, f0=2 * asked)
    torch.testing.assert_close(shifted.f0.log2()[:, :5], out.f0.log2()[:, :5] + 1, atol=0.3, rtol=0)


def test_an_unvoiced_phoneme_has_no_say_in_the_pitch(model: AcousticModel) -> None:
    voice_everything(model)
    asked = torch.full((3, 7), 150.0)
    asked[:, 3] = 0.0
    level, _ = deliver(model, f0=asked, movement=torch.zeros(3, 7))
    starts = level.durations.cumsum(1) - level.durations
    for item in range(3):
        for phoneme in range(int(LENGTHS[item])):
            own = level.f0[item, starts[item, phoneme] :][: level.durations[item, phoneme]]
            if phoneme in (0, 1, 5, 6):
                torch.testing.assert_close(own, torch.full_like(own, 150.0), atol=0.5, rtol=0)


def test_movement_scales_what_the_pitch_does_within_a_phoneme(model: AcousticModel) -> None:
    voice_everything(model)
    spread = []
    for movement in (0.0, 1.0, 2.0):
        out, _ = deliver(model, f0=torch.full((3, 7), 150.0), movement=torch.full((3, 7), movement))
        spread.append(float((out.f0[0, : out.mel_lengths[0]] / 150).log2().std()))
    assert spread[0] < 1e-3
    assert spread[2] == pytest.approx(2 * spread[1], rel=0.05)


def test_each_phoneme_has_the_energy_that_was_asked_for(model: AcousticModel) -> None:
    voice_everything(model)
    real = length_mask(LENGTHS, 7)
    plan = model.plan(IDS.clamp(max=0) + 11, LENGTHS, *speakers(3))  # sounds, not silences
    durations = plan.predicted.durations.round().clamp(min=1).long() * plan.mask
    asked = torch.linspace(-30, 10, 21).view(3, 7)
    out = model.speak(plan, replace(plan.predicted, durations=durations, energy=asked))
    found = phoneme_prosody(out.mel, out.f0, durations, torch.full((3,), 100.0))[:, :, 2]
    error = (2 * found + 2) * 20 / math.log(10) - asked
    assert error[real].abs().max() < 0.2


def test_silence_is_as_loud_as_it_is(model: AcousticModel) -> None:
    plan = model.plan(torch.full((1, 4), 5), torch.tensor([4]), *speakers(1))
    assert not plan.spoken.any()
    durations = torch.full((1, 4), 3)
    quiet, loud = (
        model.speak(plan, replace(plan.predicted, durations=durations, energy=torch.full((1, 4), level)))
        for level in (-60.0, 20.0)
    )
    assert (loud.mel - quiet.mel).abs().max() < 8.0  # what the decoder makes of it, and no more


def test_pitch_and_energy_survive_the_way_to_hz_and_back(model: AcousticModel) -> None:
    median = torch.tensor([110.0, 210.0])
    prosody = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    prosody[:, :, 1] = torch.tensor([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    back = to_prosody(from_prosody(prosody, torch.ones(2, 6), median), median)
    voiced = prosody[:, :, 1] >= 0.3
    torch.testing.assert_close(back[:, :, 0][voiced], prosody[:, :, 0][voiced])
    assert not back[:, :, 0][~voiced].any()
    torch.testing.assert_close(back[:, :, 1:], prosody[:, :, 1:], atol=1e-5, rtol=1e-5)


def test_energys_unit_is_that_of_the_training_target() -> None:
    mel = torch.randn(1, 6, 8, generator=torch.Generator().manual_seed(0))
    args = (torch.zeros(1, 8), torch.tensor([[5, 3]]), torch.tensor([100.0]))
    louder = phoneme_prosody(mel + math.log(2), *args) - phoneme_prosody(mel, *args)
    torch.testing.assert_close(louder[:, :, 2], torch.full((1, 2), math.log(2) / 2), atol=1e-5, rtol=1e-5)


def test_seeds(model: AcousticModel) -> None:
    with torch.no_grad():
        model.duration_predictor.project.bias += 2
    plain, again = infer(model), infer(model)
    assert torch.equal(plain.mel, again.mel)
    torch.manual_seed(99)  # nobody's global state matters, or changes
    state = torch.random.get_rng_state()
    first, same, other = (infer(model, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first.mel, same.mel)
    assert torch.equal(first.durations, same.durations)
    assert not torch.equal(first.durations, other.durations)
    assert not torch.equal(first.durations, plain.durations)
    moved = first.prosody - plain.prosody
    assert moved[:, :, 0].any()
    assert not moved[:, :, 1:].any()  # voicing and energy stay


def test_one_phoneme(model: AcousticModel) -> None:
    plan = model.plan(torch.tensor([[3]]), torch.tensor([1]), *speakers(1))
    out = model.speak(plan, replace(plan.predicted, durations=torch.tensor([[1]])))
    assert out.mel.shape == (1, 6, 1)


def test_decoding_is_local_so_that_it_can_stream(model: AcousticModel) -> None:
    frames = torch.randn(1, 60, 8, generator=torch.Generator().manual_seed(0))
    mask, condition = torch.ones(1, 60, dtype=torch.bool), torch.zeros(1, 8)
    changed = frames.clone()
    changed[:, 30] += torch.randn(8, generator=torch.Generator().manual_seed(1))
    mels = [model.decode(x, mask, condition, torch.zeros(1, 6))[0] for x in (frames, changed)]
    moved = (mels[0] - mels[1]).abs().amax((0, 1)).nonzero()[:, 0]
    assert 30 in moved
    reach = 2 * (2 * 3 + 1)  # steps of two frames: two layers of kernel 7, and the entry
    assert moved.min() >= 30 - reach
    assert moved.max() <= 31 + reach


def test_expand_tells_each_frame_its_place(model: AcousticModel) -> None:
    with torch.no_grad():
        model.prosody_embedding.convolution.weight.zero_()
        model.prosody_embedding.convolution.bias.zero_()
        model.place.weight.zero_()
        model.place.bias.zero_()
        model.place.weight[:3] = torch.eye(3)
        frames, lengths = model.expand(torch.zeros(1, 2, 8), torch.zeros(1, 2, 3), torch.tensor([[1, 3]]))
    assert lengths.tolist() == [4]
    torch.testing.assert_close(frames[0, :, 0], torch.tensor([1 / 2, 1 / 6, 1 / 2, 5 / 6]))
    torch.testing.assert_close(frames[0, :, 1], torch.log1p(torch.tensor([0.5, 0.5, 1.5, 2.5])))
    torch.testing.assert_close(frames[0, :, 2], torch.log1p(torch.tensor([0.5, 2.5, 1.5, 0.5])))


def test_every_parameter_learns() -> None:
    model = build().train()
    embedding, median, spectrum = speakers(3)
    condition = model.condition(embedding, median, spectrum)
    encodings, mask = model.encode(IDS, LENGTHS, condition)
    prosody, log_durations = model.predict(encodings, mask, condition)
    frames, lengths = model.expand(encodings, prosody, mask * 3)
    made = model.decode(frames, length_mask(lengths, frames.shape[1]), condition, spectrum)
    torch.stack([x.square().mean() for x in (*made, prosody, log_durations)]).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and torch.isfinite(parameter.grad).all() and parameter.grad.any(), name


def test_encoder_and_decoder_export(model: AcousticModel) -> None:
    class Decoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(
            self, frames: Tensor, mask: Tensor, condition: Tensor, spectrum: Tensor
        ) -> tuple[Tensor, Tensor, Tensor]:
            return self.model.decode(frames, mask, condition, spectrum)

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(
            self, ids: Tensor, lengths: Tensor, embedding: Tensor, median: Tensor, spectrum: Tensor
        ) -> tuple[Tensor, Tensor, Tensor]:
            condition = self.model.condition(embedding, median, spectrum)
            encodings, mask = self.model.encode(ids, lengths, condition)
            return encodings, *self.model.predict(encodings, mask, condition)

    frames, mask = torch.randn(1, 8, 8), length_mask(torch.tensor([7]), 8)
    cases: list[tuple[torch.nn.Module, tuple[Tensor, ...]]] = [
        (Decoder(), (frames, mask, torch.zeros(1, 8), torch.zeros(1, 6))),
        (Encoder(), (IDS, LENGTHS, *speakers(3))),
    ]
    for part, args in cases:
        exported = torch.export.export(part.eval(), args).module()
        for expected, found in zip(part(*args), exported(*args), strict=True):
            torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_dim": 9}, "multiple of attention_heads"),
        ({"decoder_kernel_size": 4}, "decoder_kernel_size is 4; it must be odd"),
        ({"frames_per_step": 0}, "frames_per_step is 0; it must be at least 1"),
        ({"n_symbols": 0}, "n_symbols is 0"),
        ({"dropout": 0.7}, "dropout is 0.7"),
    ],
)
def test_sizes_that_cannot_work(changes: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(**changes)
