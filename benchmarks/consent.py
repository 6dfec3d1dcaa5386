"""Whom `Consent.verify` lets pass: impostors, clones of the speaker, wrong phrases; and whom it wrongly refuses.

Real speech of speakers that no part was trained on, from the manifest that `recipes/prepare` writes; through the public
API, except that embeddings are made once for all trials. Speaker: a reference of three clips against every other clip.
Phrase: a clip's own transcript against the same with its longer words drawn anew (right), and one of those against the
others (wrong). Clones: each speaker's reference cloned, and the clone says a challenge.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import threats
import voxclone
from environment import write_result
from manifest import manifest_rows
from voxclone.audio.io import read_audio
from voxclone.models.cohort import Cohort
from voxclone.safety.challenge import Challenge, vocabulary
from voxclone.safety.verification import (
    COMPETING,
    MIN_PHRASE_MARGIN,
    MIN_WORDS_HEARD,
    margin_over,
    phrase_margin,
    words_heard,
)
from voxclone.synthesis.reference import embed_speaker
from voxclone.training.metrics import equal_error_rate

Row = dict[str, str]

REFERENCE_CLIPS = 3
REFERENCES = 20  # drawn for each speaker
MIN_SECONDS = 3.0
FALSE_ACCEPTANCE = 0.01
DRAWN_LETTERS = 4  # words of a transcript with as many letters stand for drawn ones
SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="folder or Hub repository (default: the bundled model)")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of manifest.tsv and its clips")
    parser.add_argument("--phrases", type=int, default=60, help="clips for the phrase check")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    model = voxclone.VoxClone.from_pretrained(args.model, device="cpu")
    rows = manifest_rows(args.data / "manifest.tsv", "valid")
    rows = [row for row in rows if float(row["seconds"]) >= MIN_SECONDS]
    draw = random.Random(SEED)
    embeddings, speakers = embedded(model, rows, args.data)
    labels = gender_of(rows), {row["speaker"]: row["corpus"] for row in rows}
    by_cosine = speaker_trials(embeddings, speakers, *labels, None, model.same_speaker_threshold)
    speaker, verification = by_cosine, model.config.verification
    if verification is not None:
        speaker = speaker_trials(embeddings, speakers, *labels, model._cohort, verification.threshold)
    result: dict[str, Any] = {
        "model": model.config.name,
        "encoder_id": model.encoder_id,
        "speaker": speaker,
        "speaker_by_cosine": by_cosine,
        "phrase": phrase_trials(model, rows, args.data, args.phrases, draw),
        "clones": clone_trials(model, rows, args.data, speaker, draw),
    }
    print(write_result("consent", result))
    threats.main()
    print({key: speaker[key] for key in ("threshold_at_1_percent", "at_that_threshold", "equal_error_rate")})
    print(result["phrase"], result["clones"]["summary"])


def embedded(model: voxclone.VoxClone, rows: list[Row], data: Path) -> tuple[NDArray[np.float32], list[str]]:
    """The embedding of each recording that is fit, and its speaker."""
    embeddings, speakers = [], []
    for row in rows:
        try:
            embeddings.append(embed_speaker(model._speaker_encoder, model.sample_rate, data / row["path"]))
        except voxclone.AudioError:
            continue  # less than a second of speech
        speakers.append(row["speaker"])
    return np.array(embeddings), speakers


def speaker_trials(
    matrix: NDArray[np.float32],
    speakers: list[str],
    genders: dict[str, str],
    corpora: dict[str, str],
    cohort: Cohort | None,
    shipped: float | None,
) -> dict[str, Any]:
    """False acceptance and rejection of the speaker check, at 1 % false acceptance and at the model's threshold."""
    names, random_source = np.array(speakers), np.random.default_rng(SEED)
    genuine: dict[str, list[float]] = defaultdict(list)
    impostors: dict[tuple[str, str], list[float]] = defaultdict(list)
    for name in sorted(set(speakers)):
        own = np.flatnonzero(names == name)
        if len(own) <= REFERENCE_CLIPS:
            continue
        for _ in range(REFERENCES):
            chosen = random_source.choice(own, REFERENCE_CLIPS, replace=False)
            reference = matrix[chosen].sum(axis=0)
            reference /= np.linalg.norm(reference)
            scores = compared(matrix, reference, cohort)
            genuine[name] += scores[np.setdiff1d(own, chosen)].tolist()
            for other in set(speakers) - {name}:
                impostors[name, other] += scores[names == other].tolist()
    right = np.concatenate([np.array(each) for each in genuine.values()])
    wrong = np.concatenate([np.array(each) for each in impostors.values()])
    alike = {
        "same_gender": [np.array(each) for (a, b), each in impostors.items() if genders[a] == genders[b] != ""],
        "same_corpus": [np.array(each) for (a, b), each in impostors.items() if corpora[a] == corpora[b]],
    }
    threshold = round(float(np.quantile(wrong, 1 - FALSE_ACCEPTANCE)) + 5e-4, 3)
    rates = {pair: float((np.array(each) >= threshold).mean()) for pair, each in impostors.items()}
    return {
        "speakers": len(genuine),
        "clips": len(names),
        "genuine_trials": len(right),
        "impostor_trials": len(wrong),
        **{f"{name}_impostor_trials": sum(map(len, scores)) for name, scores in alike.items()},
        "equal_error_rate": round(equal_error_rate(right, wrong), 4),
        "threshold_at_1_percent": threshold,
        "at_that_threshold": at(threshold, genuine, right, wrong, alike),
        "threshold_of_the_model": shipped,
        "at_the_models_threshold": None if shipped is None else at(shipped, genuine, right, wrong, alike),
        "most_confused_pairs": [
            {"reference": a, "impostor": b, "false_acceptance": round(rate, 4)}
            for (a, b), rate in sorted(rates.items(), key=lambda item: -item[1])[:5]
        ],
    }


