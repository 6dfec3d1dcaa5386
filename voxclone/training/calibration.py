"""What an acoustic model is told of the speech that it was trained on, and how far its prosody falls short of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from voxclone.models.acoustic import AcousticModel
from voxclone.models.acoustic.manner import SCALES, pitch_variance
from voxclone.models.acoustic.variance import phoneme_prosody
from voxclone.text.symbols import SILENCES, SYMBOLS
from voxclone.training.speech_data import batch_condition

if TYPE_CHECKING:
    from voxclone.training.voiced_speech import VoicedSpeech

VALUES = ("pitch", "voiced_share", "energy", "duration")
VARIANCE_RATIO = 0.8  # of stretched predictions to real speech that is aimed at: all of it sounds overdone
MAX_STRETCH = 2.0


def spoken_values(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """What was spoken: (B, N, 4) pitch, voiced share, energy, log duration; and (B, N, 4) weights, 1 where it counts.

    Pitch counts where something is voiced.
    """
    durations = batch["durations"]
    prosody = phoneme_prosody(batch["mel"], batch["f0"], durations, batch["f0_median"])
    values = torch.cat([prosody, torch.log(durations.clamp(min=1))[:, :, None]], 2)
    weights = (durations > 0).float()[:, :, None].repeat(1, 1, 4)
    weights[:, :, 0] *= prosody[:, :, 1] > 0
    return values, weights


@torch.inference_mode()
def typical_habits(model: AcousticModel, speech: Dataset[dict[str, Any]], voices: int = 200) -> Tensor:
    """(MANNER_DIMS,) what `AcousticModel.habits` should be for a voice of typical manner: a mean over recordings.

    A mean of predicted logarithms makes sounds shorter than they are, and stretched pitch may move more widely: habits
    are corrected by how much longer the recordings' sounds last, and how much more their pitch moves, than the model
    would have them.
    """
    generator = torch.Generator().manual_seed(0)
    chosen = torch.randperm(len(speech), generator=generator)[:voices].tolist()  # type: ignore[arg-type]  # it is sized
    found = []
    for index in chosen:
        item = speech[index]
        parts = [item[name][None] for name in ("speaker_embedding", "spectrum", "manner")]
        condition = model.condition(parts[0], torch.tensor([item["f0_median"]]), parts[1], manner=parts[2])
        habits = model.habits(condition)[0] - torch.tensor(SCALES) * parts[2][0]
        ids = item["phoneme_ids"].long()[None]
        encodings, mask = model.encode(ids, torch.tensor([ids.shape[1]]), condition)
        prosody, log_durations = model.vary(ids, *model.predict(encodings, mask, condition), None)
        sounds = ids >= len(SILENCES)
        lasting, planned = item["durations"][sounds[0]].float().mean(), log_durations[sounds].exp().mean()
        mel, f0 = item["mel"].float().T[None], item["f0"][None]
        spoken = phoneme_prosody(mel, f0, item["durations"].long()[None], torch.tensor([item["f0_median"]]))
        moving, moved = (pitch_variance(each, sounds.float()) + 1e-4 for each in (spoken, prosody))
        found.append(habits + torch.stack([torch.log(lasting / planned), 0.5 * torch.log(moving / moved)[0]]))
    return torch.stack(found).mean(0)


def calibrate(model: AcousticModel, average: Tensor, batches: Sequence[dict[str, Tensor]]) -> tuple[Tensor, Tensor]:
    """What `ProsodySpread` needs to know, on speech that the model was not trained on.

    Args:
        model: In eval mode.
        average: (n_symbols, 4) each symbol's average, see `VoicedSpeech.average_prosody`.
        batches: From `voiced_batch`, on the model's device.

    Returns:
        Stretch (4,), 1 or more, and residual (4,), each over the sounds alone. The voiced share is left as it is
        predicted: it is what sounds are, not how they are said.
    """
    squares = torch.zeros(4, 4, device=average.device)  # real, predicted, residual, count
    for batch in batches:
        condition = batch_condition(model, batch)
        encodings, mask = model.encode(batch["phoneme_ids"], batch["phoneme_lengths"], condition)
        prosody, log_durations = model.predict(encodings, mask, condition)
        predicted = torch.cat([prosody, log_durations[:, :, None]], 2).float()
        real, weights = spoken_values(batch)
        weights = weights * (batch["phoneme_ids"] >= len(SILENCES))[:, :, None]
        own = average[batch["phoneme_ids"]]
        for row, difference in enumerate((real - own, predicted - own, real - predicted)):
            squares[row] += (difference.square() * weights).sum((0, 1))
        squares[3] += weights.sum((0, 1))
    real_square, predicted_square, residual_square, count = squares
    stretch = (VARIANCE_RATIO * real_square / predicted_square.clamp(min=1e-6)).sqrt().clamp(1.0, MAX_STRETCH)
    residual = (residual_square / count.clamp(min=1)).sqrt()
    stretch[1], residual[1] = 1.0, 0.0
    return stretch, residual


def ask_for_clean_speech(model: AcousticModel, train: VoicedSpeech) -> None:
    """Tell the model what a clean recording is, and what each symbol is like on average."""
    if model.config.quality_dims:
        model.clean_quality.copy_(train.clean_quality())
    if model.spread is not None:
        model.spread.average.copy_(train.average_prosody(len(SYMBOLS)))


@torch.inference_mode()
def measure_calibration(
    model: AcousticModel, held_out: Sequence[dict[str, Tensor]], train: VoicedSpeech
) -> dict[str, Tensor]:
    """Put into a model in eval mode what it needs to know of its own prosody.

    Returns:
        What was measured, as its size and manner ask for: stretch (4,), residual (4,), typical habits (MANNER_DIMS,).
    """
    found = {}
    if model.spread is not None and held_out:
        found["stretch"], found["residual"] = calibrate(model, model.spread.average, held_out)
        model.spread.stretch.copy_(found["stretch"])
        model.spread.residual.copy_(found["residual"])
    if model.config.manner:
        found["typical habits"] = typical_habits(model, train)
        model.typical_habits.copy_(found["typical habits"])
    return found
