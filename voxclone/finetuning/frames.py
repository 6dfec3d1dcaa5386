"""Utterances as a decoder is told of them: what comes before it is not trained, and is made once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from voxclone.models.acoustic import AcousticModel
from voxclone.models.acoustic.units import MEL_FLOOR
from voxclone.models.acoustic.variance import phoneme_prosody
from voxclone.training.speech_data import batch_condition
from voxclone.training.voiced_speech import VoicedSpeech, voiced_batch


class Frames(Dataset[dict[str, Tensor]]):
    """Each item has frames (T, D), mel (T, n_mels) and f0 (T,), and what is the same in all of its frames.

    That is the condition (C,) of the decoder's norms, which knows how the recording sounds, and the voice's
    speaker_embedding (D,), spectrum (n_mels,) and f0_median (0-dim). Durations and prosody are the natural ones.

    Args:
        model: Whose encoder reads them.
        speech: The utterances.
        voice: speaker_embedding, spectrum, f0_median and manner in which all of them are spoken.
    """

    def __init__(self, model: AcousticModel, speech: VoicedSpeech, voice: Mapping[str, Tensor]) -> None:
        self._items = [_told(model, voiced_batch([speech[at]]), voice) for at in range(len(speech))]

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self._items[index]

    @property
    def lengths(self) -> list[int]:
        """Frames of each."""
        return [len(item["frames"]) for item in self._items]


@torch.no_grad()
def _told(model: AcousticModel, batch: dict[str, Tensor], voice: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A batch of one as an item of `Frames`."""
    own = {name: value[None] for name, value in voice.items()}
    condition = batch_condition(model, {**own, "quality": batch["quality"]})
    encodings, _ = model.encode(batch["phoneme_ids"], batch["phoneme_lengths"], condition)
    target = phoneme_prosody(batch["mel"], batch["f0"], batch["durations"], own["f0_median"])
    frames, _ = model.expand(encodings, target, batch["durations"])
    return {
        "frames": frames[0],
        "mel": batch["mel"][0].T,
        "f0": batch["f0"][0],
        "condition": condition[0],
        **{name: voice[name] for name in ("speaker_embedding", "spectrum", "f0_median")},
    }


def frames_batch(items: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Items of `Frames` padded and stacked, with mel_lengths (B,); mel becomes (B, n_mels, T)."""
    padded = {"frames": 0.0, "mel": MEL_FLOOR, "f0": 0.0}
    batch = {
        name: pad_sequence([item[name] for item in items], batch_first=True, padding_value=padded[name])
        if name in padded
        else torch.stack([item[name] for item in items])
        for name in items[0]
    }
    lengths = torch.tensor([len(item["frames"]) for item in items])
    return batch | {"mel": batch["mel"].transpose(1, 2).contiguous(), "mel_lengths": lengths}
