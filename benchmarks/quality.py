"""How understandable, how like the speaker and how natural the cloned speech is, beside natural and copied speech.

Speaks a list of sentences in the voices of reference clips through the public API, and has listeners that this project
did not train judge the files: a folder of judge scripts with `score_asr_ps.py`, `make_lm.py`, `score_spk_nnid.py` and
`score_ldnet.py`, each of which takes wav files and prints a line for each.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import mean
from typing import Any

import librosa
import numpy as np
import torch

import voxclone
from environment import write_result
from voxclone import hub
from voxclone.audio.io import read_audio, write_audio
from voxclone.audio.mel import MelSpectrogram, mel_filterbank
from voxclone.audio.resample import resample
from voxclone.models.vocoder import build_vocoder


class Judges:
    """The judge scripts of a folder."""

    def __init__(self, folder: Path, work: Path) -> None:
        self.folder, self.work = folder, work

    def word_errors(self, references: dict[str, str], paths: list[Path], distractors: list[str]) -> dict[str, float]:
        """Error rates by PocketSphinx, with a language model of the texts and distractors, and with its own."""
        texts = self.work / "references.txt"
        texts.write_text("".join(f"{name}|{text}\n" for name, text in references.items()), encoding="utf8")
        others = self.work / "distractors.txt"
        others.write_text("\n".join(distractors), encoding="utf8")
        model = self.work / "domain.lm"
        self._run("make_lm.py", str(model), str(texts), str(others))
        own = self._transcribe(texts, paths)
        return self._transcribe(texts, paths, model) | {f"default_lm_{kind}": own[kind] for kind in own}

    def _transcribe(self, texts: Path, paths: list[Path], model: Path | None = None) -> dict[str, float]:
        arguments = ["--lm", str(model)] if model else []
        printed = self._run("score_asr_ps.py", "--ref", str(texts), *arguments, *map(str, paths))
        total = next(line for line in printed.splitlines() if line.startswith("TOTAL"))
        return {kind: float(value) for kind, value in re.findall(r"(wer|cer)=([\d.]+)", total)}

    def similarity(self, pairs: list[tuple[Path, Path]]) -> list[float]:
        """Speaker cosine of each (reference, test)."""
        table = self.work / "pairs.tsv"
        table.write_text("".join(f"{a}\t{b}\n" for a, b in pairs), encoding="utf8")
        printed = self._run("score_spk_nnid.py", "--pairs", str(table))
        return [float(value) for value in re.findall(r"nnid=(-?[\d.]+)", printed)]

    def naturalness(self, paths: list[Path]) -> float:
        """Mean opinion score predicted by LDNet."""
        return mean(map(float, re.findall(r"ldnet_bvcc=([\d.]+)", self._run("score_ldnet.py", *map(str, paths)))))

    def _run(self, script: str, *arguments: str) -> str:
        command = [sys.executable, str(self.folder / script), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def natural_copies(clips: dict[str, Path], out: Path, model_folder: Path) -> dict[str, list[Path]]:
    """Natural clips at the model's rate, their copies through the vocoder, and by Griffin-Lim from the same mel."""
    config = hub.read_config(model_folder)
    vocoder = build_vocoder(config.vocoder).eval()
    hub.load_weights(vocoder, model_folder / "vocoder.safetensors")
    mel_spectrogram = MelSpectrogram(config.audio)
    inverse = np.linalg.pinv(mel_filterbank(config.audio))
    made: dict[str, list[Path]] = defaultdict(list)
    for name, path in clips.items():
        samples, rate = read_audio(path)
        samples = resample(samples, rate, config.audio.sample_rate)
        samples = samples[: len(samples) // config.audio.hop_length * config.audio.hop_length]
        with torch.inference_mode():
            mel = mel_spectrogram(torch.from_numpy(samples)[None])
            copy = vocoder(mel)[0].numpy()
        magnitude = np.maximum(1e-5, inverse @ np.exp(mel[0].numpy()))
        griffin_lim = librosa.griffinlim(
            magnitude, n_iter=60, hop_length=config.audio.hop_length, n_fft=config.audio.n_fft, random_state=0
        )
        for kind, waveform in (("natural", samples), ("copy", copy), ("griffin_lim", griffin_lim)):
            target = out / kind / f"{name}.wav"
            target.parent.mkdir(parents=True, exist_ok=True)
            write_audio(target, waveform.astype(np.float32), config.audio.sample_rate)
            made[kind].append(target)
    return made


def speak(
    model: voxclone.VoxClone, references: dict[str, Path], sentences: dict[str, str], out: Path
) -> dict[str, Any]:
    """Clone each speaker from one clip and read every sentence; checks each alignment to be whole and in order."""
    out.mkdir(parents=True, exist_ok=True)
    paths: dict[str, list[Path]] = {}
    whole = 0
    for speaker, clip in references.items():
        consent = voxclone.Consent.attest(speaker, basis="corpus licensed for it")
        voice = model.clone(str(clip), name=speaker, consent=consent)
        paths[speaker] = []
        for name, text in sentences.items():
            speech = model.generate(text, voice)
            ends = [segment.end_seconds for segment in speech.phonemes]
            monotonic = all(a < b for a, b in zip([0.0, *ends[:-1]], ends, strict=True))
            whole += monotonic and abs(ends[-1] - speech.duration_seconds) < 1e-6
            paths[speaker].append(out / f"{speaker}-{name}.wav")
            speech.save(paths[speaker][-1])
    return {"paths": paths, "whole_alignments": whole}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="folder with clips.tsv: file, speaker, …, text")
    parser.add_argument("--speakers", nargs="+", required=True, help="two clips of each are needed")
    parser.add_argument("--sentences", type=Path, required=True, help="name|text lines")
    parser.add_argument("--judges", type=Path, required=True)
    parser.add_argument("--distractors", type=Path, required=True, help="text lines for the language model")
    parser.add_argument("--model", help="folder; the bundled one if left out")
    parser.add_argument("--work", type=Path, required=True, help="where the wav files go")
    parser.add_argument("--name", default="quality", help="of the result file")
    args = parser.parse_args()

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    args.work.mkdir(parents=True, exist_ok=True)
    judges = Judges(args.judges, args.work)
    with open(args.clips / "clips.tsv", encoding="utf8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["speaker"] in args.speakers]
    by_speaker: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_speaker[row["speaker"]].append(row)
    references = {speaker: args.clips / by_speaker[speaker][0]["file"] for speaker in args.speakers}
    sentences = dict(line.split("|", 1) for line in args.sentences.read_text(encoding="utf8").splitlines() if line)
    distractors = args.distractors.read_text(encoding="utf8").splitlines()

    model_folder = hub.resolve(args.model)
    model = voxclone.VoxClone.from_pretrained(model_folder)
    spoken = speak(model, references, sentences, args.work / "cloned")
    cloned = [path for paths in spoken["paths"].values() for path in paths]
    copies = natural_copies({Path(row["file"]).stem: args.clips / row["file"] for row in rows}, args.work, model_folder)

    texts = {path.stem: sentences[path.stem.split("-", 1)[1]] for path in cloned}
    texts |= {Path(row["file"]).stem: row["text"] for row in rows}
    systems = {"cloned": cloned, **copies}
    result: dict[str, Any] = {"systems": {}, "utterances": len(cloned), "whole_alignments": spoken["whole_alignments"]}
    for system, paths in systems.items():
        errors = judges.word_errors(texts, paths, distractors)
        result["systems"][system] = errors | {"ldnet_mos": judges.naturalness(paths)}

    own_clip = {speaker: copies["natural"][rows.index(by_speaker[speaker][0])] for speaker in args.speakers}
    other_clip = {speaker: copies["natural"][rows.index(by_speaker[speaker][1])] for speaker in args.speakers}
    for label, natural in (("cloning_clip", own_clip), ("other_clip", other_clip)):
        scores: dict[Path, dict[str, float]] = defaultdict(dict)
        pairs = [(natural[speaker], path) for path in cloned for speaker in args.speakers]
        for (reference, path), score in zip(pairs, judges.similarity(pairs), strict=True):
            scores[path][next(s for s, clip in natural.items() if clip == reference)] = score
        own = {speaker: [scores[path][speaker] for path in paths] for speaker, paths in spoken["paths"].items()}
        nearest = {
            speaker: mean(max(scores[path], key=scores[path].__getitem__) == speaker for path in paths)
            for speaker, paths in spoken["paths"].items()
        }
        result[f"similarity_to_{label}"] = {
            "own_mean": mean(value for values in own.values() for value in values),
            "own_by_speaker": {speaker: mean(values) for speaker, values in own.items()},
            "nearest_is_own": mean(nearest.values()),
            "nearest_is_own_by_speaker": nearest,
        }
    pairs = [(own_clip[speaker], other_clip[speaker]) for speaker in args.speakers]
    result["natural_similarity"] = mean(judges.similarity(pairs))
    print(json.dumps(result, indent=2))
    print(write_result(args.name, result))


if __name__ == "__main__":
    main()