def compared(matrix: NDArray[np.float32], one: NDArray[np.float32], cohort: Cohort | None) -> NDArray[np.float32]:
    """(N,) scores of embeddings (N, D) against one (D,)."""
    if cohort is None:
        return matrix @ one
    scores: NDArray[np.float32] = cohort(torch.from_numpy(matrix), torch.from_numpy(one)).numpy()
    return scores


def at(
    threshold: float,
    genuine: dict[str, list[float]],
    right: NDArray[np.float64],
    wrong: NDArray[np.float64],
    alike: dict[str, list[NDArray[np.float64]]],
) -> dict[str, Any]:
    return {
        "false_acceptance": round(float((wrong >= threshold).mean()), 4),
        **{
            f"false_acceptance_{name}": round(float((np.concatenate(scores) >= threshold).mean()), 4)
            for name, scores in alike.items()
        },
        "false_rejection": round(float((right < threshold).mean()), 4),
        "false_rejection_by_speaker": {
            name: round(float((np.array(scores) < threshold).mean()), 3) for name, scores in genuine.items()
        },
    }


def gender_of(rows: list[Row]) -> dict[str, str]:
    """m, f or "" for each speaker; where some of a speaker's rows say nothing, the others do."""
    genders: dict[str, str] = defaultdict(str)
    for row in rows:
        genders[row["speaker"]] = genders[row["speaker"]] or row["gender"][:1].replace("o", "")
    return genders


def phrase_trials(
    model: voxclone.VoxClone, rows: list[Row], data: Path, count: int, draw: random.Random
) -> dict[str, Any]:
    """The aligner's margin for what was said, and for what was not."""
    usable = [row for row in rows if float(row["seconds"]) < 15 and len(drawn_places(row["text"])) >= 4]
    right, wrong = [], []
    for row in draw.sample(usable, min(count, len(usable))):
        source = read_audio(data / row["path"])
        competing = [redrawn(row["text"], draw) for _ in range(COMPETING)]
        right.append(margin_over(model, source, row["text"], competing))
        wrong.append(margin_over(model, source, redrawn(row["text"], draw), competing))
    return {
        "recordings": len(right),
        "threshold": MIN_PHRASE_MARGIN,
        "right_phrase_refused": share(value < MIN_PHRASE_MARGIN for value in right),
        "wrong_phrase_accepted": share(value >= MIN_PHRASE_MARGIN for value in wrong),
        "margins_of_right_phrases": quantiles(right),
        "margins_of_wrong_phrases": quantiles(wrong),
    }


