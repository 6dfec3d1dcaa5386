"""How well a model's mark is found after everything that may happen to speech, and by whom it is spoken.

Marked speech is copy-synthesis of recordings in many languages and sentences spoken by the model's own voices; unmarked
is the same recordings, sent through the same channel, and other vocoders' speech. Scores are of windows of two seconds,
heard by themselves at every speed of the model's; the threshold is its own, set on natural speech by
recipes/watermark/calibrate.py.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import stale
import threats
import voxclone
from environment import RESULTS, write_result
from voxclone import hub
from voxclone.audio.resample import resample
from voxclone.config import AudioConfig
from voxclone.files import file_sha256
from voxclone.kernels.precision import inference_precision
from voxclone.models.vocoder import build_vocoder
from voxclone.models.vocoder.cost import multiply_adds
from voxclone.models.watermark import WatermarkDetector
from voxclone.safety.detection import WINDOW_SECONDS, MarkFinder, Verdict
from voxclone.safety.finding import load_finder
from voxclone.training import distortions as d
from voxclone.training.features import Entry, FeatureStore
from voxclone.training.imitation import CopySynthesis, GriffinLim, OtherRhythm
from voxclone.training.thresholds import Scored, best_scores, for_training, passed, searched_scores, window_scores
from watermark_channels import RATE, Effect, channels

VERDICTS = get_args(Verdict)
SOURCE_FRAMES = 200  # of the mel: 2.32 s, so that two seconds are left of speech played 12 % faster
Windows = NDArray[np.float32]  # (N, S) at RATE


def heard(windows: Windows, effect: Effect, detector: WatermarkDetector, seconds: float = WINDOW_SECONDS) -> Any:
    """Scores after an effect, at the best speed; at their own of those that it is enough for."""
    rate = detector.config.sample_rate
    length = round(seconds * rate)
    sent = []
    for index, window in enumerate(windows):
        changed = effect(torch.from_numpy(window), np.random.default_rng(index)).numpy()
        sent.append(resample(changed, RATE, rate)[:length])
    received: Windows = np.stack([np.pad(each, (0, length - len(each))) for each in sent])
    scores = window_scores(detector, received)
    unsure = np.flatnonzero(scores < detector.config.threshold)
    if len(unsure):
        scores[unsure] = best_scores(searched_scores(detector, received[unsure]), detector.config.speed_cost)
    return scores


def score_channel(folder: Path, marked: Windows, natural: Windows, name: str) -> tuple[str, Any, Any]:
    """A row of the table, in a process of its own."""
    torch.set_num_threads(1)
    detector, effect = load_detector(folder), channels()[name]
    with torch.inference_mode():
        return name, heard(marked, effect, detector), heard(natural[::2], effect, detector)


def load_detector(folder: Path) -> WatermarkDetector:
    config = hub.read_config(folder).watermark
    if config is None:
        raise SystemExit(f"{folder} has no detector")
    detector = WatermarkDetector(config)
    hub.load_weights(detector, folder / "detector.safetensors")
    return detector.eval()


def load_vocoder(folder: Path) -> nn.Module:
    """As inference runs it."""
    config = hub.read_config(folder).vocoder
    vocoder: nn.Module = build_vocoder(config)
    hub.load_weights(vocoder, folder / "vocoder.safetensors")
    precision = inference_precision(torch.device("cpu"), multiply_adds(config))
    vocoder.precision = precision  # type: ignore[assignment]  # a plain attribute
    return vocoder.eval()


def choose(entries: Sequence[Entry], count: int, length: int) -> list[Entry]:
    """Recordings of as many languages and of both genders as there are, held-out speakers first."""
    rng = np.random.default_rng(0)
    groups: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    for index in rng.permutation(len(entries)):
        entry = entries[index]
        if entry.rows["waveform"][1] >= length + RATE // 4:
            groups[entry.about["language"], entry.about["gender"]].append(entry)
    for group in groups.values():
        group.sort(key=lambda entry: entry.about["split"] != "valid")
    kept: list[Entry] = []
    while len(kept) < count and any(groups.values()):
        for group in groups.values():
            kept += [group.pop(0)] if group else []
    return kept[:count]


def remade(imitate: Callable[[Tensor], Tensor], natural: Windows) -> Windows:
    with torch.inference_mode():
        batches = [imitate(torch.from_numpy(natural[i : i + 8])).float().numpy() for i in range(0, len(natural), 8)]
    return np.concatenate(batches)


def spoken(folder: Path, texts: Sequence[str], length: int) -> tuple[Windows, list[str]]:
    """Sentences by a model's own voices, a window of each, and the voice of each."""
    model = voxclone.VoxClone.from_pretrained(folder, device="cpu", unmarked_for_research=True)
    windows, voices = [], []
    for index, text in enumerate(texts):
        name, voice = list(model.voices.items())[index % len(model.voices)]
        samples = model.generate(text, voice).samples
        if len(samples) >= length:
            start = (len(samples) - length) // 2
            windows.append(samples[start : start + length])
            voices.append(name)
    return np.stack(windows), voices


