"""The learned aligner: which phoneme each mel frame belongs to (One TTS Alignment, arXiv:2108.10447)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from voxclone.config import AlignerConfig

TEMPERATURE = 0.0005


class Aligner(nn.Module):
    """Soft alignment from distances between encoded phonemes and encoded frames, with a beta-binomial prior."""

    log_factorial: Tensor

    def __init__(self, config: AlignerConfig) -> None:
        super().__init__()
        dim, key_dim, n_mels = config.dim, config.key_dim, config.n_mels
        self.config = config
        self.embedding = nn.Embedding(config.n_symbols, dim, padding_idx=0)
        self.keys = nn.Sequential(nn.Conv1d(dim, 2 * dim, 3, padding=1), nn.ReLU(), nn.Conv1d(2 * dim, key_dim, 1))
        self.queries = nn.Sequential(
            nn.Conv1d(n_mels, 2 * n_mels, 3, padding=1),
            nn.ReLU(),
            nn.Conv1d(2 * n_mels, n_mels, 3, padding=1),
            nn.ReLU(),
            nn.Conv1d(n_mels, key_dim, 1),
        )
        self.register_buffer("log_factorial", torch.lgamma(torch.arange(1, 16385).double()).float(), persistent=False)

    def forward(
        self, phoneme_ids: Tensor, phoneme_lengths: Tensor, mel: Tensor, mel_lengths: Tensor, prior: bool = True
    ) -> Tensor:
        """Alignment scores.

        Args:
            phoneme_ids: (B, N) int64.
            phoneme_lengths: (B,).
            mel: (B, n_mels, T) natural-log mel.
            mel_lengths: (B,).
            prior: Add the beta-binomial prior, which pulls towards the diagonal.

        Returns:
            (B, T, N) unnormalised log-probabilities; padding phonemes have -1e4.
        """
        keys = self.keys(self.embedding(phoneme_ids).transpose(1, 2)).float()
        distance = _squared_distance(self._encode_frames(mel, mel_lengths), keys)
        phoneme_mask = torch.arange(phoneme_ids.shape[1], device=mel.device) < phoneme_lengths[:, None]
        scores: Tensor = -TEMPERATURE * distance
        if prior:
            scores = torch.log_softmax(scores.masked_fill(~phoneme_mask[:, None], -1e4), dim=2)
            scores = scores + self._log_prior(phoneme_lengths, mel_lengths, scores.shape)
        return scores.masked_fill(~phoneme_mask[:, None], -1e4)

    def sound_scores(self, mel: Tensor, mel_lengths: Tensor) -> Tensor:
        """How well each frame fits every symbol of the table, each encoded between two of its own kind.

        Args:
            mel: (B, n_mels, T) natural-log mel.
            mel_lengths: (B,).

        Returns:
            (B, T, n_symbols - 1) unnormalised log-probabilities, comparable with those of `forward` without prior.
        """
        symbols = torch.arange(1, self.config.n_symbols, device=mel.device)
        keys = self.keys(self.embedding(symbols[:, None].expand(-1, 3)).transpose(1, 2)).float()[:, :, 1]
        distance = _squared_distance(self._encode_frames(mel, mel_lengths), keys.T[None])
        return -TEMPERATURE * distance

    def _encode_frames(self, mel: Tensor, mel_lengths: Tensor) -> Tensor:
        """(B, key_dim, T), the same for a recording and a louder copy of it."""
        frame_mask = torch.arange(mel.shape[2], device=mel.device) < mel_lengths[:, None]
        mean = (mel * frame_mask[:, None]).sum(2, keepdim=True) / mel_lengths[:, None, None]
        queries: Tensor = self.queries((mel - mean) * frame_mask[:, None]).float()
        return queries

    def _log_prior(self, phoneme_lengths: Tensor, mel_lengths: Tensor, shape: torch.Size) -> Tensor:
        """Beta-binomial log-probability of phoneme n at frame t, (B, T, N); a = t + 1, b = T - t (section 2.4)."""
        _, frames, phonemes = shape
        t = torch.arange(frames, device=mel_lengths.device)[None, :, None]
        k = torch.arange(phonemes, device=mel_lengths.device)[None, None, :]
        n, last = (phoneme_lengths - 1)[:, None, None], mel_lengths[:, None, None]
        a, b = t + 1, (last - t).clamp(min=1)
        rest = (n - k).clamp(min=0)
        f = self.log_factorial  # f[i] = log(i!), so log Gamma(i) = f[i - 1]
        choose = f[n] - f[k] - f[rest]
        beta_above = f[k + a - 1] + f[rest + b - 1] - f[n + a + b - 1]
        beta_below = f[a - 1] + f[b - 1] - f[a + b - 1]
        return choose + beta_above - beta_below


def _squared_distance(queries: Tensor, keys: Tensor) -> Tensor:
    """(B, D, T) and (B, D, N) to (B, T, N)."""
    squares = queries.square().sum(1)[:, :, None] + keys.square().sum(1)[:, None, :]
    return squares - 2 * queries.transpose(1, 2) @ keys


def forward_sum_loss(scores: Tensor, phoneme_lengths: Tensor, mel_lengths: Tensor, blank: float = -1.0) -> Tensor:
    """Negative log-likelihood over all monotonic alignments, by CTC (arXiv:2108.10447, section 2.1).

    Args:
        scores: (B, T, N) from `Aligner`.
        phoneme_lengths: (B,).
        mel_lengths: (B,).
        blank: Score of CTC's blank in every frame.

    Returns:
        Scalar, nats per frame.
    """
    log_probs = torch.log_softmax(functional.pad(scores, (1, 0), value=blank), dim=2).transpose(0, 1)
    targets = torch.arange(1, scores.shape[2] + 1, device=scores.device).expand(len(scores), -1)
    losses = functional.ctc_loss(
        log_probs, targets, mel_lengths, phoneme_lengths, blank=0, reduction="none", zero_infinity=True
    )
    return (losses / mel_lengths).mean()
