"""What a speaker's recordings say about the voice: its embedding, spectrum and pitch."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from voxclone.audio.io import AudioSource, read_audio
from voxclone.audio.mel import MelSpectrogram, voiced_spectrum
from voxclone.audio.pitch import f0, f0_spread
from voxclone.audio.quality import RecordingQuality
from voxclone.audio.reference import name_of, prepare_reference
from voxclone.audio.resample import resample
from voxclone.audio.sounds import unlike_speech
from voxclone.config import AudioConfig
from voxclone.errors import AudioError
from voxclone.models.acoustic.pace import Count, RateReader
from voxclone.models.identity import weights_id
from voxclone.models.speaker_encoder import SpeakerEncoder
from voxclone.synthesis.agreement import find_strangers
from voxclone.synthesis.embedding import embed_waveforms


class SpeakerMeasures(NamedTuple):
    """What of a voice is measured, over all recordings that are of it.

    Attributes:
        speaker_embedding: (D,) unit length; the recordings' embeddings averaged by `RecordingQuality.weight`.
        spectrum: (n_mels,), see `voiced_spectrum`; averaged likewise.
        f0_median: Hz, of all voiced frames.
        recordings: What was found of each, in the order given.
        f0_spread: Octaves, see `voxclone.audio.pitch.f0_spread`; None if too little is voiced.
        phoneme_seconds: Mean duration of a phoneme, as the rate reader believes it to be; None without one.
    """

    speaker_embedding: NDArray[np.float32]
    spectrum: NDArray[np.float32]
    f0_median: float
    recordings: tuple[RecordingQuality, ...]
    f0_spread: float | None
    phoneme_seconds: float | None


class _Heard(NamedTuple):
    """A recording that is fit: where it stands among all, its spectrum (n_mels,), f0 (T,) and sounds."""

    place: int
    spectrum: NDArray[np.float32]
    f0: NDArray[np.float32]
    sounds: Count | None


def measure_speaker(
    encoder: SpeakerEncoder,
    audio: AudioConfig,
    sources: Iterable[AudioSource],
    same_speaker_threshold: float | None = None,
    rate_reader: RateReader | None = None,
    *,
    stacklevel: int = 2,
) -> SpeakerMeasures:
    """Listen to one speaker's recordings.

    Of several, those are left out, with a warning that names them, that are silent, clipped, too short or no speech,
    and those of another speaker than the rest.

    Args:
        encoder: Makes the embeddings.
        audio: Shape of the spectrum's mel.
        sources: The recordings.
        same_speaker_threshold: The encoder's, see `find_strangers`; None takes all for one speaker's.
        rate_reader: The acoustic model's, if it has one.
        stacklevel: Of the warnings.

    Raises:
        AudioError: A recording is unreadable, or none is fit, and why; there is none; or they are of so many speakers
            that it cannot be told whose voice is wanted.
    """
    listener = _Listener(audio, rate_reader)
    embeddings = np.array(list(embed_waveforms(encoder, listener.listen(sources, encoder.sample_rate))))
    qualities, heard = listener.qualities, listener.heard
    if not qualities:
        raise AudioError("there is no recording to clone from; give at least one")
    if not heard:
        raise AudioError("; ".join(f"{each.name}: {each.left_out}" for each in qualities))
    judged = _judged([qualities[each.place] for each in heard], embeddings, same_speaker_threshold)
    for each, quality in zip(heard, judged, strict=True):
        qualities[each.place] = quality
    for quality in qualities:
        if quality.left_out:
            warnings.warn(f"{quality.name} is left out of the voice: {quality.left_out}", UserWarning, stacklevel)
        elif quality.doubt:
            warnings.warn(f"{quality.name}: {quality.doubt}", UserWarning, stacklevel)
    shares = np.array([quality.share for quality in judged])
    frames = np.concatenate([each.f0 for each in heard if qualities[each.place].share > 0])
    embedding = np.average(embeddings, axis=0, weights=shares)
    return SpeakerMeasures(
        np.asarray(embedding / np.linalg.norm(embedding), np.float32),
        np.asarray(np.average([each.spectrum for each in heard], axis=0, weights=shares), np.float32),
        math.exp(float(np.median(np.log(frames[frames > 0])))),
        tuple(qualities),
        f0_spread(frames),
        _pace(rate_reader, heard, shares, audio.sample_rate / audio.hop_length),
    )


def _pace(
    reader: RateReader | None, heard: Sequence[_Heard], shares: NDArray[np.float64], frame_rate: float
) -> float | None:
    """Seconds of a mean phoneme, over the recordings that are kept."""
    if reader is None:
        return None
    kept = zip(heard, shares, strict=True)
    return reader.phoneme_seconds((each.sounds for each, share in kept if each.sounds and share > 0), frame_rate)


class _Listener:
    """Prepares recordings one by one and notes what is found.

    Attributes:
        qualities: Of every recording.
        heard: Those that are fit.
    """

    def __init__(self, audio: AudioConfig, rate_reader: RateReader | None) -> None:
        self._audio, self._mel_spectrogram, self._rate_reader = audio, MelSpectrogram(audio), rate_reader
        self.qualities: list[RecordingQuality] = []
        self.heard: list[_Heard] = []

    def listen(self, sources: Iterable[AudioSource], sample_rate: int) -> Iterator[NDArray[np.float32]]:
        """The waveforms (S,) of those that are fit, at a sample rate."""
        for number, source in enumerate(sources, 1):
            recording = read_audio(source)  # a file that cannot be read is a mistake, whatever the others are
            name = name_of(source) or f"recording {number}"
            try:
                reference = prepare_reference(recording, self._audio.sample_rate, name)
                pitch = f0(reference.waveform, self._audio.sample_rate, self._audio.hop_length)
                if not (pitch > 0).any():
                    raise AudioError(
                        "no voiced sound was found, as in noise or a whisper; give speech that is spoken aloud"
                    )
            except AudioError as error:
                self.qualities.append(RecordingQuality(name, left_out=str(error).removeprefix(f"{name}: ")))
                continue
            mel = self._mel_spectrogram(torch.from_numpy(reference.waveform)[None])[0]
            sounds = self._rate_reader.count(mel) if self._rate_reader else None
            self.heard.append(_Heard(len(self.qualities), voiced_spectrum(mel.numpy(), pitch), pitch, sounds))
            doubt = unlike_speech(reference.waveform, reference.sample_rate, pitch)
            self.qualities.append(dataclasses.replace(RecordingQuality.of(reference), doubt=doubt))
            yield resample(reference.waveform, self._audio.sample_rate, sample_rate)


def _judged(
    qualities: Sequence[RecordingQuality], embeddings: NDArray[np.float32], same_speaker_threshold: float | None
) -> list[RecordingQuality]:
    """The recordings with their shares: none for what is hardly speech, where something else is, and for strangers."""
    names = [each.name for each in qualities]
    weights = np.array([each.weight for each in qualities])
    doubts = {place: each.doubt for place, each in enumerate(qualities) if each.doubt}
    left_out = doubts.copy() if len(doubts) < len(qualities) else {}
    kept = [place for place in range(len(qualities)) if place not in left_out]
    if same_speaker_threshold is not None:
        agreement = find_strangers(embeddings[kept], weights[kept], same_speaker_threshold)
        if agreement.divided:
            cosines = embeddings[kept] @ embeddings[kept].T
            one, other = (names[kept[at]] for at in np.unravel_index(int(cosines.argmin()), cosines.shape))
            unlike = f"similarity {cosines.min():.2f}; clone each speaker apart"
            if len(kept) > 2:
                raise AudioError(
                    f"the recordings are of several speakers: {one} does not sound like {other} ({unlike})"
                )
            doubts |= {kept[0]: f"it sounds like another speaker than {names[kept[1]]} ({unlike})"}
        for index, cosine in agreement.strangers.items():
            fault = f"it sounds like another speaker than the others (similarity {cosine:.2f}); clone that one apart"
            left_out[kept[index]] = fault
    weights[list(left_out)] = 0.0
    shares = weights / weights.sum()
    return [
        dataclasses.replace(
            each, share=float(shares[place]), doubt=doubts.get(place, ""), left_out=left_out.get(place, "")
        )
        for place, each in enumerate(qualities)
    ]


def embed_speaker(
    encoder: SpeakerEncoder, sample_rate: int, sources: AudioSource | list[AudioSource]
) -> NDArray[np.float32]:
    """One speaker's embedding (D,) of unit length: of all recordings, by `RecordingQuality.weight`, whoever speaks.

    `sample_rate` is the model's, at which recordings are prepared.

    Raises:
        AudioError: A recording is unreadable or unfit, or there is none.
    """
    weights: list[float] = []

    def waveforms() -> Iterator[NDArray[np.float32]]:
        for source in sources if isinstance(sources, list) else [sources]:
            reference = prepare_reference(source, sample_rate)
            weights.append(RecordingQuality.of(reference).weight)
            yield resample(reference.waveform, sample_rate, encoder.sample_rate)

    embeddings = list(embed_waveforms(encoder, waveforms()))
    if not embeddings:
        raise AudioError("there is no recording to compare; give at least one")
    total = np.average(embeddings, axis=0, weights=weights)
    return np.asarray(total / np.linalg.norm(total), np.float32)


def encoder_id(encoder: SpeakerEncoder) -> str:
    """Whose embeddings it gives: its own `weights_id`, or that of the encoder whose space it keeps. Voices carry it."""
    return encoder.space or weights_id(encoder)
