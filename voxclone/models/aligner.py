"""The aligner: how well each frame of a recording fits each phoneme of its text, as a likelihood."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from voxclone.config import AlignerConfig
from voxclone.kernels.monotonic_alignment import monotonic_alignment
from voxclone.layers.masks import length_mask
from voxclone.models.acoustic.length_regulator import frame_owners

LEAST_LOG_DEVIATION = -1.5  # of a component along a normalised feature
RANGE = 6.0  # nats, 52 dB: what lies further below the loud frames is silence like any other, digital or not
DELTA_FRAMES = 2  # on either side, over which a feature's slope is taken


class Components(NamedTuple):
    """The mixture of each state: K Gaussians with diagonal covariance over F features.

    Attributes:
        means: (B, M, K, F).
        log_deviations: (B, M, K, F).
        log_weights: (B, M, K), normalised over K.
    """

    means: Tensor
    log_deviations: Tensor
    log_weights: Tensor


class States(NamedTuple):
    """What a recording passes through: one state for a pause, `config.states` after one another for a sound.

    Attributes:
        owners: (B, M) index of the phoneme that each state belongs to.
        numbers: (B, M) which of the phoneme's states it is.
        lengths: (B,) states of each item.
    """

    owners: Tensor
    numbers: Tensor
    lengths: Tensor


class Path(NamedTuple):
    """The best way of a recording through its states.

    Attributes:
        durations: (B, N) int64 frames of each phoneme; 0 for padding.
        states: (B, T) index of the state that each frame is in.
        likelihoods: (B, T) log-likelihood of each frame there, in nats.
    """

    durations: Tensor
    states: Tensor
    likelihoods: Tensor


class Aligner(nn.Module):
    """Phonemes in their context to states with mixtures of Gaussians over cepstra, as in HMM recognisers.

    What may be silent or not, as a space between words, is one state of several Gaussians; a sound is several states of
    one, so that none comes to stand for silence.

    A likelihood of the frames makes every phoneme explain the frames that it is given. The posteriors of "One TTS
    Alignment To Rule Them All" (arXiv:2108.10447) do not: without that paper's prior, one phoneme may take all of them,
    and with it phonemes are pulled into long silences.
    """

    cosines: Tensor
    scale: Tensor
    pauses: Tensor

    def __init__(self, config: AlignerConfig) -> None:
        super().__init__()
        self.config = config
        outputs = config.states * config.components * (4 * config.cepstra + 1)
        self.embedding = nn.Embedding(config.n_symbols, config.dim, padding_idx=0)
        self.context = nn.Conv1d(config.dim, 2 * config.dim, 3, padding=1)
        self.mixture = nn.Linear(2 * config.dim, outputs)
        band = torch.arange(config.n_mels) + 0.5
        cosines = torch.cos(math.pi / config.n_mels * torch.arange(config.cepstra)[:, None] * band)
        self.register_buffer("cosines", cosines * math.sqrt(2 / config.n_mels), persistent=False)
        pauses = torch.zeros(config.n_symbols, dtype=torch.bool)
        pauses[list(config.pause_ids)] = True
        self.register_buffer("pauses", pauses, persistent=False)
        self.register_buffer("scale", torch.ones(2 * config.cepstra))

    def features(self, mel: Tensor, mel_lengths: Tensor) -> Tensor:
        """Cepstra and their slopes, about the mean of the recording's louder frames.

        Args:
            mel: (B, n_mels, T) natural-log mel.
            mel_lengths: (B,) frames.

        Returns:
            (B, T, 2 * cepstra); zero beyond each item's end.
        """
        inside = length_mask(mel_lengths, mel.shape[2])
        last = (mel_lengths - 1)[:, None, None].expand(-1, mel.shape[1], 1)
        mel = torch.where(inside[:, None], mel, torch.gather(mel, 2, last))  # slopes see no edge at the end
        energy = mel.amax(1).float()
        loud = torch.stack([torch.quantile(own[:n], 0.9) for own, n in zip(energy, mel_lengths.tolist(), strict=True)])
        mel = torch.maximum(mel.float(), (loud - RANGE)[:, None, None])
        speech = inside & (energy > loud[:, None] - RANGE / 2)
        cepstra = (self.cosines @ mel).transpose(1, 2)
        mean = (cepstra * speech[:, :, None]).sum(1, keepdim=True) / speech.sum(1)[:, None, None].clamp(min=1)
        padded = functional.pad((cepstra - mean).transpose(1, 2), (DELTA_FRAMES, DELTA_FRAMES), mode="replicate")
        slopes = (padded[:, :, 2 * DELTA_FRAMES :] - padded[:, :, : -2 * DELTA_FRAMES]).transpose(1, 2)
        return torch.cat([cepstra - mean, slopes], 2) / self.scale * inside[:, :, None]

    def states(self, phoneme_ids: Tensor, phoneme_lengths: Tensor) -> States:
        """The states of (B, N) ids of which (B,) are real."""
        counts = torch.where(self.pauses[phoneme_ids], 1, self.config.states)
        counts = counts * length_mask(phoneme_lengths, phoneme_ids.shape[1])
        owners = frame_owners(counts)
        starts = torch.gather(counts.cumsum(1) - counts, 1, owners)
        numbers = torch.arange(owners.shape[1], device=owners.device) - starts
        return States(owners, numbers.clamp(max=self.config.states - 1), counts.sum(1))

    def components(self, phoneme_ids: Tensor, states: States) -> Components:
        """The mixture of each state; a phoneme's neighbours shape its own."""
        config = self.config
        hidden = functional.relu(self.context(self.embedding(phoneme_ids).transpose(1, 2)).transpose(1, 2))
        by_phoneme = self.mixture(hidden).float().view(*phoneme_ids.shape, config.states, config.components, -1)
        rows = torch.arange(len(phoneme_ids), device=phoneme_ids.device)[:, None]
        sizes = (2 * config.cepstra, 2 * config.cepstra, 1)
        means, deviations, weights = by_phoneme[rows, states.owners, states.numbers].split(sizes, 3)
        pauses = self.pauses[phoneme_ids][rows, states.owners][:, :, None]
        several = pauses | (torch.arange(config.components, device=means.device) == 0)
        log_weights = weights[..., 0].masked_fill(~several, -1e4).log_softmax(2)
        return Components(means, LEAST_LOG_DEVIATION + functional.softplus(deviations + 1.5), log_weights)

    def forward(self, phoneme_ids: Tensor, phoneme_lengths: Tensor, mel: Tensor, mel_lengths: Tensor) -> Tensor:
        """How well every frame fits every state.

        Args:
            phoneme_ids: (B, N) int64.
            phoneme_lengths: (B,).
            mel: (B, n_mels, T) natural-log mel.
            mel_lengths: (B,).

        Returns:
            (B, T, M) log-likelihoods in nats per frame; padding has -1e4.
        """
        states = self.states(phoneme_ids, phoneme_lengths)
        scores = log_likelihoods(self.features(mel, mel_lengths), self.components(phoneme_ids, states))
        return scores.masked_fill(~length_mask(states.lengths, scores.shape[2])[:, None], -1e4)

    @torch.no_grad()
    def align(self, phoneme_ids: Tensor, phoneme_lengths: Tensor, mel: Tensor, mel_lengths: Tensor) -> Path:
        """The most likely path; arguments as for `forward`.

        Raises:
            ValueError: An item has fewer frames than states.
        """
        states = self.states(phoneme_ids, phoneme_lengths)
        scores = self(phoneme_ids, phoneme_lengths, mel, mel_lengths)
        by_state = monotonic_alignment(scores, states.lengths, mel_lengths)
        durations = torch.zeros_like(phoneme_ids).scatter_add_(1, states.owners, by_state)
        taken = frame_owners(by_state)
        return Path(durations, taken, torch.gather(scores, 2, taken[:, :, None])[:, :, 0])

    def even_path(self, phoneme_ids: Tensor, phoneme_lengths: Tensor, durations: Tensor) -> Tensor:
        """(B, N) durations to the (B, T) state of each frame, a phoneme's frames shared out evenly among its states."""
        states = self.states(phoneme_ids, phoneme_lengths)
        phonemes = frame_owners(durations)
        into = torch.arange(phonemes.shape[1], device=phonemes.device) - torch.gather(
            durations.cumsum(1) - durations, 1, phonemes
        )
        counts = torch.zeros_like(phoneme_ids).scatter_add_(
            1, states.owners, length_mask(states.lengths, states.owners.shape[1]).long()
        )
        own = torch.gather(counts, 1, phonemes)
        number = into * own // torch.gather(durations, 1, phonemes).clamp(min=1)
        first = torch.gather(counts.cumsum(1) - counts, 1, phonemes)
        path = first + torch.minimum(number, (own - 1).clamp(min=0))
        return torch.minimum(path, states.lengths[:, None] - 1)  # beyond the end

    def sound_scores(self, mel: Tensor, mel_lengths: Tensor) -> Tensor:
        """How well every frame fits every symbol of the table, the best state of each between two of its own kind.

        Args:
            mel: (B, n_mels, T) natural-log mel.
            mel_lengths: (B,).

        Returns:
            (B, T, n_symbols - 1) log-likelihoods in nats per frame.
        """
        symbols = torch.arange(1, self.config.n_symbols, device=mel.device)
        count, states = len(symbols), self.config.states
        middle = torch.ones(count, states, dtype=torch.int64, device=mel.device)
        numbers = torch.arange(states, device=mel.device).expand(count, -1)
        numbers = torch.where(self.pauses[symbols][:, None], 0, numbers)
        alike = self.components(symbols[:, None].expand(-1, 3), States(middle, numbers, middle[:, 0]))
        flat = Components(*(value.flatten(0, 1)[None] for value in alike))
        scores = log_likelihoods(self.features(mel, mel_lengths), flat)
        return scores.view(*scores.shape[:2], count, states).amax(3)

    def best_scores(self, mel: Tensor, mel_lengths: Tensor) -> Tensor:
        """(B, T) of `sound_scores` the highest: how well each frame fits the symbol that it fits best."""
        return self.sound_scores(mel, mel_lengths).amax(2)

    def path_likelihood(
        self, phoneme_ids: Tensor, phoneme_lengths: Tensor, mel: Tensor, mel_lengths: Tensor, path: Tensor
    ) -> Tensor:
        """(B, T) log-likelihood of each frame in the state (B, T) that a path puts it into."""
        features = self.features(mel, mel_lengths)
        mixture = self.components(phoneme_ids, self.states(phoneme_ids, phoneme_lengths))
        rows = torch.arange(len(path), device=path.device)[:, None]
        own = Components(*(value[rows, path] for value in mixture))
        deviation = (features[:, :, None] - own.means) / own.log_deviations.exp()
        exponent = (0.5 * deviation.square() + own.log_deviations).sum(3) + _constant(features.shape[2])
        return torch.logsumexp(own.log_weights - exponent, 2)


def log_likelihoods(features: Tensor, mixture: Components) -> Tensor:
    """(B, T, F) and the mixtures of M states (B or 1) to (B, T, M) log-likelihoods in nats."""
    precision = torch.exp(-2 * mixture.log_deviations).flatten(1, 2)  # (B, M * K, F)
    means = mixture.means.flatten(1, 2)
    own = (means.square() * precision).sum(2) + 2 * mixture.log_deviations.flatten(1, 2).sum(2)
    squares = features.square() @ precision.transpose(1, 2) - 2 * features @ (means * precision).transpose(1, 2)
    exponent = 0.5 * (squares + own[:, None]) + _constant(features.shape[2])
    by_component = mixture.log_weights.flatten(1, 2)[:, None] - exponent
    return torch.logsumexp(by_component.view(*by_component.shape[:2], *mixture.log_weights.shape[1:]), 3)


def _constant(n_features: int) -> float:
    return 0.5 * n_features * math.log(2 * math.pi)
