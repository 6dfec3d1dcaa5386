"""Synthesised speech: samples, and when each word and phoneme is spoken."""

from __future__ import annotations

import base64
import io
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from voxclone.prosody import Prosody
from voxclone.safety.provenance import Provenance

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from voxclone.safety.certificate import Signer


@dataclass(frozen=True)
class Segment:
    """A word or phoneme and its time in the speech, in seconds."""

    text: str
    start_seconds: float
    end_seconds: float


@dataclass(frozen=True, eq=False, repr=False)
class Speech:
    """One utterance; plays itself in a notebook. `voxclone.synthesis.outlet.release` alone makes it.

    Attributes:
        samples: (S,) float32 in [-1, 1].
        sample_rate: Hz.
        words: One segment for each word of the spoken form, in order.
        phonemes: One segment for each phoneme, pause and punctuation symbol; the last ends with the samples.
        mel: (n_mels, T) float32, natural log; its T frames cover the samples exactly.
        provenance: What made it, as whom, with whose consent.
        f0: (T,) float32 Hz, 0 = unvoiced, frame by frame as the mel; None where it is not known.
        prosody: How each phoneme is spoken: copy it, change it and give it to `VoxClone.generate`; None for a part of
            an utterance.
        written: One segment for each piece of the text between white space, as it was written: "$3.50".
        marks: The marks of the text's markup, each with the moment at which it stands.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    words: tuple[Segment, ...]
    phonemes: tuple[Segment, ...]
    mel: NDArray[np.float32]
    provenance: Provenance
    f0: NDArray[np.float32] | None = None
    prosody: Prosody | None = None
    written: tuple[Segment, ...] = ()
    marks: tuple[Segment, ...] = ()

    @property
    def duration_seconds(self) -> float:
        return len(self.samples) / self.sample_rate

    def numpy(self) -> NDArray[np.float32]:
        """The samples, (S,) float32 in [-1, 1]."""
        return self.samples

    def save(self, path: str | os.PathLike[str], *, signer: Signer | None = None) -> None:
        """Write an audio file in the format that the suffix names: wav, flac, mp3, ogg, opus or m4a (extra "m4a").

        Its tags carry `provenance`, and so does a JSON file beside it, named as the file with .provenance.json behind.

        Args:
            path: Where to; its folder must exist.
            signer: Whose certificate signs a C2PA manifest in the file (wav, flac, mp3, m4a; extra "c2pa"); None signs
                nothing.

        Raises:
            AudioError: The suffix names no such format, or one that cannot be signed; the folder is missing or not
                writable.
            ProvenanceError: It cannot be signed; nothing is written then.
            ConfigError: An extra is needed and not installed.
        """
        from voxclone.safety.labels import save_labelled

        save_labelled(path, self.samples, self.sample_rate, self.provenance, signer)

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write the times in the format that the suffix names.

        .srt and .vtt are subtitles of the text as written; .TextGrid is Praat's, with words, phonemes and marks; .json
        has everything.

        Raises:
            TextError: The suffix names no such format, or the folder is missing or not writable.
        """
        from voxclone.timestamps import export

        export(self, path)

    def plot(self) -> Figure:
        """Waveform, words, mel and f0 as a matplotlib figure; `figure.savefig("speech.png")` writes it.

        Raises:
            ConfigError: matplotlib is not installed (the extra `plot`).
        """
        from voxclone.plots import plot_speech

        return plot_speech(self)

    def __repr__(self) -> str:
        text = " ".join(word.text for word in self.words)
        shown = text if len(text) <= 60 else text[:57] + "..."
        return f"Speech({shown!r}, {self.duration_seconds:.2f} s at {self.sample_rate} Hz)"

    def _repr_html_(self) -> str:
        """An audio element that holds the samples as 16-bit wav, with their provenance in its tags."""
        import soundfile

        from voxclone.audio.tags import write_tags
        from voxclone.safety.labels import tags_of_wav

        wav = io.BytesIO()
        with soundfile.SoundFile(wav, "w", self.sample_rate, 1, "PCM_16", format="WAV") as sound:
            write_tags(sound, tags_of_wav(self.samples, self.sample_rate, self.provenance))
            sound.write(self.samples)
        return f'<audio controls src="data:audio/wav;base64,{base64.b64encode(wav.getvalue()).decode()}"></audio>'
