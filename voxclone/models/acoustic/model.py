"""Phonemes and a voice to mel and f0, in one pass."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn

from voxclone.config import AcousticConfig
from voxclone.kernels.dispatch import is_exporting
from voxclone.layers.blocks import ConvolutionBlock, TransformerBlock
from voxclone.layers.masks import length_mask
from voxclone.models.acoustic.delivery import (
    Delivery,
    follow_energy,
    follow_pitch,
    frame_gain,
    from_prosody,
    shorten_silences,
    to_prosody,
    widen_silences,
)
from voxclone.models.acoustic.length_regulator import places_in_phoneme, regulate_length
from voxclone.models.acoustic.manner import MANNER_DIMS, NEUTRAL, follow_manner, pitch_variance
from voxclone.models.acoustic.pace import RateReader
from voxclone.models.acoustic.pauses import BLOCKS, PausePredictor
from voxclone.models.acoustic.plan import AcousticOutput, Plan
from voxclone.models.acoustic.units import F0_MIDDLE, MEL_FLOOR, MEL_MIDDLE, MEL_SPREAD, PITCH_UNITS
from voxclone.models.acoustic.variance import ProsodyEmbedding, ProsodySpread, VariancePredictor, seeded_noise
from voxclone.text.symbols import SILENCES, SPACE, symbol_ids

DECODER_PARTS = frozenset(("entry", "decoder", "head"))  # of the model: they make the sound, and leave prosody alone
MAX_LOG_DURATION = 5.5  # of one phoneme, in log frames: 2.8 s
USUAL_LOG_DURATION = 1.5  # likewise, 4.5 frames: what the duration predictor's output is told from
UNMEASURED_HABITS = (1.75, -1.7)  # see `AcousticModel.habits`: 5.8 frames a sound, 0.18 octaves


class AcousticModel(nn.Module):
    """FastSpeech 2 (arXiv:2006.04558) with conditional layer norm in every block and a convolutional decoder.

    The decoder sees a bounded span of frames, so that it can stream, and makes `frames_per_step` frames at a time. What
    it makes is told from the speaker's own average spectrum, which so reaches a voice that training has not seen.
    """

    mean_spectrum: Tensor  # (n_mels,) over the training speakers
    clean_quality: Tensor  # (quality_dims,) of clean training recordings
    typical_habits: Tensor  # (MANNER_DIMS,) see `habits`, of a voice whose manner is typical
    neutral_ids: Tensor  # (sentences, N), 0-padded
    neutral_lengths: Tensor  # (sentences,)

    def __init__(self, config: AcousticConfig) -> None:
        super().__init__()
        dim, condition = config.hidden_dim, config.hidden_dim
        self.config = config
        self.embedding = nn.Embedding(config.n_symbols, dim, padding_idx=0)
        told = config.speaker_embedding_dim + 1 + config.n_mels + config.quality_dims + config.manner * MANNER_DIMS
        self.speaker = nn.Sequential(
            nn.Linear(told, condition),
            nn.GELU(),
            nn.Linear(condition, condition),
        )
        self.encoder = nn.ModuleList(
            TransformerBlock(dim, config.attention_heads, config.encoder_kernel_size, condition, config.dropout)
            for _ in range(config.encoder_layers)
        )
        sizes = (config.predictor_layers, config.predictor_kernel_size, condition, config.predictor_dropout)
        self.prosody_predictor = VariancePredictor(dim, 3, *sizes)
        self.duration_predictor = VariancePredictor(dim, 1, *sizes)
        self.prosody_embedding = ProsodyEmbedding(dim)
        self.place = nn.Linear(3, dim)
        step = config.frames_per_step
        self.entry = nn.Conv1d(dim, dim, step + 2 * (step // 2), stride=step, padding=step // 2)
        self.decoder = nn.ModuleList(
            ConvolutionBlock(dim, config.decoder_kernel_size, config.expansion, condition)
            for _ in range(config.decoder_layers)
        )
        self.head = nn.Linear(dim, step * (config.n_mels + 2))
        self.register_buffer("mean_spectrum", torch.full((config.n_mels,), MEL_MIDDLE))
        if config.quality_dims:
            self.register_buffer("clean_quality", torch.zeros(config.quality_dims))
        self.rate_reader = RateReader().requires_grad_(False) if config.manner else None  # trained by itself
        if config.manner:
            self.register_buffer("typical_habits", torch.tensor(UNMEASURED_HABITS))
            sentences = [torch.tensor(symbol_ids(sentence)) % config.n_symbols for sentence in NEUTRAL]
            ids = nn.utils.rnn.pad_sequence(sentences, batch_first=True)
            self.register_buffer("neutral_lengths", torch.tensor([len(each) for each in sentences]), persistent=False)
            self.register_buffer("neutral_ids", ids, persistent=False)
        self.spread = ProsodySpread(config.n_symbols) if config.calibrated else None
        self.pauses = PausePredictor(dim, condition, config.predictor_dropout) if config.pauses else None

    def condition(
        self,
        speaker_embedding: Tensor,
        f0_median: Tensor,
        spectrum: Tensor,
        quality: Tensor | None = None,
        manner: Tensor | None = None,
    ) -> Tensor:
        """(B, D) unit length, (B,) Hz and (B, n_mels) to the (B, C) vector that every norm is conditioned on.

        `quality` (B, quality_dims) is how the recording sounds, see `recording_quality`; None is a clean one. `manner`
        (B, MANNER_DIMS) is how the speaker speaks, see `manner`; None is a typical one.
        """
        register = torch.log2(f0_median / F0_MIDDLE)[:, None]
        scaled = speaker_embedding * math.sqrt(speaker_embedding.shape[1])
        parts = [scaled, 2 * register, (spectrum - MEL_MIDDLE) / MEL_SPREAD]
        if self.config.quality_dims:
            parts.append(self.clean_quality.expand(len(spectrum), -1) if quality is None else quality)
        if self.config.manner:
            parts.append(spectrum.new_zeros(len(spectrum), MANNER_DIMS) if manner is None else manner)
        condition: Tensor = self.speaker(torch.cat(parts, 1))
        return condition

    def encode(self, phoneme_ids: Tensor, phoneme_lengths: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """(B, N) ids to (B, N, D) encodings and their mask (B, N)."""
        x, mask = self.begin(phoneme_ids, phoneme_lengths, condition)
        return self.finish(x, mask, condition), mask

    def begin(self, phoneme_ids: Tensor, phoneme_lengths: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """As `encode`, by the encoder's first blocks alone: what pauses are decided on."""
        mask = length_mask(phoneme_lengths, phoneme_ids.shape[1])
        x = self.embedding(phoneme_ids) * mask[:, :, None]
        for block in self.encoder[:BLOCKS]:
            x = block(x, mask, condition)
        return x, mask

    def finish(self, x: Tensor, mask: Tensor, condition: Tensor) -> Tensor:
        """What `encode` does after `begin`."""
        for block in self.encoder[BLOCKS:]:
            x = block(x, mask, condition)
        return x

    def encode_with_pauses(
        self, phoneme_ids: Tensor, phoneme_lengths: Tensor, condition: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """As `encode`, of the phonemes (B, N) with the voice's own pauses, which come first."""
        x, mask = self.begin(phoneme_ids, phoneme_lengths, condition)
        if self.pauses is not None:
            marked = self.pauses.mark(phoneme_ids, x, mask, condition)
            if is_exporting() or not torch.equal(marked, phoneme_ids):
                phoneme_ids = marked
                x, _ = self.begin(phoneme_ids, phoneme_lengths, condition)
        return phoneme_ids, self.finish(x, mask, condition), mask

    def predict(self, encodings: Tensor, mask: Tensor, condition: Tensor) -> tuple[Tensor, Tensor]:
        """Prosody (B, N, 3) and log durations (B, N), in log frames."""
        prosody = self.prosody_predictor(encodings, mask, condition)
        return prosody, self.duration_predictor(encodings, mask, condition)[:, :, 0] + USUAL_LOG_DURATION

    def vary(
        self, phoneme_ids: Tensor, prosody: Tensor, log_durations: Tensor, noise: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Predictions to what is spoken: with noise (B, N, 4) one of many ways of reading, else the plain one."""
        values = torch.cat([prosody, log_durations[:, :, None]], 2).float()
        if self.spread is not None:
            values = self.spread(values, phoneme_ids, noise)
        elif noise is not None:
            values = values + noise * torch.tensor(ProsodySpread.UNMEASURED_RESIDUAL, device=noise.device)
        return values[:, :, :3], values[:, :, 3]

    def habits(self, condition: Tensor) -> Tensor:
        """How voices of that condition (B, C) read a few neutral sentences.

        Returns:
            (B, MANNER_DIMS) logarithms of the mean duration of a sound, in frames, and of the pitch's deviation, in
            octaves, octave errors left out.
        """
        batch, sentences = len(condition), len(self.neutral_ids)
        ids = self.neutral_ids.repeat(batch, 1)
        told = condition.repeat_interleave(sentences, 0)
        encodings, mask = self.encode(ids, self.neutral_lengths.repeat(batch), told)
        prosody, log_durations = self.vary(ids, *self.predict(encodings, mask, told), None)
        spoken = (ids >= len(SILENCES)).float().view(batch, -1)
        prosody, lasting = prosody.view(batch, -1, 3), log_durations.view(batch, -1).exp()
        pace = (lasting * spoken).sum(1) / spoken.sum(1)
        return torch.stack([pace.log(), 0.5 * torch.log(pitch_variance(prosody, spoken) + 1e-4)], 1)

    def expand(self, encodings: Tensor, prosody: Tensor, durations: Tensor) -> tuple[Tensor, Tensor]:
        """Frame encodings (B, T, D), told their place within the phoneme, and lengths (B,)."""
        frames, lengths = regulate_length(encodings + self.prosody_embedding(prosody), durations)
        place = places_in_phoneme(durations, frames.dtype)
        return frames + self.place(place), lengths

    def decode(
        self, frames: Tensor, frame_mask: Tensor, condition: Tensor, spectrum: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Frame encodings (B, T, D) and mask (B, T) to mel (B, n_mels, T), relative log2-f0 (B, T) and voicing logits.

        The relative f0 is in octaves from the speaker's median; the spectrum (B, n_mels) is the speaker's.
        """
        step = self.config.frames_per_step
        length = frames.shape[1]
        short = -length % step
        frames = nn.functional.pad(frames * frame_mask[:, :, None].to(frames.dtype), (0, 0, 0, short))
        mask = nn.functional.pad(frame_mask, (0, short))[:, ::step]
        x = self.entry(frames.transpose(1, 2)).transpose(1, 2)[:, : mask.shape[1]] * mask[:, :, None].to(frames.dtype)
        for block in self.decoder:
            x = block(x, mask, condition)
        made = self.head(x).float().view(len(x), -1, self.config.n_mels + 2)[:, :length].transpose(1, 2)
        mel = made[:, :-2] * MEL_SPREAD + MEL_MIDDLE + (spectrum - self.mean_spectrum)[:, :, None]
        return mel, made[:, -2] / PITCH_UNITS, made[:, -1]

    @torch.inference_mode()
    def plan(
        self,
        phoneme_ids: Tensor,
        phoneme_lengths: Tensor,
        speaker_embedding: Tensor,
        f0_median: Tensor,
        spectrum: Tensor,
        manner: Tensor | None = None,
        *,
        seed: int | None = None,
        in_manner: bool = True,
        habits: Tensor | None = None,
        own_pauses: bool = True,
    ) -> Plan:
        """Read phonemes, and say how the voice would speak them.

        Args:
            phoneme_ids: (B, N) int64, 0-padded.
            phoneme_lengths: (B,).
            speaker_embedding: (B, D) of unit length.
            f0_median: (B,) Hz.
            spectrum: (B, n_mels) mean natural-log mel of the speaker's voiced frames, see `voiced_spectrum`.
            manner: (B, MANNER_DIMS), see `manner`; None is a typical speaker's.
            seed: Varies durations and pitch as speakers do, each item as if it were alone; None gives the most likely
                reading.
            in_manner: Bring pace and liveliness to what `manner` says; else it is only told of it.
            habits: (B, MANNER_DIMS) of the voice, where they are known; None has the model read sentences for them.
            own_pauses: Pause between words where the voice would; else only where the phonemes have punctuation.
        """
        condition = self.condition(speaker_embedding, f0_median, spectrum, manner=manner)
        if own_pauses:
            phoneme_ids, encodings, mask = self.encode_with_pauses(phoneme_ids, phoneme_lengths, condition)
        else:
            encodings, mask = self.encode(phoneme_ids, phoneme_lengths, condition)
        prosody, log_durations = self.predict(encodings, mask, condition)
        noise = None if seed is None else seeded_noise(phoneme_lengths, mask.shape[1], seed).to(encodings.device)
        prosody, log_durations = self.vary(phoneme_ids, prosody, log_durations, noise)
        if self.config.manner and manner is not None and in_manner:
            habits = self.habits(condition) if habits is None else habits
            prosody, log_durations = follow_manner(prosody, log_durations, manner, habits, self.typical_habits)
        durations = log_durations.float().clamp(max=MAX_LOG_DURATION).exp() * mask
        spoken = mask & (phoneme_ids >= len(SILENCES))
        predicted = from_prosody(prosody, durations, f0_median)
        silent = mask & ~spoken & (phoneme_ids != SILENCES.index(SPACE))
        return Plan(encodings, mask, spoken, silent, condition, f0_median, spectrum, predicted)

    @torch.inference_mode()
    def speak(self, plan: Plan, delivery: Delivery) -> AcousticOutput:
        """Speak planned phonemes as asked; what is made depends on the plan's phonemes and voice, and on the delivery.

        Args:
            plan: From `plan`.
            delivery: What to do with each phoneme: the plan's own, changed or not; durations int64, 1 or more.
        """
        wanted = delivery.durations
        delivery = replace(delivery, durations=shorten_silences(wanted, plan.silent))
        prosody = to_prosody(delivery, plan.f0_median) * plan.mask[:, :, None]
        frames, mel_lengths = self.expand(plan.encodings, prosody.to(plan.encodings.dtype), delivery.durations)
        frame_mask = length_mask(mel_lengths, frames.shape[1])
        mel, contour, voicing = self.decode(frames, frame_mask, plan.condition, plan.spectrum)
        voiced = (voicing > 0) & frame_mask
        contour = follow_pitch(contour, voiced, delivery, plan.f0_median)
        f0 = torch.where(voiced, plan.f0_median[:, None] * torch.exp2(contour), torch.zeros_like(contour))
        mel = follow_energy(mel, plan.spoken, frame_mask, delivery)
        gain = frame_gain(frame_mask, delivery)
        if is_exporting() or not torch.equal(wanted, delivery.durations):
            mel = widen_silences(mel, delivery.durations, wanted, MEL_FLOOR)
            both = widen_silences(torch.stack([f0, gain], 1), delivery.durations, wanted, 0.0)
            f0, gain = both[:, 0], both[:, 1]
            mel_lengths = wanted.sum(1)
            frame_mask = length_mask(mel_lengths, mel.shape[2])
        mel = mel.masked_fill(~frame_mask[:, None], MEL_FLOOR)
        return AcousticOutput(mel, mel_lengths, wanted, f0 * frame_mask, prosody, gain * frame_mask)

    @torch.inference_mode()
    def infer(
        self,
        phoneme_ids: Tensor,
        phoneme_lengths: Tensor,
        speaker_embedding: Tensor,
        f0_median: Tensor,
        spectrum: Tensor,
        manner: Tensor | None = None,
        *,
        seed: int | None = None,
    ) -> AcousticOutput:
        """Speak phonemes as planned; arguments as for `plan`."""
        plan = self.plan(phoneme_ids, phoneme_lengths, speaker_embedding, f0_median, spectrum, manner, seed=seed)
        durations = plan.predicted.durations.round().clamp(min=1).long() * plan.mask
        return self.speak(plan, replace(plan.predicted, durations=durations))
