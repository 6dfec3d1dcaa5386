"""Draw voices that belong to nobody from among the training speakers, each checked to be far from every one of them."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from voxclone import Consent, Speech, Voice, VoxClone
from voxclone.cli.ending import run_script
from voxclone.evaluation.judges.naturalness import Naturalness, open_naturalness
from voxclone.synthesis.reference import measure_speaker
from voxclone.training.features import FeatureStore
from voxclone.training.voice_design import Speakers

NAMES = ("amber", "basil", "cedar", "dune", "ember", "fjord", "grove", "heath")
TEXTS = (
    "The ferry leaves the harbour at seven every morning, and by noon the whole market is awake.",
    "Nobody had asked her where she was going, so she folded the map and put it into her coat.",
    "We turned back before it grew dark, and the rain had already begun to fall on the hills.",
    "He counted the coins twice, thanked the driver, and walked the last mile along the river.",
)
REGISTERS = {  # Hz of those who are drawn from, and of those whose sound their voices may have
    "deep": ((92.0, 120.0), (92.0, 140.0)),
    "low": ((92.0, 140.0), (92.0, 140.0)),
    "middle": ((132.0, 178.0), (92.0, 140.0)),
    "high": ((160.0, 225.0), (160.0, 225.0)),
}
BASIS = "a designed voice: a mean of several training speakers, far from each of them, and nobody's"
DRAWN = 1500  # in each register
REAL = 12  # speakers whose clones say how near speech comes to somebody else's
STEPS = 8  # away from those to whom what a voice says is near
MARGIN = 0.012  # of cosine, by which the first texts are to be farther than the limit, for all to be


def voice_of(model: VoxClone, measures: Any, name: str, speaker: str, basis: str) -> Voice:
    """A row of `Measures` as a voice."""
    embedding, spectrum, f0, spread, seconds = measures
    consent = Consent.attest(speaker, basis, by="recipes/voices/design.py", scope=("cloning", "sharing", "commercial"))
    vectors = embedding.astype(np.float32), spectrum.astype(np.float32)
    about: dict[str, Any] = {"f0_spread": float(spread), "phoneme_seconds": float(seconds)}
    return Voice(name, *vectors, float(f0), (consent,), model.encoder_id, **about)


def heard_in(model: VoxClone, speeches: list[Speech]) -> Any:
    """The speaker embedding of what was spoken."""
    recordings = [(speech.samples, speech.sample_rate) for speech in speeches]
    return measure_speaker(model._speaker_encoder, model.config.audio, recordings).speaker_embedding


def spoken_limit(model: VoxClone, speakers: Speakers, seed: int) -> float:
    """The median cosine of what real speakers' clones say to the nearest other person."""
    drawn = np.random.default_rng(seed).choice(len(speakers.corpora), REAL, replace=False)
    nearest = []
    for row in zip(*speakers.measures.chosen(drawn), strict=True):
        voice = voice_of(model, row, "real", "a training speaker", "measured, and not kept")
        cosines = speakers.embeddings @ heard_in(model, [model.generate(text, voice) for text in TEXTS[:2]])
        nearest.append(float(cosines[speakers.embeddings @ row[0] < 1 - 1e-6].max()))
    return float(np.median(nearest))


def far_from_all(model: VoxClone, speakers: Speakers, row: tuple[Any, ...], limit: float) -> tuple[Any, ...]:
    """The drawn row with the embedding, of those on a way from everyone, whose speech is nearest to nobody."""
    best, embedding = (2.0, row[0]), row[0]
    for _ in range(STEPS + 1):
        voice = voice_of(model, (embedding, *row[1:]), "candidate", "nobody", BASIS)
        heard = heard_in(model, [model.generate(text, voice) for text in TEXTS[:2]])
        best = min(best, (float((speakers.embeddings @ heard).max()), embedding), key=lambda each: each[0])
        if best[0] < limit - MARGIN:
            break
        embedding = speakers.away(embedding, heard, limit)
    return (best[1], *row[1:])