def drawn_places(text: str) -> list[int]:
    """Which words of a transcript stand for drawn ones: up to eight of the longer."""
    words = text.split()
    return [at for at, word in enumerate(words) if len(word) >= DRAWN_LETTERS and word.isalpha()][:8]


def redrawn(text: str, draw: random.Random) -> str:
    words, places = text.split(), drawn_places(text)
    for place, word in zip(places, draw.sample(vocabulary(), len(places)), strict=True):
        words[place] = word
    return " ".join(words)


def clone_trials(
    model: voxclone.VoxClone, rows: list[Row], data: Path, speaker: dict[str, Any], draw: random.Random
) -> dict[str, Any]:
    """The attack by this very program: a clone of the speaker says the phrase, at the threshold of `speaker_trials`."""
    shipped = speaker["threshold_of_the_model"]
    threshold = speaker["threshold_at_1_percent"] if shipped is None else shipped
    trials: list[dict[str, Any]] = []
    by_speaker: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        by_speaker[row["speaker"]].append(row["path"])
    for name, paths in sorted(by_speaker.items()):
        draw.shuffle(paths)
        stolen, reference = ([data / path for path in part] for part in (paths[:3], paths[3:6]))
        if len(reference) < REFERENCE_CLIPS:
            continue
        consent = voxclone.Consent.attest(name, basis="a measurement of the attack that consent has to withstand")
        voice = model.clone(list(stolen), name=name, consent=consent)
        challenge = Challenge.draw()
        speech = model.generate(challenge.phrase, voice)
        source = (speech.samples, speech.sample_rate)
        mark = model.find_mark(source)
        own = embed_speaker(model._speaker_encoder, model.sample_rate, source)
        theirs = embed_speaker(model._speaker_encoder, model.sample_rate, list(reference))
        trials.append(
            {
                "speaker": name,
                "similarity": round(float(own @ theirs), 4),
                "score": round(float(compared(own[None], theirs, model._cohort)[0]), 4),
                "similarity_to_what_was_cloned": round(model.similarity(source, list(stolen)), 4),
                "phrase_margin": round(phrase_margin(model, source, challenge.words), 2),
                "margin_of_another_phrase": round(phrase_margin(model, source, Challenge.draw().words), 2),
                "words_heard": words_heard(source, challenge),
                "words_of_another_phrase_heard": words_heard(source, Challenge.draw()),
                "mark": mark,
            }
        )
    said = [trial for trial in trials if trial["phrase_margin"] >= MIN_PHRASE_MARGIN]
    passed = [trial for trial in trials if trial["score"] >= threshold]
    whole = [trial for trial in said if trial in passed and (trial["words_heard"] or 1.0) >= MIN_WORDS_HEARD]
    summary = {
        "clones": len(trials),
        "pass_the_speaker_check": len(passed) / len(trials),
        "pass_the_phrase_check": len(said) / len(trials),
        "pass_both_without_the_mark": len(whole) / len(trials),
        "model_has_a_mark": trials[0]["mark"] is not None,
        "pass_everything": share(trial in whole and trial["mark"] != "watermarked" for trial in trials),
    }
    return {"threshold": threshold, "summary": summary, "trials": trials}


def share(truths: Any) -> float:
    values = [float(truth) for truth in truths]
    return round(sum(values) / len(values), 4)


def quantiles(values: list[float]) -> dict[str, float]:
    return {f"{q:g} %": round(float(np.percentile(values, q)), 2) for q in (0, 5, 25, 50, 75, 95, 100)}


if __name__ == "__main__":
    main()
