"""Features of a corpus, computed once: `speaker` (16 kHz, every recording) and `speech` (22.05 kHz, with phonemes)."""

import argparse
import functools
import json
from dataclasses import asdict
from pathlib import Path

from voxclone import hub
from voxclone.cli.ending import run_script
from voxclone.config import AudioConfig, SpeakerEncoderConfig
from voxclone.errors import ModelError
from voxclone.models.aligner import Aligner
from voxclone.training.alignment import store_durations
from voxclone.training.extraction import (
    extract_speaker_features,
    extract_speech_features,
    fill_store,
    read_folder,
    read_manifest,
)
from voxclone.training.features import FeatureStore
from voxclone.training.speech_report import as_table, report_speech


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path, help="manifest.tsv, or a folder with one folder for each speaker")
    parser.add_argument("--out", type=Path, required=True, help="folder for the feature stores")
    parser.add_argument("--stores", nargs="+", choices=("speaker", "speech"), default=["speaker", "speech"])
    parser.add_argument("--corpora", nargs="*", help="only these values of the manifest's corpus column")
    parser.add_argument("--languages", nargs="*", help="only these values of the manifest's language column")
    parser.add_argument(
        "--align-with", type=Path, help="model folder whose aligner makes durations and checks the texts"
    )
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()

    found = read_folder(args.source) if args.source.is_dir() else read_manifest(args.source, args.source.parent)
    recordings = [r for r in found if not args.corpora or r.about["corpus"] in args.corpora]
    recordings = [r for r in recordings if not args.languages or r.about["language"] in args.languages]
    if not recordings:
        there = {name: ", ".join(sorted({r.about[name] for r in found})) for name in ("corpus", "language")}
        parser.error(
            f"none of {len(found)} recordings is of these corpora and languages; the corpora are {there['corpus']}, "
            f"the languages {there['language']}"
        )
    extractors = {
        "speaker": functools.partial(extract_speaker_features, sample_rate=SpeakerEncoderConfig().sample_rate),
        "speech": functools.partial(extract_speech_features, audio=AudioConfig()),
    }
    for name in args.stores:
        store = FeatureStore(args.out / name)
        refused = fill_store(store, recordings, extractors[name], args.workers)
        (store.folder / "refused.json").write_text(json.dumps(refused, indent=1, ensure_ascii=False))
        print(f"{store.folder}: {len(store.entries)} recordings, {len(refused)} refused (see refused.json)")
    if "speech" in args.stores:
        speech, durations = FeatureStore(args.out / "speech"), None
        if args.align_with:
            durations = FeatureStore(args.out / "durations")
            store_durations(load_aligner(args.align_with), speech, durations)
        reports = report_speech(speech, durations)
        (speech.folder / "report.json").write_text(json.dumps({c: asdict(r) for c, r in reports.items()}, indent=1))
        print(as_table(reports))


def load_aligner(folder: Path) -> Aligner:
    """The aligner of a model folder."""
    config = hub.read_config(folder).aligner
    if config is None:
        raise ModelError(f"{folder} has no aligner: give another model, or train one with recipes/acoustic/align.py")
    aligner = Aligner(config)
    hub.load_weights(aligner, folder / "aligner.safetensors")
    return aligner.eval()


if __name__ == "__main__":
    run_script(main)
