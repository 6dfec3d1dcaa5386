"""The model, adapted to what was prepared of a speaker."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import DataLoader, WeightedRandomSampler

from voxclone.errors import VoxcloneError
from voxclone.finetuning.adaptation import Adaptation, DecoderStep, Depth, VoiceStep
from voxclone.finetuning.base import BaseModel
from voxclone.finetuning.dataset import SpeakerData
from voxclone.finetuning.frames import Frames, frames_batch
from voxclone.finetuning.plans import Plan
from voxclone.models.acoustic.manner import manner
from voxclone.synthesis.progress import Stages
from voxclone.training.consistency import SpeakerConsistency, VoiceBank
from voxclone.training.speech_data import LengthBuckets
from voxclone.training.trainer import Trainer
from voxclone.training.voiced_speech import VoicedSpeech, voiced_batch

HELD_OUT_BATCH = 8
BATCH_FRAMES = 3000  # at most, of whole utterances
BATCH_SPANS = 16  # of which discriminators judge


def train(
    data: SpeakerData,
    base: BaseModel,
    measured: Mapping[str, Tensor],
    depth: Depth,
    folder: Path,
    plan: Plan,
    minutes: float,
    stages: Stages,
) -> Adaptation:
    """Adapt the model in `folder`, going on from a checkpoint there; the step then holds the best weights it had.

    A warning says where `minutes` ended it early.

    Raises:
        VoxcloneError: SIGTERM ended it before its time.
    """
    said = [VoicedSpeech(data.store, data.durations, own, data.embeddings) for own in (data.train, data.held_out)]
    voice = {name: measured[name] for name in ("speaker_embedding", "spectrum", "f0_median")}
    voice["manner"] = manner(known(measured["phoneme_seconds"]), known(measured["f0_spread"]))
    config, weights = base.config.acoustic, base.acoustic.state_dict()
    step: VoiceStep | DecoderStep
    if depth == "embedding":
        items = [said[1][index] for index in range(len(said[1]))]
        batches = [voiced_batch(items[at : at + HELD_OUT_BATCH]) for at in range(0, len(items), HELD_OUT_BATCH)]
        step = VoiceStep(config, weights, voice, batches, plan.patience)
        lengths = [entry.rows["mel"][1] for entry in said[0].entries]
        loader = DataLoader(said[0], batch_sampler=LengthBuckets(lengths, BATCH_FRAMES), collate_fn=voiced_batch)
    else:
        told, aside = (Frames(base.acoustic, each, voice) for each in said)
        batches = [frames_batch([aside[at]]) for at in range(len(aside))]
        bank = VoiceBank(**{part: value[None] for part, value in voice.items()})
        consistency = SpeakerConsistency(base.speaker_encoder, base.config.audio, bank)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # what begins anew begins alike: the same command gives the same voice
            step = DecoderStep(
                config, weights, depth, voice, batches, consistency, plan.discriminator_rate, plan.patience
            )
        draws = WeightedRandomSampler(told.lengths, BATCH_SPANS * plan.validate_every)
        loader = DataLoader(told, BATCH_SPANS, sampler=draws, collate_fn=frames_batch)
    step.stages = stages
    trainer = Trainer(step, loader, folder, plan.trainer(minutes))
    with torch.inference_mode():
        step.best.begin(step.eval().held_out_losses()["total"])
    if not trainer.fit():
        raise VoxcloneError(f"stopped after {trainer.step} updates; the same command goes on from there")
    if trainer.step < plan.max_steps and not step.is_done():
        warnings.warn(
            f"training was not done when its {minutes:g} minutes were over, after {trainer.step} of {plan.max_steps} "
            "updates at the most; the same command with more minutes goes on from there",
            UserWarning,
            stacklevel=3,
        )
    return step


def known(value: Tensor) -> float | None:
    """A measured number of a voice (0-dim); None where it is NaN."""
    return None if value.isnan() else float(value)
