"""Fine-tune at several depths on the same recordings, and print what each learned."""

import argparse
import json
from pathlib import Path

from voxclone import Consent
from voxclone.cli.ending import run_script
from voxclone.finetuning import finetune
from voxclone.finetuning.adaptation import DEPTHS

COLUMNS = ("depth", "loss before", "loss after", "likeness", "of the clone", "file, kB", "seconds")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("recordings", type=Path)
    parser.add_argument("--name", required=True, help="whose voice it is")
    parser.add_argument("--consent", required=True, help='on what ground the speaker agreed: "my own voice"')
    parser.add_argument("--out", type=Path, required=True, help="gets a folder for each depth")
    parser.add_argument("--depths", nargs="+", choices=DEPTHS, default=list(DEPTHS))
    parser.add_argument("--model", help="folder or Hub repository; the bundled model if left out")
    parser.add_argument("--minutes", type=float, default=8.0, help="the most that each training takes")
    args = parser.parse_args()

    consent = Consent.attest(args.name, basis=args.consent, scope=("cloning", "adapting"))
    print(*COLUMNS, sep="\t")
    for depth in args.depths:
        tuned = finetune(
            args.recordings, name=args.name, consent=consent, out=args.out / depth, model=args.model, depth=depth,
            minutes=args.minutes, progress=True,
        )  # fmt: skip
        report = json.loads(tuned.report_path.with_suffix(".json").read_text(encoding="utf8"))
        print(
            depth,
            f"{report['held_out_loss_before']:.3f}",
            f"{report['held_out_loss_after']:.3f}",
            f"{report['similarity']['fine-tuned']:.2f}",
            f"{report['similarity']['clone']:.2f}",
            f"{report['file_bytes'] / 1000:.1f}",
            f"{report['seconds']:.0f}",
            sep="\t",
            flush=True,
        )


if __name__ == "__main__":
    run_script(main)
