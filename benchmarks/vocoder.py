"""Copy-synthesis by a model's vocoder beside the natural recordings: spectra, intelligibility, pitch, naturalness.

Takes recordings of a manifest: held-out speakers (split "valid") and, where the vocoder's top octave is to be judged,
full-band recordings of corpora that are named; those speakers may have been trained on, and are reported apart. And a
stress set, see vocoder_stress.py. "f0_given" is what `generate` does: the vocoder is told the f0, here the tracker's;
"f0_estimated" is what it makes of a mel alone.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterable
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchmetrics.functional.audio import perceptual_evaluation_speech_quality, short_time_objective_intelligibility

from environment import RESULTS, write_result
from judges import Judges
from vocoder_stress import stress_sets
from voxclone import hub
from voxclone.audio.io import read_audio, write_audio
from voxclone.audio.loudness import level, trim_silence
from voxclone.audio.mel import MelSpectrogram
from voxclone.audio.pitch import f0
from voxclone.audio.resample import resample
from voxclone.config import ModelConfig
from voxclone.models.vocoder import build_vocoder
from voxclone.models.vocoder.spans import make_source, make_span
from voxclone.training.extraction import Recording, read_manifest
from voxclone.training.spectral_losses import multi_resolution_stft_loss

Waveform = NDArray[np.float32]
SECONDS = (2.5, 9.0)
BAND_SHARE = 0.47  # of a recording's own rate: nothing above it is compared
SPAN_FRAMES = (1, 7, 64)
GROSS_CENTS = 1200 * np.log2(1.2)


class CopySynthesis:
    """A model folder's vocoder, fed with the mels of recordings and the f0 that the tracker finds in them."""

    def __init__(self, folder: Path) -> None:
        self.config: ModelConfig = hub.read_config(folder)
        self.vocoder: nn.Module = build_vocoder(self.config.vocoder).eval()
        hub.load_weights(self.vocoder, folder / "vocoder.safetensors")
        self.mel_spectrogram = MelSpectrogram(self.config.audio)

    def read(self, path: Path) -> Waveform:
        """A recording as the features of training are made: trimmed and levelled."""
        audio = self.config.audio
        samples, rate = read_audio(path)
        return level(trim_silence(resample(samples, rate, audio.sample_rate), audio.sample_rate), audio.sample_rate)

    @torch.inference_mode()
    def copy(self, natural: Waveform, pitch: NDArray[np.float32] | None) -> tuple[Waveform, float]:
        """The copy, with f0 given or estimated from the mel, and how far speaking span by span is from it."""
        mel = self.mel_spectrogram(torch.from_numpy(natural)[None])
        given = None if pitch is None else torch.from_numpy(pitch)[None]
        made: Tensor = self.vocoder(mel, given)
        if given is None:
            return made[0].numpy(), 0.0
        source, worst = make_source(self.vocoder, self.config.vocoder, mel, given), 0.0
        for frames in SPAN_FRAMES:
            start = mel.shape[2] // 2
            end = min(mel.shape[2], start + frames)
            span = make_span(self.vocoder, self.config.vocoder, mel, source, start, end)
            hop = self.config.audio.hop_length
            worst = max(worst, float((span - made[:, start * hop : end * hop]).abs().max()))
        return made[0].numpy(), worst


