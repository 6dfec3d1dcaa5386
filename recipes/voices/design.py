"""Draw voices that belong to nobody from the density of training speakers, each checked to be far from every one."""

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from voxclone import Consent, Voice, VoxClone
from voxclone.audio.mel import voiced_spectrum
from voxclone.synthesis.reference import measure_speaker
from voxclone.training.features import FeatureStore
from voxclone.training.voice_density import Measures, VoiceDensity, nearest_cosines, neighbour_cosines

NAMES = ("amber", "basil", "cedar", "dune", "ember", "fjord", "grove", "heath")
TEXT = "The ferry leaves the harbour at seven every morning, and by noon the whole market is awake."
PLACES = ("low", "high")  # registers, in turn
REGISTERS = {"low": (90.0, 135.0), "high": (165.0, 235.0)}  # Hz
BASIS = "a designed voice: drawn from the density of the training speakers' embeddings, and nobody's"


def speakers(store: FeatureStore, embeddings: dict[str, Any], clips: int) -> dict[str, tuple[str, Any, Any, float]]:
    """Each training speaker's corpus, embedding, spectrum and median f0, over at most so many clips."""
    entries = defaultdict(list)
    for entry in store.entries:
        about = entry.about
        if about["split"] == "train" and entry.key in embeddings and len(entries[about["speaker"]]) < clips:
            entries[about["speaker"]].append(entry)
    found = {}
    for speaker, own in entries.items():
        embedding = np.sum([embeddings[entry.key] for entry in own], axis=0)
        f0 = [np.asarray(store.read(entry, "f0")) for entry in own]
        voiced = np.concatenate(f0)
        voiced = voiced[voiced > 0]
        if len(voiced) < 50:
            continue
        mels = [np.asarray(store.read(entry, "mel"), np.float32).T for entry in own]
        spectrum = voiced_spectrum(np.concatenate(mels, axis=1), np.concatenate(f0))
        median = float(np.exp(np.median(np.log(voiced))))
        found[speaker] = (own[0].about["corpus"], embedding / np.linalg.norm(embedding), spectrum, median)
    return found


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
    args = parser.parse_args()

    model = VoxClone.from_pretrained(args.model)
    with np.load(args.embeddings) as file:
        embeddings = dict(zip(file["keys"].tolist(), file["embeddings"], strict=True))
    known = speakers(FeatureStore(args.features), embeddings, args.clips)
    everyone = np.stack([embedding for _, embedding, _, _ in known.values()])
    drawn_from = [voice for voice in known.values() if voice[0] not in args.leave_out]
    columns = [np.asarray(column, np.float64) for column in list(zip(*drawn_from, strict=True))[1:]]
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


if __name__ == "__main__":
    main()
