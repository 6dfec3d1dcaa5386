"""The aligner's word boundaries against PocketSphinx's, a forced aligner of other features, model and dictionary.

PocketSphinx brings its acoustic model and dictionary in its wheel; torchaudio's forced aligner has no acoustic model
of its own. Utterances with a word that the dictionary lacks are left out. The other aligner's errors are in these
numbers too: two aligners that are each 10 ms off differ by more than 10 ms.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pocketsphinx
from matplotlib.figure import Figure
from numpy.typing import NDArray

import voxclone
from environment import RESULTS, write_result
from voxclone.audio.io import read_audio
from voxclone.audio.resample import resample
from voxclone.errors import VoxcloneError
from voxclone.training.extraction import Recording, read_manifest

SPHINX_RATE = 16000  # Hz
SPHINX_FRAME_SECONDS = 0.01
SPHINX_WINDOW_SECONDS = 0.025625  # a frame is named by where its window begins; a border lies between window centres
SECONDS = (1.5, 9.0)  # of an utterance


def sphinx_words(samples: NDArray[np.float32], sample_rate: int, words: list[str]) -> list[tuple[float, float]] | None:
    """Start and end of each word in seconds; None where PocketSphinx has no pronunciation or no alignment."""
    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
    if any(decoder.lookup_word(word) is None for word in words):
        return None
    narrow = np.clip(resample(samples, sample_rate, SPHINX_RATE), -1, 1)
    decoder.set_align_text(" ".join(words))
    decoder.start_utt()
    decoder.process_raw((narrow * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    late = (SPHINX_WINDOW_SECONDS - SPHINX_FRAME_SECONDS) / 2
    found = [
        (segment.start_frame * SPHINX_FRAME_SECONDS + late, (segment.end_frame + 1) * SPHINX_FRAME_SECONDS + late)
        for segment in decoder.seg() or []
        if not segment.word.startswith("<")
    ]
    return found if len(found) == len(words) else None


def compare(model: voxclone.VoxClone, recording: Recording) -> dict[str, Any] | None:
    """Both alignments of a recording, where both can be had."""
    samples, rate = read_audio(recording.path)
    try:
        own = model.align((samples, rate), recording.text)
    except VoxcloneError:  # too short for its text
        return None
    theirs = sphinx_words(samples, rate, [word.text.lower() for word in own.words])
    if theirs is None:
        return None
    ours = [(word.start_seconds, word.end_seconds) for word in own.words]
    return {"ours": np.array(ours), "theirs": np.array(theirs), "mel": own.mel, "confidence": own.confidence}


def differences(pair: dict[str, Any]) -> NDArray[np.float64]:
    """Ours less theirs in seconds, of every border of a word.

    Where PocketSphinx hears no pause between two words there is one border; the frame that a space must have with us is
    halved between them.
    """
    ours, theirs = pair["ours"], pair["theirs"]
    found = [ours[0, 0] - theirs[0, 0], ours[-1, 1] - theirs[-1, 1]]
    for word in range(len(ours) - 1):
        end, start = ours[word, 1], ours[word + 1, 0]
        if theirs[word + 1, 0] - theirs[word, 1] < SPHINX_FRAME_SECONDS / 2:
            found.append((end + start) / 2 - theirs[word, 1])
        else:
            found += [end - theirs[word, 1], start - theirs[word + 1, 0]]
    return np.array(found)


def summary(errors: NDArray[np.float64]) -> dict[str, float]:
    """Of absolute differences in seconds."""
    milliseconds = 1000 * np.abs(errors)
    return {
        "boundaries": len(errors),
        "median_ms": float(np.median(milliseconds)),
        "mean_ms": float(milliseconds.mean()),
        "within_20_ms": float((milliseconds <= 20).mean()),
        "within_50_ms": float((milliseconds <= 50).mean()),
        "over_200_ms": float((milliseconds > 200).mean()),
        "bias_ms": float(1000 * np.median(errors)),
    }


def draw(pairs: list[dict[str, Any]], path: Path, seconds_per_frame: float) -> None:
    """Mels with our word starts above and theirs below."""
    figure = Figure(figsize=(14, 3 * len(pairs)), layout="constrained")
    for axes, pair in zip(np.atleast_1d(figure.subplots(len(pairs))), pairs, strict=True):
        seconds = pair["mel"].shape[1] * seconds_per_frame
        axes.imshow(pair["mel"], origin="lower", aspect="auto", extent=(0, seconds, 0, 80), cmap="magma")
        for name, colour, low in (("ours", "white", 40), ("theirs", "cyan", 0)):
            axes.vlines(pair[name].ravel(), low, low + 40, colour, linewidth=1)
        axes.set(xlabel="seconds", ylabel="mel band", title="word boundaries: ours above, PocketSphinx's below")
    figure.savefig(path, dpi=45)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True, help="recordings with text")
    parser.add_argument("--corpora", nargs="+", default=["librispeech", "ljspeech", "kathleen", "common_voice"])
    parser.add_argument("--utterances", type=int, default=200)
    parser.add_argument("--model", help="folder; the bundled one if left out")
    parser.add_argument("--name", default="alignment", help="of the result file")
    args = parser.parse_args()

    model = voxclone.VoxClone.from_pretrained(args.model, device="cpu")
    rng = np.random.default_rng(0)
    by_corpus: dict[str, list[Recording]] = {corpus: [] for corpus in args.corpora}
    for recording in read_manifest(args.manifest, args.manifest.parent):
        about = recording.about
        fits = about.get("language", "en") == "en" and SECONDS[0] < float(about["seconds"]) < SECONDS[1]
        if recording.text and fits and about["corpus"] in by_corpus:
            by_corpus[about["corpus"]].append(recording)
    found: dict[str, list[dict[str, Any]]] = {}
    for corpus, recordings in by_corpus.items():
        found[corpus] = []
        for index in rng.permutation(len(recordings)):
            if len(found[corpus]) == args.utterances // len(by_corpus):
                break
            if (pair := compare(model, recordings[index])) is not None:
                found[corpus].append(pair)
    errors = {corpus: np.concatenate([differences(pair) for pair in pairs]) for corpus, pairs in found.items() if pairs}
    audio = model.config.audio
    examples = [pairs[0] for pairs in found.values() if pairs]
    draw(examples, RESULTS / f"{args.name}.png", audio.hop_length / audio.sample_rate)
    result = {
        "utterances": {corpus: len(pairs) for corpus, pairs in found.items()},
        "all": summary(np.concatenate(list(errors.values()))),
        "by_corpus": {corpus: summary(own) for corpus, own in errors.items()},
    }
    print(write_result(args.name, result).read_text(encoding="utf8"))


if __name__ == "__main__":
    main()
