"""The acoustic model as one function from phonemes and a voice to frames."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from voxclone.models.acoustic import AcousticModel


class ExportableAcoustic(nn.Module):
    """One utterance at a time, the model's plain reading; it shares the model's weights."""

    def __init__(self, acoustic: AcousticModel) -> None:
        super().__init__()
        self.acoustic = acoustic

    def forward(
        self,
        phoneme_ids: Tensor,
        speaker_embedding: Tensor,
        f0_median: Tensor,
        spectrum: Tensor,
        manner: Tensor,
        speed: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Speak phonemes.

        Args:
            phoneme_ids: (1, N) int64.
            speaker_embedding: (1, D) of unit length.
            f0_median: (1,) Hz.
            spectrum: (1, n_mels) mean natural-log mel.
            manner: (1, MANNER_DIMS), see `voxclone.models.acoustic.manner`; zeros are a typical speaker's.
            speed: (1,) times faster than the model's own pace.

        Returns:
            mel (1, n_mels, T), f0 (1, T) Hz with 0 where unvoiced, durations (1, N) int64 frames.
        """
        lengths = torch.ones_like(phoneme_ids).sum(1)
        planned = self.acoustic.plan(phoneme_ids, lengths, speaker_embedding, f0_median, spectrum, manner)
        durations = (planned.predicted.durations / speed[:, None]).round().clamp(min=1).long()
        made = self.acoustic.speak(planned, dataclasses.replace(planned.predicted, durations=durations))
        return made.mel, made.f0, made.durations
