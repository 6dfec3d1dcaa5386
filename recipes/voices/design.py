"""Draw voices that belong to nobody from the density of training speakers, each checked to be far from every one."""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from voxclone import Consent, Voice, VoxClone
from voxclone.audio.mel import voiced_spectrum
from voxclone.synthesis.reference import measure_speaker
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.voice_density import Measures, VoiceDensity, nearest_cosines, neighbour_cosines

NAMES = ("amber", "basil", "cedar", "dune", "ember", "fjord", "grove", "heath")
TEXT = "The ferry leaves the harbour at seven every morning, and by noon the whole market is awake."
PLACES = ("low", "high")  # registers, in turn
REGISTERS = {"low": (90.0, 135.0), "high": (165.0, 235.0)}  # Hz
BASIS = "a designed voice: drawn from the density of the training speakers' embeddings, and nobody's"


def clips_of(store: FeatureStore, embeddings: dict[str, Any], clips: int) -> dict[str, list[Entry]]:
    """At most so many recordings of each training speaker."""
    found = defaultdict(list)
    for entry in store.entries:
        speaker = entry.about["speaker"]
        if entry.about["split"] == "train" and entry.key in embeddings and len(found[speaker]) < clips:
            found[speaker].append(entry)
    return found


def embedding_of(entries: list[Entry], embeddings: dict[str, Any]) -> Any:
    """A speaker's, of unit length."""
    total = np.sum([embeddings[entry.key] for entry in entries], axis=0, dtype=np.float64)
    return total / np.linalg.norm(total)


def sound_of(store: FeatureStore, entries: list[Entry]) -> tuple[Any, float] | None:
    """A speaker's average spectrum and median f0; None where too little is voiced."""
    f0 = np.concatenate([store.read(entry, "f0") for entry in entries])
    if (f0 > 0).sum() < 50:
        return None
    mel = np.concatenate([np.asarray(store.read(entry, "mel"), np.float32) for entry in entries]).T
    return voiced_spectrum(mel, f0), float(np.exp(np.median(np.log(f0[f0 > 0]))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="the folder whose speaker encoder made the embeddings")
    parser.add_argument("--features", type=Path, required=True, help="feature store")
    parser.add_argument("--embeddings", type=Path, required=True, help="embeddings.npz of an acoustic run")
    parser.add_argument(
        "--leave-out", nargs="*", default=["common_voice"], help="corpora whose sound is not drawn from"
    )
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--clips", type=int, default=4, help="of each speaker")
    parser.add_argument("--rank", type=int, default=24)
    parser.add_argument("--temperature", type=float, default=0.9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="folder for the .voice files and design.json")
    parser.add_argument("--into", type=Path, help="model folder that is saved again with these voices before its own")
    args = parser.parse_args()

    model = VoxClone.from_pretrained(args.model)
    with np.load(args.embeddings) as file:
        embeddings = dict(zip(file["keys"].tolist(), file["embeddings"], strict=True))
    store = FeatureStore(args.features)
    known = clips_of(store, embeddings, args.clips)
    everyone = np.stack([embedding_of(entries, embeddings) for entries in known.values()])
    drawn_from = [
        (embedding, *sound)
        for embedding, entries in zip(everyone, known.values(), strict=True)
        if entries[0].about["corpus"] not in args.leave_out and (sound := sound_of(store, entries)) is not None
    ]
    columns = [np.asarray(column, np.float64) for column in zip(*drawn_from, strict=True)]
    density = VoiceDensity.fit(Measures(*columns), args.rank)
    # No nearer to anybody than half of the real speakers are to the nearest other person.
    limit = float(np.median(neighbour_cosines(everyone)))

    args.out.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"speakers": len(known), "drawn_from": len(drawn_from), "limit": limit, "voices": {}}
    taken: list[Any] = []
    tried = 0
    candidates = density.sample(5000, args.seed, args.temperature)
    for embedding, spectrum, f0 in zip(*candidates, strict=True):
        if len(taken) == args.count:
            break
        tried += 1
        low, high = REGISTERS[PLACES[len(taken) % len(PLACES)]]
        nearest = float(nearest_cosines(embedding[None], everyone)[0])
        if not low <= f0 <= high or nearest >= limit or any(float(embedding @ other) >= limit for other in taken):
            continue
        name = NAMES[len(taken)]
        consent = Consent.attest(
            "nobody", basis=BASIS, by="recipes/voices/design.py", scope=("cloning", "sharing", "commercial")
        )
        voice = Voice(
            name, embedding.astype(np.float32), spectrum.astype(np.float32), float(f0), (consent,), model.encoder_id
        )
        speech = model.generate(TEXT, voice)
        heard = measure_speaker(model._speaker_encoder, model.config.audio, [(speech.samples, speech.sample_rate)])
        spoken = float(nearest_cosines(heard.speaker_embedding[None], everyone)[0])
        if spoken >= limit:
            continue
        taken.append(embedding)
        voice.save(args.out / f"{name}.voice")
        report["voices"][name] = {
            "f0_median": round(float(f0), 1),
            "nearest_training_speaker": round(nearest, 3),
            "nearest_training_speaker_as_spoken": round(spoken, 3),
            "spoken_to_designed": round(float(heard.speaker_embedding @ embedding), 3),
        }
    report["tried"] = tried
    (args.out / "design.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))
    if len(taken) < args.count:
        raise SystemExit(
            f"only {len(taken)} of {args.count} were found; lower --temperature or draw with another --seed"
        )
    if args.into:
        whole = VoxClone.from_pretrained(args.into)
        designed = {name: Voice.load(args.out / f"{name}.voice") for name in report["voices"]}
        whole.voices = MappingProxyType(designed | dict(whole.voices))
        whole.save_pretrained(args.into)


if __name__ == "__main__":
    main()
