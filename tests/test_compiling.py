"""torch.compile and torch.export take the networks of the inference path, for any length."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from voxclone import VoxClone
from voxclone.config import VocoderConfig
from voxclone.layers.masks import length_mask
from voxclone.models.vocoder import build_vocoder


@pytest.fixture(scope="module")
def model(tiny_folder: Path) -> VoxClone:
    return VoxClone.from_pretrained(tiny_folder, device="cpu", dtype=torch.float32)


def test_a_compiled_model_says_the_same(model: VoxClone) -> None:
    compiled = model.compiled(backend="aot_eager")
    ada = model.voices["ada"]
    for text in ("Hello there.", "The boats went out, and came back."):
        expected = model.generate(text, ada)
        speech = compiled.generate(text, ada)
        assert speech.phonemes == expected.phonemes
        np.testing.assert_allclose(speech.samples, expected.samples, atol=1e-4)
        chunks = np.concatenate([chunk.samples for chunk in compiled.stream(text, ada)])
        np.testing.assert_allclose(chunks, expected.samples, atol=1e-4)


def test_what_speaks_is_what_is_compiled(model: VoxClone, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every block of the encoder and the decoder runs within a method that was compiled."""
    depth, within = [0], list[bool]()

    def noted(method: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            depth[0] += 1
            try:
                return method(*given, **named)
            finally:
                depth[0] -= 1

        return call

    monkeypatch.setattr(torch, "compile", noted)
    compiled = model.compiled()
    blocks = [*compiled._acoustic.encoder, *compiled._acoustic.decoder]
    hooks = [block.register_forward_pre_hook(lambda *_: within.append(depth[0] > 0)) for block in blocks]
    try:
        compiled.generate("Hello there.", model.voices["ada"])
    finally:
        for hook in hooks:
            hook.remove()
    assert len(within) >= len(blocks)
    assert all(within)


class Encoder(nn.Module):
    """Phonemes and a voice to encodings, prosody and log durations."""

    def __init__(self, acoustic: Any) -> None:
        super().__init__()
        self.acoustic = acoustic

    def forward(
        self, ids: Tensor, lengths: Tensor, embedding: Tensor, f0_median: Tensor, spectrum: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        condition = self.acoustic.condition(embedding, f0_median, spectrum)
        encodings, mask = self.acoustic.encode(ids, lengths, condition)
        return encodings, condition, *self.acoustic.predict(encodings, mask, condition)


class Decoder(nn.Module):
    """Frame encodings to mel, relative f0 and voicing."""

    def __init__(self, acoustic: Any) -> None:
        super().__init__()
        self.acoustic = acoustic

    def forward(
        self, frames: Tensor, lengths: Tensor, condition: Tensor, spectrum: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        mask = length_mask(lengths, frames.shape[1])
        made: tuple[Tensor, Tensor, Tensor] = self.acoustic.decode(frames, mask, condition, spectrum)
        return made


def inputs(acoustic: Any, kind: str, length: int) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(length)
    size = acoustic.config
    spectrum = torch.randn(1, size.n_mels, generator=generator) - 5
    if kind == "encoder":
        embedding = nn.functional.normalize(torch.randn(1, size.speaker_embedding_dim, generator=generator), dim=1)
        ids = torch.randint(1, size.n_symbols, (1, length), generator=generator)
        return ids, torch.tensor([length]), embedding, torch.tensor([180.0]), spectrum
    if kind == "decoder":
        frames = torch.randn(1, length, size.hidden_dim, generator=generator)
        return frames, torch.tensor([length]), torch.randn(1, size.hidden_dim, generator=generator), spectrum
    return (torch.randn(1, size.n_mels, length, generator=generator) - 5,)


@pytest.mark.parametrize("kind", ["encoder", "decoder", "vocoder"])
def test_the_networks_export_for_any_length(model: VoxClone, kind: str) -> None:
    acoustic = model._acoustic
    modules: dict[str, nn.Module] = {
        "encoder": Encoder(acoustic),
        "decoder": Decoder(acoustic),
        "vocoder": model._vocoder,
    }
    module, axis = modules[kind].eval(), 2 if kind == "vocoder" else 1
    example = inputs(acoustic, kind, 24)
    half = torch.export.Dim("half", min=2, max=1000)
    free: tuple[Any, ...] = ({axis: 2 * half if kind == "decoder" else half}, *({} for _ in example[1:]))
    with torch.no_grad():
        program = torch.export.export(module, example, dynamic_shapes=free, strict=False)
        for length in (24, 70):
            given = inputs(acoustic, kind, length)
            torch.testing.assert_close(program.module()(*given), module(*given), atol=1e-4, rtol=1e-4)


def test_a_source_vocoder_exports_for_any_length() -> None:
    """The bundled one's kind, beyond the 256 frames after which its noise repeats."""
    config = VocoderConfig(
        upsample_rates=(8,), upsample_kernel_sizes=(16,), upsample_initial_channel=16, frame_blocks=1, resblock="2",
        resblock_kernel_sizes=(3,), resblock_dilation_sizes=((1, 2),), head="source_istft", head_n_fft=128,
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        vocoder = build_vocoder(config).eval()
        given = [(torch.randn(1, 80, frames) - 5, torch.full((1, frames), 150.0)) for frames in (24, 300)]
    frames = torch.export.Dim("frames", min=2, max=2000)
    with torch.no_grad():
        program = torch.export.export(vocoder, given[0], dynamic_shapes=({2: frames}, {1: frames}), strict=False)
        for each in given:
            torch.testing.assert_close(program.module()(*each), vocoder(*each), atol=1e-4, rtol=1e-4)
