"""`voxclone evaluate` over held-out speakers of a manifest, and its summary as a result file.

    python benchmarks/evaluation.py --manifest data/manifest.tsv --corpus librispeech --speakers 4 --per-speaker 2 \
        --verifier "command:python ../judges/score_spk_nnid.py --pairs" \
        --naturalness "command:python ../judges/score_ldnet.py" --out runs/evaluation

The list is that of recipes/evaluate/list.py: speakers' own texts, with their recordings judged beside. A report that is
in `--out` already is taken as it is; the page to hear and see it, report.html, stays there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from environment import ROOT, write_result
from voxclone.evaluation.judges.opening import short_name

LEFT_OUT = ("words", "phonemes", "audio", "digest")  # of an utterance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--corpus", required=True)
    parser.add_argument("--speakers", default="4")
    parser.add_argument("--per-speaker", default="2")
    parser.add_argument("--consent", default="corpus licensed for it")
    parser.add_argument("--model", help="folder; the bundled one if left out")
    parser.add_argument("--asr", default="pocketsphinx")
    parser.add_argument("--verifier", required=True)
    parser.add_argument("--naturalness", required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the report")
    parser.add_argument("--name", default="evaluation", help="of the result file")
    args = parser.parse_args()

    report = args.out / "report.json"
    if not report.exists():
        args.out.mkdir(parents=True, exist_ok=True)
        table = args.out / "list.tsv"
        listing = [sys.executable, str(ROOT / "recipes/evaluate/list.py"), "--manifest", str(args.manifest)]
        listing += ["--corpus", args.corpus, "--speakers", args.speakers, "--per-speaker", args.per_speaker]
        subprocess.run([*listing, "--out", str(table)], check=True)
        command = [sys.executable, "-m", "voxclone.cli", "evaluate", str(table), "-o", str(args.out)]
        command += ["--audio-root", str(args.manifest.parent), "--consent", args.consent, "--asr", args.asr]
        command += ["--verifier", args.verifier, "--naturalness", args.naturalness]
        command += ["--model", args.model] if args.model else []
        subprocess.run(command, check=True)
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf8").replace(str(Path.home()), "~"))
    for means in found["summary"].values():
        for mean in means:
            mean["judge"] = short_name(mean["judge"])
    for utterance in found["utterances"]:
        utterance["naturalness"] = {short_name(name): score for name, score in utterance["naturalness"].items()}
        for name in LEFT_OUT:
            utterance.pop(name, None)  # reports of before have fewer
    print(write_result(args.name, found))


if __name__ == "__main__":
    main()
