"""Draw the voices of a folder as a map where alike ones lie near each other: a PNG, and an HTML file to point at.

The folder has a subfolder of recordings for each speaker, or .voice files, or both, at any depth. The map is t-SNE (van
der Maaten and Hinton 2008) of the speaker embeddings by cosine; of five points or fewer it is their principal axes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import voxclone
from voxclone import AudioError, ConsentError, Voice, VoiceError, VoxClone, VoxcloneError
from voxclone.audio.io import audio_files
from voxclone.audio.reference import prepare_reference
from voxclone.cli.arguments import at_least_one, not_negative
from voxclone.cli.ending import run_script
from voxclone.synthesis.embedding import embed_waveforms

TEMPLATE = Path(__file__).with_name("map.html")
LEAST_FOR_TSNE = 6
MARKERS = "osD^vPX"
LABELS = 40  # speakers whose names are written into the picture; beyond that they would cover it


class Point(NamedTuple):
    """A recording, or a voice file: where it is from, whose it is, and its embedding (D,)."""

    name: str
    speaker: str
    is_voice: bool
    embedding: NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", help="folder or Hub repository; the bundled model if left out")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--most", type=at_least_one, default=20, help="recordings of each speaker")
    parser.add_argument("--seed", type=not_negative, default=0)
    parser.add_argument("--out", type=Path, default=Path("voices"), help="the files' name, without .png and .html")
    args = parser.parse_args()

    recordings = audio_files(args.folder)  # refuses what is no folder, before the model is loaded
    model = VoxClone.from_pretrained(args.model, device=args.device)
    points, skipped = collect(model, args.folder, recordings, args.most)
    for line in skipped:
        print(f"left out: {line}")
    if len(points) < 2:
        raise AudioError(
            f"{args.folder} has {len(points)} usable recordings or voices; a map needs two. Put each speaker's "
            "recordings into a subfolder, or .voice files anywhere"
        )
    places = flatten(np.stack([point.embedding for point in points]), args.seed)
    shown = describe(points, places)
    title = f"Voices of {args.folder.resolve().name}"
    args.out.parent.mkdir(parents=True, exist_ok=True)
    draw(points, places, title, args.out.with_suffix(".png"))
    about = f"voxclone {voxclone.__version__}, {model.config.name}; near means alike to its speaker encoder"
    page = fill(TEMPLATE.read_text(encoding="utf-8"), {"title": title, "about": about, "points": shown})
    args.out.with_suffix(".html").write_text(page, encoding="utf-8")
    speakers = len({point.speaker for point in points})
    print(f"{args.out.with_suffix('.png')}, {args.out.with_suffix('.html')}: {len(points)} points, {speakers} speakers")


def collect(model: VoxClone, folder: Path, recordings: list[Path], most: int) -> tuple[list[Point], list[str]]:
    """What can be shown, and what cannot and why. A recording's speaker is the folder that it lies in."""
    points, skipped = [], []
    for path in sorted(path for path in folder.rglob("*.voice") if path.is_file()):
        name = str(path.relative_to(folder))
        try:
            voice = Voice.load(path)
        except (VoiceError, ConsentError) as error:
            skipped.append(f"{name}: {error}")
            continue
        if voice.encoder_id == model.encoder_id:
            points.append(Point(name, voice.name, True, voice.speaker_embedding))
        else:
            skipped.append(f"{name}: of another speaker encoder; clone it again with this model")
    by_speaker = groupby(sorted(recordings, key=lambda path: path.parent), lambda path: path.parent)
    sources = [path for _, own in by_speaker for path in islice(own, most)]
    fit: list[Path] = []

    def waveforms() -> Iterator[NDArray[np.float32]]:
        rate = model.config.speaker_encoder.sample_rate
        for path in sources:
            try:
                reference = prepare_reference(path, rate)
            except AudioError as error:
                skipped.append(f"{path.relative_to(folder)}: {error}")
                continue
            fit.append(path)
            yield reference.waveform

    embeddings = list(embed_waveforms(model._speaker_encoder, waveforms()))
    for path, embedding in zip(fit, embeddings, strict=True):
        speaker = path.parent.relative_to(folder).as_posix()
        points.append(Point(str(path.relative_to(folder)), speaker, False, embedding))
    return points, skipped


