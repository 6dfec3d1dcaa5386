"""The voices that benchmarks/finetune.py judges: cloned or fine-tuned once, and kept."""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from time import monotonic, process_time
from typing import Any

import soundfile

import voxclone
from environment import git_commit
from manifest import manifest_rows
from voxclone.audio.io import AudioSource, read_audio
from voxclone.finetuning import finetune

TEN_SENTENCES = 10
ZERO_SHOT_SECONDS = 8.0  # of one recording, at the most
LEAST_SECONDS = 5.0  # that it has
ZERO_SHOTS = 3  # of them; one alone would be luck
ASIDE = 2  # recordings that voices are compared with
STRETCHES = 10

Rows = list[dict[str, str]]
Run = dict[str, Any]
Made = tuple[list[voxclone.Voice], Run]


class Voices:
    """A speaker's voices from the recordings of a manifest.

    Args:
        args: The command's.
        model: What they are of.
        work: Where they are kept.
    """

    def __init__(self, args: argparse.Namespace, model: voxclone.VoxClone, work: Path) -> None:
        self.args, self.model, self.work = args, model, work
        rows = manifest_rows(args.manifest)
        self.rows = [row | {"path": str(args.manifest.parent / row["path"])} for row in rows if row["text"]]

    def of(self, speaker: str) -> Iterator[tuple[Run, Callable[[], Made]]]:
        """What each voice is, and what makes it."""
        pool = self._recordings(speaker)[:-ASIDE]
        known: Run = {"speaker": speaker, "trained_on": speaker in self.args.trained_on}
        long = [row for row in pool if float(row["seconds"]) >= LEAST_SECONDS]
        ones = long[:: max(1, len(long) // ZERO_SHOTS)][:ZERO_SHOTS]
        about = {"amount": 0, "kind": "zero-shot", "recordings": 1, "seconds": ZERO_SHOT_SECONDS}
        yield known | about, partial(self._zero_shots, speaker, ones)
        for amount in self.args.amounts:
            chosen = choose(pool, amount)
            seconds = round(sum(float(row["seconds"]) for row in chosen), 1)
            about = {"amount": amount, "kind": "clone", "recordings": len(chosen), "seconds": seconds}
            yield known | about, partial(self._clone, speaker, chosen)
            for depth in self.args.depths:
                yield known | about | {"kind": depth}, partial(self._tune, speaker, chosen, amount, depth)

    def aside(self, speaker: str) -> tuple[list[Path], list[Path]]:
        """Recordings to compare with, and the speaker's others."""
        paths = [Path(row["path"]) for row in self._recordings(speaker)]
        return paths[-ASIDE:], paths[:-ASIDE]

    def said_by_others(self, corpus: str, count: int) -> list[str]:
        """Texts of a corpus that none of the speakers read."""
        own = set(self.args.speakers)
        return [row["text"] for row in self.rows if row["corpus"] == corpus and row["speaker"] not in own][:count]

    def _recordings(self, speaker: str) -> Rows:
        """The transcribed ones in order of their paths."""
        own = [row for row in self.rows if row["speaker"] == speaker]
        if not own or (own[0].get("split") != "valid" and speaker not in self.args.trained_on):
            raise SystemExit(f"{speaker}: not in the manifest, or not of the split 'valid', which training leaves out")
        return sorted(own, key=lambda row: row["path"])

    def _zero_shots(self, speaker: str, rows: Rows) -> Made:
        cut = []
        for row in rows:
            samples, rate = read_audio(row["path"])
            cut.append((samples[: round(ZERO_SHOT_SECONDS * rate)], rate))
        voices = [self.model.clone(each, name=speaker, consent=_consent(speaker)) for each in cut]
        return voices, {"voices": len(voices)}

    def _clone(self, speaker: str, rows: Rows) -> Made:
        paths: list[AudioSource] = [row["path"] for row in rows]
        return [self.model.clone(paths, name=speaker, consent=_consent(speaker))], {}

    def _tune(self, speaker: str, rows: Rows, amount: int, depth: Any) -> Made:
        """The fine-tuned voice, from the work folder if it is there; depths share what was prepared."""
        place = self.work / f"{speaker}-{amount}"
        kept, note = place / f"{depth}.voice", place / f"{depth}.json"
        if not note.exists():
            lay_out(rows, place / "recordings")
            prepared = (place / "out").exists()
            started, worked = monotonic(), process_time()
            done = finetune(
                place / "recordings", name=speaker, consent=_consent(speaker), out=place / "out", model=self.args.model,
                depth=depth, minutes=self.args.minutes,
            )  # fmt: skip
            cost = {"wall_seconds": round(monotonic() - started, 1), "cpu_seconds": round(process_time() - worked, 1)}
            report = json.loads(done.report_path.with_suffix(".json").read_text(encoding="utf8"))
            names = (
                "minutes_kept",
                "held_out_loss_before",
                "held_out_loss_after",
                "best_update",
                "file_bytes",
                "similarity",
            )
            learned = {name if name != "similarity" else "own_encoder": report[name] for name in names}
            about: Run = {"depth": done.depth, "prepared_before": prepared, "tuned_at": git_commit()}
            about |= {"load_average": round(os.getloadavg()[0], 1)}
            done.voice.save(kept)
            note.write_text(json.dumps(about | cost | learned), encoding="utf8")
        return [voxclone.Voice.load(kept)], json.loads(note.read_text(encoding="utf8"))


def _consent(speaker: str) -> voxclone.Consent:
    return voxclone.Consent.attest(speaker, basis="corpus licensed for it", scope=("cloning", "adapting"))


def choose(rows: Rows, amount: int) -> Rows:
    """Ten recordings, the shortest, or the first ones that fill `amount` seconds."""
    if amount == TEN_SENTENCES:
        return sorted(rows, key=lambda row: float(row["seconds"]))[:TEN_SENTENCES]
    chosen, seconds = [], 0.0
    for row in rows:
        if seconds + float(row["seconds"]) / 2 > amount:
            break
        chosen.append(row)
        seconds += float(row["seconds"])
    return chosen


def lay_out(rows: Rows, folder: Path) -> None:
    """The recordings with their texts as a user's folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for row in rows:
        target = folder / Path(row["path"]).name
        shutil.copyfile(row["path"], target)
        target.with_suffix(".txt").write_text(row["text"], encoding="utf8")


def cut_stretches(paths: list[Path], seconds: float, folder: Path) -> list[Path]:
    """The middle of recordings that are long enough, written as wav files."""
    folder.mkdir(parents=True, exist_ok=True)
    cut = []
    for path in paths[:: max(1, len(paths) // STRETCHES)]:
        samples, rate = read_audio(path)
        wanted = round(seconds * rate)
        if len(samples) >= wanted:
            start = (len(samples) - wanted) // 2
            cut.append(folder / f"{path.stem}.wav")
            soundfile.write(cut[-1], samples[start : start + wanted], rate)
    return cut