def shares(scores: Any, threshold: float) -> dict[str, Any]:
    """How many pass the threshold; silent windows are left out."""
    finite = scores[np.isfinite(scores)]
    return {"passed": round(float((finite >= threshold).mean()), 4), "windows": len(finite)}


def by_group(scores: Any, labels: Sequence[str], threshold: float, least: int = 5) -> dict[str, Any]:
    names = np.array(labels)
    groups = {name: scores[names == name] for name in sorted(set(labels))}
    return {name: shares(group, threshold) for name, group in groups.items() if np.isfinite(group).sum() >= least}


def find_spans(finder: MarkFinder, marked: Windows, natural: Windows, speed: float = 1.0) -> dict[str, Any]:
    """Marked stretches of two seconds between natural ones of four, all at a speed: how well their ends are found."""
    overlaps, found, speeds = [], 0, []
    for index in range(min(len(marked), len(natural) - 4, 40)):
        before, after = (np.concatenate(natural[index + i : index + i + 2]) for i in (1, 3))
        samples = torch.from_numpy(np.concatenate([before, marked[index], after]))
        start, end = len(before) / RATE / speed, (len(before) + len(marked[index])) / RATE / speed
        detection = finder.find([(d.change_speed(samples, speed).numpy(), RATE)])
        inside = sum(max(0.0, min(end, b) - max(start, a)) for a, b in detection.spans)
        union = (end - start) + sum(b - a for a, b in detection.spans) - inside
        overlaps.append(inside / union)
        found += bool(detection.spans)
        speeds += [detection.speed] if detection.spans else []
    return {
        "files": len(overlaps),
        "found": found,
        "mean_overlap": round(float(np.mean(overlaps)), 3),
        "median_speed_found": round(float(np.median(speeds)), 3) if speeds else None,
    }


