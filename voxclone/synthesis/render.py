"""Phonemes to speech: acoustic model, vocoder, and the times of every word and phoneme."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from voxclone.config import AudioConfig
from voxclone.models.acoustic import AcousticModel, Delivery, Plan
from voxclone.prosody import Prosody
from voxclone.speech import Segment, Speech
from voxclone.synthesis.continuity import after_the_earlier, continued
from voxclone.synthesis.outlet import Origin, release
from voxclone.synthesis.shaping import Draft
from voxclone.synthesis.speaking import SpeakingModel
from voxclone.text.direction import Direction
from voxclone.text.phonemes import Phonemes
from voxclone.text.symbols import PAUSE, SPACE, symbol_ids
from voxclone.voice import Voice


class Utterance(NamedTuple):
    """One spoken chunk."""

    prosody: Prosody
    mel: NDArray[np.float32]  # (n_mels, T)
    f0: NDArray[np.float32]  # (T,) Hz
    samples: NDArray[np.float32]  # (T * hop_length,)


@dataclass(frozen=True)
class PlannedBatch:
    """Chunks that the acoustic model has read in one pass."""

    plan: Plan
    drafts: list[Draft]


@torch.inference_mode()
def plan(
    speaking: SpeakingModel, batch: Sequence[Phonemes], audio: AudioConfig, seed: int | None, own_pauses: bool = True
) -> PlannedBatch:
    """Read chunks, and say how the voice would speak each of them, going on from what is before it.

    Args:
        speaking: The model in a voice.
        batch: The chunks.
        audio: Of the frames.
        seed: Varies the delivery.
        own_pauses: Whether the voice pauses between words where it would, or as the chunks say, whose prosody is given.
    """
    planned, drafts = _plan(speaking, batch, audio, seed, own_pauses)
    if not own_pauses:
        return PlannedBatch(planned, drafts)
    linked = [index for index, chunk in enumerate(batch) if chunk.earlier]
    if linked:
        after = [after_the_earlier(batch[index])[0] for index in linked]
        heard = _plan(speaking, after, audio, None)[1]
        alone = drafts if seed is None else _plan(speaking, batch, audio, None)[1]
        for index, other in zip(linked, heard, strict=True):
            spoken = continued(batch[index], alone[index].prosody, other.prosody, drafts[index].prosody)
            drafts[index] = dataclasses.replace(drafts[index], prosody=spoken)
    return PlannedBatch(planned, drafts)


def _plan(
    speaking: SpeakingModel, batch: Sequence[Phonemes], audio: AudioConfig, seed: int | None, own_pauses: bool = True
) -> tuple[Plan, list[Draft]]:
    """As `plan`, each chunk by itself; where the voice pauses between words, its prosody has a comma."""
    lengths = [len(phonemes.symbols) for phonemes in batch]
    phoneme_ids = torch.zeros(len(batch), max(lengths), dtype=torch.int64)
    for row, phonemes in zip(phoneme_ids, batch, strict=True):
        row[: len(phonemes.symbols)] = torch.tensor(symbol_ids(phonemes.symbols))
    planned = speaking.plan(phoneme_ids, torch.tensor(lengths), seed, own_pauses)
    drafts = []
    for item, (phonemes, length) in enumerate(zip(batch, lengths, strict=True)):
        columns = {
            name: getattr(planned.predicted, name)[item, :length].float().cpu().numpy()
            for name in ("durations", "f0", "voicing", "energy", "movement", "gain")
        }
        durations = columns.pop("durations").astype(np.float64)
        paused = planned.silent[item, :length].tolist()
        prosody = Prosody(
            tuple(
                PAUSE if pause and each == SPACE else each for each, pause in zip(phonemes.symbols, paused, strict=True)
            ),
            phonemes.words,
            np.maximum(np.rint(durations), 1).astype(np.int64),
            pauses=np.zeros(length, np.int64),
            frame_seconds=audio.hop_length / audio.sample_rate,
            **columns,
        )
        drafts.append(Draft(prosody, durations, phonemes.direction))
    return planned, drafts


@torch.inference_mode()
def render(acoustic: AcousticModel, vocoder: nn.Module, planned: Plan, prosodies: Sequence[Prosody]) -> list[Utterance]:
    """Speak planned chunks: one pass of the acoustic model for all, one of the vocoder for each.

    Padding would reach into a shorter chunk's last samples through the vocoder's receptive field, so that each chunk
    is vocoded by itself.
    """
    utterances = []
    for prosody, frames in zip(prosodies, make_frames(acoustic, planned, prosodies), strict=True):
        samples = vocoder(frames.mel, frames.f0)
        samples = amplified(samples, envelope(frames.gain, samples.shape[1] // frames.gain.shape[1]))
        arrays = (each[0].float().cpu().numpy() for each in (frames.heard_mel, frames.f0, samples))
        utterances.append(Utterance(prosody, *arrays))
    return utterances


class Frames(NamedTuple):
    """What the acoustic model made for one chunk: mel and f0 for the vocoder, and the gain to lay on its samples."""

    mel: Tensor  # (1, n_mels, T), without the gain
    f0: Tensor  # (1, T) Hz
    gain: Tensor  # (1, T) natural log

    @property
    def heard_mel(self) -> Tensor:
        return self.mel + self.gain[:, None]


def envelope(gain: Tensor, hop_length: int) -> Tensor | None:
    """Factors (1, T * hop_length) on the samples, linear in dB between the middles of frames; None where all are 1."""
    if not bool(gain.any()):
        return None
    return F.interpolate(gain[:, None], scale_factor=float(hop_length), mode="linear", align_corners=False)[:, 0].exp()


def amplified(samples: Tensor, factors: Tensor | None) -> Tensor:
    """Samples (1, S) by their factors, cut off at full scale."""
    return samples if factors is None else (samples * factors).clamp(-1, 1)


@torch.inference_mode()
def make_frames(acoustic: AcousticModel, planned: Plan, prosodies: Sequence[Prosody]) -> list[Frames]:
    """The frames of each planned chunk."""
    names = (field.name for field in dataclasses.fields(Delivery))
    delivery = Delivery(**{name: _padded([getattr(p, name) for p in prosodies], planned.mask) for name in names})
    output = acoustic.speak(planned, delivery)
    lengths = output.mel_lengths.tolist()
    return [
        Frames(output.mel[i : i + 1, :, :end], output.f0[i : i + 1, :end], output.gain[i : i + 1, :end])
        for i, end in enumerate(lengths)
    ]


def _padded(columns: Sequence[NDArray[np.generic]], mask: Tensor) -> Tensor:
    """(N,) arrays as one (B, N) tensor beside the mask, 0-padded."""
    padded = np.zeros(mask.shape, columns[0].dtype)
    for row, column in zip(padded, columns, strict=True):
        row[: len(column)] = column
    return torch.from_numpy(padded).to(mask.device)


def join(
    utterances: Sequence[Utterance],
    audio: AudioConfig,
    origin: Origin,
    voice: Voice,
    directions: Sequence[Direction] = (),
    others: Sequence[Voice] = (),
) -> Speech:
    """Lay the chunks of one text after one another, with the pauses that their prosody asks for, and let them out.

    Raises:
        ModelError: The model made samples that are not finite.
        UnmarkedError: They do not carry the mark that the model promises.
    """
    mels: list[NDArray[np.float32]] = []
    contours: list[NDArray[np.float32]] = []
    waveforms: list[NDArray[np.float32]] = []
    for utterance in utterances:
        pause = int(utterance.prosody.pauses[-1])
        mels += [utterance.mel, np.full((audio.n_mels, pause), math.log(audio.mel_floor), np.float32)]
        contours += [utterance.f0, np.zeros(pause, np.float32)]
        waveforms += [utterance.samples, np.zeros(pause * audio.hop_length, np.float32)]
    samples = np.concatenate(waveforms)
    samples /= max(1.0, float(np.abs(samples).max()))
    prosody = Prosody.concatenate([utterance.prosody for utterance in utterances])
    words, phonemes = segments(prosody, audio)
    written, marks = directed_segments(
        directions, [utterance.prosody for utterance in utterances], words, phonemes, len(samples) / audio.sample_rate
    )
    return release(
        samples,
        origin,
        voice,
        others=others,
        words=words,
        phonemes=phonemes,
        mel=np.concatenate(mels, axis=1),
        f0=np.concatenate(contours),
        prosody=prosody,
        written=written,
        marks=marks,
    )


def segments(prosody: Prosody, audio: AudioConfig) -> tuple[tuple[Segment, ...], tuple[Segment, ...]]:
    """When each word and each phoneme is spoken."""
    ends = np.cumsum(prosody.durations + prosody.pauses) - prosody.pauses
    first, last = (
        (frames * audio.hop_length / audio.sample_rate).tolist() for frames in (ends - prosody.durations, ends)
    )
    words = tuple(Segment(word.text, first[word.start], last[word.end - 1]) for word in prosody.words)
    return words, tuple(map(Segment, prosody.symbols, first, last))


def directed_segments(
    directions: Sequence[Direction],
    prosodies: Sequence[Prosody],
    words: Sequence[Segment],
    phonemes: Sequence[Segment],
    end_seconds: float,
) -> tuple[tuple[Segment, ...], tuple[Segment, ...]]:
    """When each piece of the text as written is spoken, and each mark reached; of chunks after one another."""
    written: list[Segment] = []
    marks: list[Segment] = []
    word = phoneme = 0
    for direction, prosody in zip(directions, prosodies, strict=False):
        for text, first, last in direction.written:
            written.append(Segment(text, words[word + first].start_seconds, words[word + last].end_seconds))
        for name, index in direction.marks:
            at = phoneme + index
            seconds = phonemes[at].start_seconds if at < len(phonemes) else end_seconds
            marks.append(Segment(name, seconds, seconds))
        word, phoneme = word + len(prosody.words), phoneme + len(prosody.symbols)
    return tuple(written), tuple(marks)
