"""The acoustic model with a tiny random net: lengths, masks, controls, determinism, export."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from voxclone.config import AcousticConfig
from voxclone.errors import ConfigError
from voxclone.layers.masks import length_mask
from voxclone.models.acoustic import AcousticModel, AcousticOutput, regulate_length
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


def infer(model: AcousticModel, **controls: float | int | None) -> AcousticOutput:
    return model.infer(IDS, LENGTHS, *speakers(3), **controls)  # type: ignore[arg-type]


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
@pytest.mark.parametrize("speed", [0.7, 1.0, 1.3])
def test_a_batch_is_its_items(frames_per_step: int, speed: float) -> None:
    model = build(frames_per_step=frames_per_step)
    together = infer(model, speed=speed)
    embedding, median, spectrum = speakers(3)
    for item, n in enumerate(LENGTHS.tolist()):
        one = slice(item, item + 1)
        alone = model.infer(IDS[one, :n], LENGTHS[one], embedding[one], median[one], spectrum[one], speed=speed)
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


def test_speed(model: AcousticModel) -> None:
    with torch.no_grad():
        model.duration_predictor.project.bias += 1.5  # tens of frames, so that rounding is small
    slow, plain, fast = (infer(model, speed=speed) for speed in (0.5, 1.0, 2.0))
    ratio = slow.mel_lengths / plain.mel_lengths
    torch.testing.assert_close(ratio, torch.full((3,), 2.0), atol=0.1, rtol=0)
    assert (fast.mel_lengths < plain.mel_lengths).all()
    assert (infer(model, speed=1e6).durations[length_mask(LENGTHS, 7)] == 1).all()


def test_pitch(model: AcousticModel) -> None:
    with torch.no_grad():
        model.speaker[0].weight[:, 5] = 0  # the net does not know the register, so that the effect is exact
        model.head.bias[-1] = model.head.bias[7] = 50.0  # every frame is voiced
        plain, octave, down = (infer(model, pitch=pitch) for pitch in (0.0, 12.0, -7.0))
    voiced = plain.f0 > 0
    assert torch.equal(voiced, length_mask(plain.mel_lengths, plain.f0.shape[1]))
    torch.testing.assert_close(octave.f0, 2 * plain.f0)
    torch.testing.assert_close(down.f0, plain.f0 * 2 ** (-7 / 12))


def test_pitch_moves_the_register_that_the_net_is_told(model: AcousticModel) -> None:
    embedding, median, spectrum = speakers(3)
    higher = model.infer(IDS, LENGTHS, embedding, 2 * median, spectrum)
    torch.testing.assert_close(infer(model, pitch=12.0).mel, higher.mel)
    assert not torch.equal(higher.mel, infer(model).mel)


def test_energy(model: AcousticModel) -> None:
    plain, loud = infer(model), infer(model, energy=4.0)
    shift = loud.prosody - plain.prosody
    torch.testing.assert_close(shift[:, :, 2], torch.full((3, 7), math.log(4) / 2))  # phoneme_prosody's unit
    assert not shift[:, :, :2].any()
    assert torch.equal(loud.durations, plain.durations)
    assert not torch.equal(loud.mel, plain.mel)


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
    out = model.infer(torch.tensor([[3]]), torch.tensor([1]), *speakers(1), speed=100.0)
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
