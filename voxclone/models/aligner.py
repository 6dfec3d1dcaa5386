"""The aligner: how well each frame of a recording fits each phoneme of its text, as a likelihood."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from voxclone.config import AlignerConfig

LEAST_LOG_DEVIATION = -1.5  # of a component along a normalised feature
RANGE = 6.0  # nats, 52 dB: what lies further below the loud frames is silence like any other, digital or not
DELTA_FRAMES = 2  # on either side, over which a feature's slope is taken


class Components(NamedTuple):
    """The mixture of each phoneme: K Gaussians with diagonal covariance over F features.

    Attributes:
        means: (B, N, K, F).
        log_deviations: (B, N, K, F).
        log_weights: (B, N, K), normalised over K.
    """

    means: Tensor
    log_deviations: Tensor
    log_weights: Tensor


class Aligner(nn.Module):
    """Phonemes in their context to mixtures of Gaussians over cepstra, as in HMM recognisers.

    What may be silent or not, as a space between words, has several Gaussians; a sound has one, so that none comes to
    stand for silence.

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
        outputs = config.components * (4 * config.cepstra + 1)
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
        inside = torch.arange(mel.shape[2], device=mel.device) < mel_lengths[:, None]
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

    def components(self, phoneme_ids: Tensor) -> Components:
        """(B, N) ids to the mixture of each phoneme, which its two neighbours shape."""
        hidden = functional.relu(self.context(self.embedding(phoneme_ids).transpose(1, 2)).transpose(1, 2))
        shape = (*phoneme_ids.shape, self.config.components)
        sizes = (2 * self.config.cepstra, 2 * self.config.cepstra, 1)
        means, deviations, weights = self.mixture(hidden).float().view(*shape, -1).split(sizes, 3)
        several = self.pauses[phoneme_ids][:, :, None] | (torch.arange(shape[2], device=means.device) == 0)
        log_weights = weights[..., 0].masked_fill(~several, -1e4).log_softmax(2)
        return Components(means, LEAST_LOG_DEVIATION + functional.softplus(deviations + 1.5), log_weights)

    def forward(self, phoneme_ids: Tensor, phoneme_lengths: Tensor, mel: Tensor, mel_lengths: Tensor) -> Tensor:
        """How well every frame fits every phoneme.

        Args:
            phoneme_ids: (B, N) int64.
            phoneme_lengths: (B,).
            mel: (B, n_mels, T) natural-log mel.
            mel_lengths: (B,).

        Returns:
            (B, T, N) log-likelihoods in nats per frame; padding phonemes have -1e4.
        """
        scores = log_likelihoods(self.features(mel, mel_lengths), self.components(phoneme_ids))
        phoneme_mask = torch.arange(phoneme_ids.shape[1], device=mel.device) < phoneme_lengths[:, None]
        return scores.masked_fill(~phoneme_mask[:, None], -1e4)

    def sound_scores(self, mel: Tensor, mel_lengths: Tensor) -> Tensor:
        """How well every frame fits every symbol of the table, each between two of its own kind.

        Args:
            mel: (B, n_mels, T) natural-log mel.
            mel_lengths: (B,).

        Returns:
            (B, T, n_symbols - 1) log-likelihoods in nats per frame.
        """
        symbols = torch.arange(1, self.config.n_symbols, device=mel.device)
        alike = self.components(symbols[:, None].expand(-1, 3))
        middle = Components(*(value[None, :, 1] for value in alike))
        return log_likelihoods(self.features(mel, mel_lengths), middle)

    def path_likelihood(self, phoneme_ids: Tensor, mel: Tensor, mel_lengths: Tensor, owners: Tensor) -> Tensor:
        """(B, T) log-likelihood of each frame under the phoneme that owns it, `owners` (B, T) of indices into N."""
        features, mixture = self.features(mel, mel_lengths), self.components(phoneme_ids)
        rows = torch.arange(len(owners), device=owners.device)[:, None]
        own = Components(*(value[rows, owners] for value in mixture))
        deviation = (features[:, :, None] - own.means) / own.log_deviations.exp()
        exponent = (0.5 * deviation.square() + own.log_deviations).sum(3) + _constant(features.shape[2])
        return torch.logsumexp(own.log_weights - exponent, 2)


def log_likelihoods(features: Tensor, mixture: Components) -> Tensor:
    """(B, T, F) and the mixtures of N phonemes (B or 1) to (B, T, N) log-likelihoods in nats."""
    precision = torch.exp(-2 * mixture.log_deviations).flatten(1, 2)  # (B, N * K, F)
    means = mixture.means.flatten(1, 2)
    own = (means.square() * precision).sum(2) + 2 * mixture.log_deviations.flatten(1, 2).sum(2)
    squares = features.square() @ precision.transpose(1, 2) - 2 * features @ (means * precision).transpose(1, 2)
    exponent = 0.5 * (squares + own[:, None]) + _constant(features.shape[2])
    by_component = mixture.log_weights.flatten(1, 2)[:, None] - exponent
    return torch.logsumexp(by_component.view(*by_component.shape[:2], *mixture.log_weights.shape[1:]), 3)


def _constant(n_features: int) -> float:
    return 0.5 * n_features * math.log(2 * math.pi)
