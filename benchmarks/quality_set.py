"""Who and what quality is measured on: speakers, a clip of each to clone, their other clips, the systems that read."""

from __future__ import annotations

import ctypes
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import espeakng_loader
import numpy as np
import torch
from numpy.typing import NDArray

import voxclone
from voxclone import hub
from voxclone.audio.io import read_audio, write_audio
from voxclone.audio.mel import MelSpectrogram
from voxclone.audio.pitch import f0
from voxclone.audio.resample import resample
from voxclone.models.vocoder import build_vocoder
from voxclone.training.extraction import Recording, read_manifest

CORPORA = {"librispeech": ("valid", 4), "common_voice": ("valid", 6), "speechocean762": ("train", 4)}
CLONE_SECONDS, READ_SECONDS = (4.0, 14.0), (1.8, 9.0)


@dataclass(frozen=True)
class Reader:
    """A speaker: the clip that is cloned, and other clips whose texts every system reads."""

    speaker: str
    split: str
    cloned: Recording
    others: tuple[Recording, ...]

    def stem(self, recording: Recording) -> str:
        """The name of every system's file of this text."""
        return f"{self.speaker}-{Path(recording.key).stem}"


def choose_readers(manifest: Path, sentences: int) -> list[Reader]:
    """Those of `CORPORA` who have most recordings, with up to `sentences` texts each; always the same."""
    by_speaker: dict[tuple[str, str], list[Recording]] = defaultdict(list)
    for recording in read_manifest(manifest, manifest.parent):
        corpus, split = recording.about["corpus"], recording.about["split"]
        if corpus in CORPORA and split == CORPORA[corpus][0] and recording.text:
            by_speaker[corpus, recording.about["speaker"]].append(recording)
    readers = []
    for corpus, (split, count) in CORPORA.items():
        own = {speaker: clips for (name, speaker), clips in by_speaker.items() if name == corpus}
        for speaker in sorted(own, key=lambda name: (-len(own[name]), name))[:count]:
            clips = sorted(own[speaker], key=lambda clip: clip.key)
            fit = [clip for clip in clips if _within(clip, CLONE_SECONDS)] or clips
            cloned = max(fit, key=lambda clip: float(clip.about["seconds"]))
            others = [clip for clip in clips if clip is not cloned and _within(clip, READ_SECONDS)]
            readers.append(Reader(speaker, split, cloned, tuple(others[:sentences])))
    return readers


def _within(clip: Recording, seconds: tuple[float, float]) -> bool:
    return seconds[0] <= float(clip.about["seconds"]) <= seconds[1]


def write_cloned(readers: list[Reader], model: voxclone.VoxClone, out: Path) -> None:
    """Each reader's texts in the voice of the cloned clip."""
    for reader in readers:
        consent = voxclone.Consent.attest(reader.speaker, basis="corpus licensed for it")
        voice = model.clone(str(reader.cloned.path), name=reader.speaker, consent=consent)
        for recording in reader.others:
            target = out / f"{reader.stem(recording)}.wav"
            if not target.exists():
                model.generate(recording.text.capitalize() if recording.text.isupper() else recording.text, voice).save(
                    target
                )


def write_natural(readers: list[Reader], model_folder: Path, natural: Path, copies: Path) -> None:
    """The recordings themselves at the model's rate, and their copies through the vocoder alone."""
    config = hub.read_config(model_folder)
    vocoder = build_vocoder(config.vocoder).eval()
    hub.load_weights(vocoder, model_folder / "vocoder.safetensors")
    mel_spectrogram, rate = MelSpectrogram(config.audio), config.audio.sample_rate
    for reader in readers:
        for recording in (reader.cloned, *reader.others):
            samples, own_rate = read_audio(recording.path)
            samples = resample(samples, own_rate, rate)
            samples = samples[: len(samples) // config.audio.hop_length * config.audio.hop_length]
            write_audio(natural / f"{reader.stem(recording)}.wav", samples, rate)
            pitch = torch.from_numpy(f0(samples, rate, config.audio.hop_length))[None]  # told, as `generate` tells it
            with torch.inference_mode():
                copy = vocoder(mel_spectrogram(torch.from_numpy(samples)[None]), pitch)[0].numpy()
            write_audio(copies / f"{reader.stem(recording)}.wav", np.asarray(copy, np.float32), rate)


def write_espeak(readers: list[Reader], out: Path) -> None:
    """Every text by espeak-ng's own synthesiser."""
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(2, 0, os.fsencode(Path(espeakng_loader.get_data_path()).parent), 0)
    chunks: list[NDArray[np.int16]] = []

    def receive(samples: ctypes._Pointer[ctypes.c_short], count: int, _events: int) -> int:
        if samples and count:
            chunks.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    kind = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)
    callback = kind(receive)
    library.espeak_SetSynthCallback(callback)
    library.espeak_SetVoiceByName(b"en-us")
    for reader in readers:
        for recording in reader.others:
            chunks.clear()
            text = recording.text.lower().encode()
            library.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 0, 0, 1, None, None)
            samples = np.concatenate(chunks).astype(np.float32) / 32768
            write_audio(out / f"{reader.stem(recording)}.wav", samples, rate)