def sound_alarms(finder: MarkFinder, store: FeatureStore, longest_seconds: float = 60.0) -> dict[str, dict[str, int]]:
    """What `detect` says of whole recordings without speech, by kind; of none of them was the detector trained."""
    verdicts: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(VERDICTS, 0))
    for entry in store.entries:
        if not for_training(entry):
            count = min(entry.rows["waveform"][1], round(longest_seconds * RATE))
            samples = store.read(entry, "waveform", 0, count).astype(np.float32) / np.float32(32768)
            verdicts[entry.about["kind"]][finder.find([(samples, RATE)]).verdict] += 1
    together = {each: sum(row[each] for row in verdicts.values()) for each in VERDICTS}
    return {**verdicts, "all": together}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument(
        "--natural", type=Path, required=True, help="folder of the stores by recipes/watermark/prepare.py"
    )
    parser.add_argument(
        "--scores", type=Path, help="folder of calibrate.py's scores: false alarms on all natural speech"
    )
    parser.add_argument("--unmarked", type=Path, nargs="*", default=[], help="model folders that are not marked")
    parser.add_argument("--texts", type=Path, help="sentences to speak, one a line")
    parser.add_argument("--windows", type=int, default=320)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rows", nargs="*", help="only these rows of the table, printed and not written")
    args = parser.parse_args()

    detector, audio = load_detector(args.model), AudioConfig()
    finder = load_finder(args.model)
    config, length = detector.config, SOURCE_FRAMES * audio.hop_length
    store = FeatureStore(args.natural / "channel")
    chosen = choose([entry for entry in store.entries if not for_training(entry)], args.windows, length)
    natural = np.stack(
        [store.read(e, "waveform", (e.rows["waveform"][1] - length) // 2, length) for e in chosen]
    ).astype(np.float32) / np.float32(32768)
    copies = remade(CopySynthesis(load_vocoder(args.model), audio), natural)
    texts = args.texts.read_text(encoding="utf8").splitlines() if args.texts else []
    said, voices = spoken(args.model, texts, length) if texts else (np.zeros((0, length), np.float32), [])
    marked = np.concatenate([copies, said])

    weights = [(args.model / f"{part}.safetensors").read_bytes() for part in ("detector", "vocoder")]
    known = b"".join([*weights, json.dumps(config.to_dict()).encode()])
    digest = hashlib.sha256(known).hexdigest()[:16]
    kept = args.natural / f"table-{digest}-{args.windows}.json"  # rows that are done, for a run that goes on
    table: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    todo = [name for name in args.rows or channels() if name not in table]
    count = len(copies)
    with get_context("spawn").Pool(args.processes) as pool:
        for name, found, false in pool.imap(partial(score_channel, args.model, marked, natural), todo):
            table[name] = {
                "found": shares(found, config.threshold),
                "found_copies": shares(found[:count], config.threshold),
                "found_spoken": shares(found[count:], config.threshold) if len(said) else None,
                "false": shares(false, config.threshold),
            }
            kept.write_text(json.dumps(table))
            print(name, json.dumps(table[name]), flush=True)
    if args.rows:
        return
    false = [row["false"] for row in table.values()]
    alarms, heard_windows = (
        sum(round(row["passed"] * row["windows"]) for row in false),
        sum(row["windows"] for row in false),
    )
    languages = [entry.about["language"] for entry in chosen]
    genders = [entry.about["gender"] for entry in chosen]
    held_out = ["held-out speakers" if e.about["split"] == "valid" else "other speakers" for e in chosen]
    with torch.inference_mode():
        clean = heard(marked, _same, detector)
        short = heard(marked, _same, detector, 1.0)
        torch.manual_seed(0)
        imitations = {
            name: shares(heard(remade(imitate, natural), _same, detector), config.threshold)
            for name, imitate in (
                ("Griffin-Lim", GriffinLim(audio)),
                ("natural, with another vocoder's rhythm", OtherRhythm(audio)),
            )
        }
        resynthesis = {
            "Griffin-Lim": shares(heard(remade(GriffinLim(audio), copies), _same, detector), config.threshold)
        }
        for folder in args.unmarked:
            vocoder = CopySynthesis(load_vocoder(folder), audio)
            imitations[folder.name] = shares(heard(remade(vocoder, natural), _same, detector), config.threshold)
            resynthesis[folder.name] = shares(heard(remade(vocoder, copies), _same, detector), config.threshold)
    numbers: dict[str, Any] = {
        "model": args.model.name,
        "window_seconds": WINDOW_SECONDS,
        "speeds": [1.0, *config.speeds],
        "thresholds": {k: v for k, v in config.to_dict().items() if "thresh" in k or k in ("doubt", "speed_cost")},
        "channels": table,
        "false_alarms_through_all_channels": {"passed": round(alarms / heard_windows, 5), "windows": heard_windows},
        "clean_copies_by_language": by_group(clean[: len(copies)], languages, config.threshold),
        "clean_copies_by_gender": by_group(clean[: len(copies)], genders, config.threshold),
        "clean_copies_by_split": by_group(clean[: len(copies)], held_out, config.threshold),
        "clean_spoken_by_voice": by_group(clean[len(copies) :], voices, config.threshold, least=1),
        "cropped_to_one_second": shares(short, config.threshold + config.threshold_short),
        "unmarked_synthetic_speech_that_passes": imitations,
        "marked_speech_that_passes_after_resynthesis": resynthesis,
        "verdicts_on_sound_without_speech": sound_alarms(finder, FeatureStore(args.natural / "sounds")),
        "spans": {f"speed {speed}": find_spans(finder, copies, natural, speed) for speed in (1.0, 1.05, 0.927)},
    }
    if args.scores:
        numbers["natural"] = natural_alarms(
            args.scores, args.natural / "calibration", config.speed_cost, config.threshold
        )
    elif former := natural_alarms_before(args.model, numbers["thresholds"]):
        numbers["natural"] = former
    print(write_result("watermark", numbers))
    threats.main()


def _same(x: Tensor, rng: np.random.Generator) -> Tensor:
    return x


def natural_alarms_before(folder: Path, thresholds: dict[str, Any]) -> dict[str, Any] | None:
    """Those of the result that is there, if it is of this detector: the vocoder has no part in them."""
    path = RESULTS / "watermark.json"
    former = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if former.get("thresholds") != json.loads(json.dumps(thresholds)) or "natural" not in former:
        return None
    commit = former["natural"].get("commit", former["environment"]["commit"])
    held = stale.git("show", f"{commit}:{stale.CHECKSUMS.as_posix()}") or ""
    same = stale.parts(held).get("detector") == file_sha256(folder / "detector.safetensors")
    return former["natural"] | {"commit": commit} if same else None


def natural_alarms(folder: Path, store: Path, cost: float, threshold: float) -> dict[str, Any]:
    """False alarms on all natural speech that calibration scored, by language, corpus and gender."""
    newest = max(folder.glob("natural-*.npz"), key=lambda path: path.stat().st_mtime)
    saved = np.load(newest)
    about = {entry.key: entry.about for entry in FeatureStore(store).entries}
    scores, weight, keys = saved["scores"], saved["weight"], saved["keys"].tolist()

    def share(kept: NDArray[np.bool_]) -> dict[str, Any]:
        some = Scored(scores[kept], weight[kept], np.asarray(keys)[kept].tolist())
        heard = np.isfinite(some.scores[:, 0])
        searched = int((heard & (some.weight > 0)).sum())
        if not searched:
            return {"passed": None, "windows": int(heard.sum()), "at_all_speeds": 0}
        alarms = round(passed(some, cost, threshold), 5)
        return {"passed": alarms, "windows": int(heard.sum()), "at_all_speeds": searched}

    hours = WINDOW_SECONDS * len(scores) / 3600
    by: dict[str, Any] = {}
    for kind in ("language", "corpus", "gender"):
        labels = np.array([about[key][kind] for key in keys])
        by[f"by_{kind}"] = {label: share(labels == label) for label in sorted(set(labels.tolist()))}
    return {"hours": round(hours, 2), **share(np.ones(len(scores), bool))} | by


if __name__ == "__main__":
    main()
