"""From one voice to another in steps: speech of each mix, and a plot of how alike it is to both ends."""

import argparse
import json
from pathlib import Path

import matplotlib
import numpy as np

import voxclone
from voxclone.cli.ending import run_script
from voxclone.synthesis.reference import measure_speaker

TEXT = "The ferry leaves the harbour at seven every morning, and by noon the whole market is awake."


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="folder or Hub repository; the bundled model if left out")
    parser.add_argument(
        "--voices", nargs=2, metavar=("FROM", "TO"), help="names or files; the model's first two if left out"
    )
    parser.add_argument("--steps", type=int, default=9)
    parser.add_argument("--text", default=TEXT)
    parser.add_argument("--out", type=Path, default=Path("slider"))
    args = parser.parse_args()

    model = voxclone.VoxClone.from_pretrained(args.model)
    named = args.voices or list(model.voices)[:2]
    left, right = (model.voices[name] if name in model.voices else voxclone.Voice.load(name) for name in named)
    args.out.mkdir(parents=True, exist_ok=True)
    rows = []
    for index, share in enumerate(np.linspace(0, 1, args.steps).tolist()):
        weights = {voice: weight for voice, weight in ((left, 1 - share), (right, share)) if weight > 0}
        mix = voxclone.Voice.mix(weights, name=f"{left.name} {1 - share:.0%}, {right.name} {share:.0%}")
        speech = model.generate(args.text, mix)
        speech.save(args.out / f"{index:02d}.wav")
        heard = measure_speaker(model._speaker_encoder, model.config.audio, [(speech.samples, speech.sample_rate)])
        rows.append(
            {
                "share": round(share, 3),
                "mix_to_from": round(float(mix.speaker_embedding @ left.speaker_embedding), 3),
                "mix_to_to": round(float(mix.speaker_embedding @ right.speaker_embedding), 3),
                "spoken_to_from": round(float(heard.speaker_embedding @ left.speaker_embedding), 3),
                "spoken_to_to": round(float(heard.speaker_embedding @ right.speaker_embedding), 3),
                "mix_f0": round(mix.f0_median, 1),
                "spoken_f0": round(heard.f0_median, 1),
            }
        )
    (args.out / "slider.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    plot(rows, left.name, right.name, args.out / "slider.png")
    print(json.dumps(rows, indent=2))


def plot(rows: list[dict[str, float]], left: str, right: str, path: Path) -> None:
    matplotlib.use("Agg")
    from matplotlib import pyplot

    shares = [row["share"] for row in rows]
    figure, (likeness, pitch) = pyplot.subplots(2, 1, figsize=(7, 6), sharex=True)
    for end, name, colour in (("from", left, "C0"), ("to", right, "C1")):
        likeness.plot(shares, [row[f"mix_to_{end}"] for row in rows], f"{colour}--", label=f"mix to {name}")
        likeness.plot(shares, [row[f"spoken_to_{end}"] for row in rows], f"{colour}o-", label=f"its speech to {name}")
    likeness.set(ylabel="cosine of speaker embeddings")
    likeness.legend()
    pitch.plot(shares, [row["mix_f0"] for row in rows], "C2--", label="asked for")
    pitch.plot(shares, [row["spoken_f0"] for row in rows], "C2o-", label="spoken")
    pitch.set(xlabel=f"share of {right}", ylabel="median f0, Hz")
    pitch.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    run_script(main)