def compare(
    copier: CopySynthesis, natural: Waveform, made: Waveform, own_rate: float, is_speech: bool = True
) -> dict[str, float]:
    """Distances between a recording and its copy, at the frames that both have voiced where they are of the pitch.

    PESQ and STOI are of speech. The f0 error is held to an octave; what is more than a fifth off in Hz is gross.
    """
    audio = copier.config.audio
    a, b = (torch.from_numpy(x)[None] for x in (natural, made))
    bandwidth = torch.tensor([min(audio.sample_rate / 2, BAND_SHARE * own_rate)])
    mels = [copier.mel_spectrogram(x) for x in (a, b)]
    pitches = [f0(x, audio.sample_rate, audio.hop_length) for x in (natural, made)]
    both = (pitches[0] > 0) & (pitches[1] > 0)
    cents = 1200 * np.log2(pitches[1][both] / pitches[0][both]) if both.any() else np.zeros(1)
    periodic = [_periodicity(x, pitches[0], audio.sample_rate, audio.hop_length) for x in (natural, made)]
    values = {
        "multi_resolution_stft": float(multi_resolution_stft_loss(b, a, bandwidth, audio.sample_rate)),
        "mel_l1": float((mels[0] - mels[1]).abs().mean()),
    }
    if is_speech:
        narrow = [torch.from_numpy(resample(x, audio.sample_rate, 16000)) for x in (natural, made)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values["pesq_wb"] = float(perceptual_evaluation_speech_quality(narrow[1], narrow[0], 16000, "wb"))
            values["stoi"] = float(short_time_objective_intelligibility(narrow[1], narrow[0], 16000))
    return values | {
        "f0_rmse_cents": float(np.sqrt(np.mean(np.clip(cents, -1200, 1200) ** 2))),
        "f0_median_error_cents": float(np.median(np.abs(cents))),
        "f0_gross_errors": float((np.abs(cents) > GROSS_CENTS).mean()),
        "voicing_error": float(((pitches[0] > 0) != (pitches[1] > 0)).mean()),
        "periodicity_rmse": float(np.sqrt(np.mean((periodic[0] - periodic[1]) ** 2))),
    }


def _periodicity(samples: Waveform, pitch: NDArray[np.float32], sample_rate: int, hop: int) -> NDArray[np.float64]:
    """For each frame of a pitch, how periodic the samples are at that period: the correlation of two periods with those
    one period later, 1 for what repeats itself."""
    values = []
    for frame in np.flatnonzero(pitch > 0):
        period = round(sample_rate / float(pitch[frame]))
        centre = frame * hop + hop // 2
        first, second = centre - period, centre
        if first < 0 or second + 2 * period > len(samples):
            values.append(0.0)
            continue
        a, b = samples[first : first + 2 * period], samples[second : second + 2 * period]
        values.append(float(a @ b / max(1e-9, float(np.linalg.norm(a) * np.linalg.norm(b)))))
    return np.array(values or [0.0])


def choose(recordings: Iterable[Recording], count: int) -> list[Recording]:
    """As many recordings of fitting length as asked for, the same every time, speakers in turn."""
    fitting = [r for r in recordings if SECONDS[0] <= float(r.about["seconds"]) <= SECONDS[1]]
    order = np.random.default_rng(0).permutation(len(fitting))
    taken: dict[str, int] = {}
    rank = {}
    for index in order:
        speaker = fitting[index].about["speaker"]
        taken[speaker] = taken.get(speaker, 0) + 1
        rank[index] = taken[speaker]
    return [fitting[i] for i in sorted(rank, key=lambda i: rank[i])[:count]]


def chosen_sets(manifest: Path, full_band: Iterable[str], count: int) -> dict[str, list[Recording]]:
    """As many recordings of held-out speakers, "valid", and of each corpus that is named."""
    recordings = read_manifest(manifest, manifest.parent)
    sets = {"valid": choose((r for r in recordings if r.about["split"] == "valid"), count)}
    return sets | {
        corpus: choose((r for r in recordings if r.about["corpus"] == corpus), count) for corpus in full_band
    }


def keep(folder: Path, number: int, samples: Waveform, sample_rate: int) -> Path:
    """The wav file of a recording or its copy, for judges and for listening."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{number:03d}.wav"
    write_audio(path, samples, sample_rate)
    return path


def whole_frames(copier: CopySynthesis, samples: Waveform) -> Waveform:
    """Without the samples after the last whole frame."""
    hop = copier.config.audio.hop_length
    return samples[: len(samples) // hop * hop]


def means_of(rows: list[dict[str, float]]) -> dict[str, float]:
    """Of each measure."""
    return {key: round(mean(each[key] for each in rows), 4) for key in rows[0]}


def plot(copier: CopySynthesis, pairs: list[tuple[str, Waveform, Waveform]], path: Path) -> None:
    """Spectrograms of natural recordings above those of their copies."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(2, len(pairs), figsize=(4 * len(pairs), 6), sharey=True, squeeze=False)
    for column, (name, *waveforms) in enumerate(pairs):
        for row, samples in enumerate(waveforms):
            rate = copier.config.audio.sample_rate
            axes[row, column].specgram(samples[: 3 * rate], NFFT=1024, Fs=rate, noverlap=768, vmin=-140)
        axes[0, column].set_title(f"{name}: natural, copy below", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True, help="see recipes/prepare/README.md")
    parser.add_argument("--full-band", nargs="*", default=[], help="corpora of full-band recordings")
    parser.add_argument("--noise", type=Path, help="folder of folders of sounds that are no speech: a stress set")
    parser.add_argument("--music", type=Path, help="folder of music: another")
    parser.add_argument("--count", type=int, default=16, help="recordings of each set")
    parser.add_argument("--judges", type=Path, help="folder with score_ldnet.py")
    parser.add_argument("--model", help="folder; the bundled one if left out")
    parser.add_argument("--work", type=Path, required=True, help="where the wav files go")
    parser.add_argument("--name", default="vocoder", help="of the result file")
    args = parser.parse_args()

    copier = CopySynthesis(hub.resolve(args.model))
    sets = chosen_sets(args.manifest, args.full_band, args.count)
    judges = Judges(args.judges, args.work) if args.judges else None
    result: dict[str, Any] = {"parameters": sum(p.numel() for p in copier.vocoder.parameters()), "sets": {}}
    pictures, worst_span, rate = [], 0.0, copier.config.audio.sample_rate
    for name, chosen in sets.items():
        values: dict[str, list[dict[str, float]]] = {"f0_given": [], "f0_estimated": []}
        paths: dict[str, list[Path]] = {"natural": [], "copy": [], "copy_f0_estimated": []}
        for number, recording in enumerate(chosen):
            natural = whole_frames(copier, copier.read(recording.path))
            pitch = f0(natural, rate, copier.config.audio.hop_length)
            made, off = copier.copy(natural, pitch)
            worst_span = max(worst_span, off)
            own_rate = float(recording.about["sample_rate"])
            values["f0_given"].append(compare(copier, natural, made, own_rate))
            alone, _ = copier.copy(natural, None)
            values["f0_estimated"].append(compare(copier, natural, alone, own_rate))
            for kind, samples in (("natural", natural), ("copy", made), ("copy_f0_estimated", alone)):
                paths[kind].append(keep(args.work / name / kind, number, samples, rate))
            if number == 0:
                pictures.append((name, natural, made))
        means: dict[str, Any] = {kind: means_of(rows) for kind, rows in values.items()}
        if judges:
            scores = {kind: mean(judges.naturalness(paths[kind])) for kind in paths}
            means["ldnet_mos"] = {kind: round(score, 3) for kind, score in scores.items()}
            means["ldnet_copy_of_natural"] = round(scores["copy"] / scores["natural"], 3)
        result["sets"][name] = {"recordings": len(chosen)} | means
    spoken = [recording.path for recording in sets["valid"]]
    hard, result["stress"] = [], {}
    for name, sounds in stress_sets(copier.read, rate, args.noise, args.music, spoken):
        rows = []
        for number, (samples, own_rate) in enumerate(sounds):
            natural = whole_frames(copier, samples)
            made, _ = copier.copy(natural, f0(natural, rate, copier.config.audio.hop_length))
            rows.append(compare(copier, natural, made, own_rate, is_speech="speech" in name))
            if number in (0, len(sounds) - 1):
                hard.append((name, natural, made))
        result["stress"][name] = {"sounds": len(rows)} | means_of(rows)
    result["span_by_span_worst_difference"] = worst_span
    RESULTS.mkdir(exist_ok=True)
    plot(copier, pictures, RESULTS / f"{args.name}.png")
    plot(copier, hard, RESULTS / f"{args.name}-stress.png")
    print(write_result(args.name, result))


if __name__ == "__main__":
    main()