def flatten(embeddings: NDArray[np.float32], seed: int) -> NDArray[np.float64]:
    """(N, D) of unit length to (N, 2) from 0 to 1, the same each time."""
    if len(embeddings) < LEAST_FOR_TSNE:
        centred = embeddings - embeddings.mean(0)
        axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
        places = np.pad(centred @ axes.T, ((0, 0), (0, 2 - len(axes))))
    else:
        try:
            from sklearn.manifold import TSNE
        except ImportError as error:
            raise VoxcloneError("the map needs scikit-learn: pip install 'voxclone[train]'") from error
        perplexity = min(30.0, (len(embeddings) - 1) / 3)
        tsne = TSNE(2, perplexity=perplexity, metric="cosine", init="pca", random_state=seed)
        places = tsne.fit_transform(embeddings)
    low, high = places.min(0), places.max(0)
    return np.asarray((places - low) / np.maximum(high - low, 1e-9), np.float64)


def describe(points: list[Point], places: NDArray[np.float64]) -> list[dict[str, Any]]:
    """What the page tells of each point: its own speaker's other points, and the nearest other speaker, by cosine."""
    cosines = np.stack([point.embedding for point in points])
    cosines = cosines @ cosines.T
    speakers = np.array([point.speaker for point in points])
    names = sorted(set(speakers))
    told = []
    for index, (point, (x, y)) in enumerate(zip(points, places.tolist(), strict=True)):
        own = np.flatnonzero((speakers == point.speaker) & (np.arange(len(points)) != index))
        others = np.flatnonzero(speakers != point.speaker)
        nearest = others[cosines[index, others].argmax()] if len(others) else None
        told.append(
            {
                "x": round(x, 4),
                "y": round(y, 4),
                "name": point.name,
                "speaker": point.speaker,
                "hue": round(360 * names.index(point.speaker) / len(names)),
                "voice": point.is_voice,
                "own": round(float(cosines[index, own].mean()), 2) if len(own) else None,
                "nearest": None if nearest is None else str(speakers[nearest]),
                "nearest_cosine": None if nearest is None else round(float(cosines[index, nearest]), 2),
            }
        )
    return told


def draw(points: list[Point], places: NDArray[np.float64], title: str, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 8))
    names = sorted({point.speaker for point in points})
    for number, name in enumerate(names):
        colour = pyplot.get_cmap("hsv")(number / len(names))
        for is_voice, marker, size in ((False, MARKERS[number % len(MARKERS)], 28), (True, "*", 160)):
            own = np.array([p.speaker == name and p.is_voice == is_voice for p in points])
            axes.scatter(*places[own].T, s=size, marker=marker, color=colour, edgecolor="white", linewidth=0.4)
        if len(names) <= LABELS:
            own = places[[point.speaker == name for point in points]]
            above = np.median(own[:, 0]), own[:, 1].max()
            outline = {"boxstyle": "round,pad=0.2", "facecolor": "white", "alpha": 0.7, "edgecolor": "none"}
            axes.annotate(name, above, (0, 9), textcoords="offset points", ha="center", fontsize=8, bbox=outline)
    axes.set(
        title=f"{title}: {len(points)} points, {len(names)} speakers (stars are voice files)", xticks=[], yticks=[]
    )
    axes.margins(0.08)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def fill(template: str, values: dict[str, Any]) -> str:
    """The template with its data, which cannot end the script that it stands in."""
    return template.replace('"DATA"', json.dumps(values, ensure_ascii=False).replace("<", "\\u003c"))


if __name__ == "__main__":
    run_script(main)