def by_naturalness(
    model: VoxClone, speakers: Speakers, fit: NDArray[np.bool_], predictor: Naturalness, folder: Path
) -> NDArray[np.int64]:
    """Indices of some speakers, those first whose clones a predictor finds the most natural."""
    places = np.flatnonzero(fit)
    files = [folder / f"speaker-{place}.wav" for place in places.tolist()]
    for row, file in zip(zip(*speakers.measures.chosen(places), strict=True), files, strict=True):
        voice = voice_of(model, row, "real", "a training speaker", "measured, and not kept")
        model.generate(TEXTS[0], voice).save(file)
    order = np.argsort(predictor.score(files))[::-1]
    for file in files:
        file.unlink()
        file.with_name(f"{file.name}.provenance.json").unlink()
    return places[order]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="the folder whose speaker encoder made the embeddings")
    parser.add_argument("--features", type=Path, required=True, help="feature store")
    parser.add_argument("--embeddings", type=Path, required=True, help="embeddings.npz of an acoustic run")
    parser.add_argument("--corpora", nargs="+", required=True, help="whose speakers are drawn from")
    parser.add_argument("--best", type=int, default=14, help="speakers in each register, by their clones' naturalness")
    parser.add_argument("--sound", type=int, default=3, help="of these, whose sound the voices have")
    parser.add_argument("--slowest", type=float, default=0.09, help="seconds of a phoneme: slower readers are left out")
    parser.add_argument("--flattest", type=float, default=0.15, help="octaves of f0: less lively ones are left out")
    parser.add_argument(
        "--naturalness", required=True, help='who chooses, as for `voxclone evaluate`: "command:PROGRAM"'
    )
    parser.add_argument("--candidates", type=int, default=20, help="in each register, of which the chosen are kept")
    parser.add_argument("--count", type=int, default=2, help="in each register")
    parser.add_argument("--clips", type=int, default=6, help="of each speaker")
    parser.add_argument("--registers", nargs="+", choices=REGISTERS, default=list(REGISTERS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder for .voice files, samples and design.json")
    parser.add_argument("--into", type=Path, help="model folder that is saved again with these voices beside its own")
    args = parser.parse_args()

    store, model = FeatureStore.filled(args.features), VoxClone.from_pretrained(args.model)
    audio, reader = model.config.audio, model._acoustic.rate_reader
    if reader is None:
        parser.error(
            f"the acoustic model of {args.model} is not told of pace and liveliness, which a voice is drawn with"
        )
    with np.load(args.embeddings) as file:
        embeddings = dict(zip(file["keys"].tolist(), file["embeddings"], strict=True))
    speakers = Speakers.read(store, embeddings, reader, audio.sample_rate / audio.hop_length, args.corpora, args.clips)
    fit = (speakers.measures.phoneme_seconds < args.slowest) & (speakers.measures.f0_spreads > args.flattest)
    bar = spoken_limit(model, speakers, 0)
    predictor = open_naturalness(args.naturalness)

    nobody = [voice for voice in model.voices.values() if all(each.speaker == "nobody" for each in voice.consents)]
    known = [heard_in(model, [model.generate(text, voice) for text in TEXTS]) for voice in nobody]
    others = replace(speakers, embeddings=np.vstack([speakers.embeddings, *known]))

    args.out.mkdir(parents=True, exist_ok=True)
    about: dict[str, dict[str, Any]] = {}
    spoken: dict[str, list[tuple[Voice, Any]]] = {register: [] for register in args.registers}
    files: list[Path] = []
    for register, voices in spoken.items():
        drawn_from, sounds = REGISTERS[register]
        f0, everyone = speakers.measures.f0_medians, np.arange(len(fit))
        inside = [(f0 >= lowest) & (f0 <= highest) for lowest, highest in (drawn_from, sounds)]
        ranked = by_naturalness(model, speakers, fit & (inside[0] | inside[1]), predictor, args.out)
        pool, sound = (
            np.isin(everyone, ranked[within[ranked]][:count])
            for within, count in zip(inside, (args.best, args.sound), strict=True)
        )
        drawn = speakers.draw(pool, sound, args.candidates, args.seed, DRAWN)
        for number, first in enumerate(zip(*drawn, strict=True)):
            row = far_from_all(model, others, first, bar)
            voice = voice_of(model, row, f"{register}-{number}", "nobody", BASIS)
            speeches = [model.generate(text, voice) for text in TEXTS]
            for index, speech in enumerate(speeches):
                files.append(args.out / f"{voice.name}-{index}.wav")
                speech.save(files[-1])
            heard = heard_in(model, speeches)
            voices.append((voice, heard))
            about[voice.name] = {
                "f0_median": round(voice.f0_median, 1),
                "nearest_training_speaker": round(float((speakers.embeddings @ row[0]).max()), 3),
                "nearest_as_spoken": round(float((speakers.embeddings @ heard).max()), 3),
                "spoken_to_designed": round(float(heard @ row[0]), 3),
            }
    scores = np.reshape(predictor.score(files), (-1, len(TEXTS))).mean(1)
    for found, score in zip(about.values(), scores, strict=True):
        found["naturalness"] = round(float(score), 3)

    def rank(voice: Voice) -> float:
        return float(about[voice.name]["naturalness"])

    chosen: list[Voice] = []
    for voices in spoken.values():
        taken = list(known)
        for voice, heard in sorted(voices, key=lambda each: -rank(each[0])):
            alike = max([about[voice.name]["nearest_as_spoken"], *(float(heard @ other) for other in taken)])
            far = about[voice.name]["nearest_training_speaker"] < speakers.limit
            if far and alike < bar and len(taken) < args.count + len(known):
                taken.append(heard)
                chosen.append(voice)
    names = [name for name in NAMES if name not in model.voices]
    kept = {
        name: replace(voice, name=name)
        for name, voice in zip(names, sorted(chosen, key=rank, reverse=True), strict=False)
    }
    for name, voice in kept.items():
        voice.save(args.out / f"{name}.voice")
    report = {
        "speakers": len(speakers.embeddings), "drawn_from": len(speakers.corpora), "limit": round(speakers.limit, 3),
        "limit_as_spoken": round(bar, 3), "candidates": about,
        "voices": {name: old.name for name, old in zip(kept, sorted(chosen, key=rank, reverse=True), strict=False)},
    }  # fmt: skip
    (args.out / "design.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))
    if args.into:
        whole = VoxClone.from_pretrained(args.into)
        whole.voices = MappingProxyType(dict(whole.voices) | kept)
        whole.save_pretrained(args.into)


if __name__ == "__main__":
    run_script(main)
