"""Make a gallery page: every voice of a model in several deliveries, with players and plots, as one HTML file."""

import argparse
import base64
import html
import io
from pathlib import Path

import matplotlib
import numpy as np

import voxclone
from voxclone import Speech, Voice, VoxClone
from voxclone.cli.ending import run_script

TEXT = "The ferry leaves the harbour at seven every morning, and by noon the whole market is awake."
DELIVERIES: dict[str, dict[str, float]] = {
    "plain": {},
    "slow": {"speed": 0.75},
    "fast": {"speed": 1.4},
    "higher, livelier": {"pitch": 3.0, "pitch_range": 1.6},
    "lower, level": {"pitch": -3.0, "pitch_range": 0.4},
}
STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}
section{border-top:1px solid #ccc;margin-top:2rem}
figure{display:inline-block;margin:.5rem 1rem .5rem 0;vertical-align:top}
img,audio{width:31rem;max-width:100%;display:block}small{color:#555}"""


def plot(speech: Speech) -> str:
    """Mel, f0 and words, as a PNG in base64."""
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 2.6))
    length = speech.duration_seconds
    axes.imshow(speech.mel, origin="lower", aspect="auto", extent=(0, length, 0, len(speech.mel)), cmap="magma")
    axes.set(xlabel="seconds", ylabel="mel band")
    for word in speech.words:
        axes.text(word.start_seconds, len(speech.mel) + 1, word.text, fontsize=7, rotation=35)
    if speech.f0 is not None:
        pitch = axes.twinx()
        f0 = np.where(speech.f0 > 0, speech.f0, np.nan)
        pitch.plot((np.arange(len(f0)) + 0.5) * length / len(f0), f0, "c.", markersize=2)
        pitch.set(ylabel="f0, Hz", ylim=(50, 450))
    page = io.BytesIO()
    figure.savefig(page, format="png", dpi=110, bbox_inches="tight")
    pyplot.close(figure)
    return base64.b64encode(page.getvalue()).decode()


def shown(speech: Speech, caption: str) -> str:
    """One sample: its caption, a player, its plot."""
    return (
        f"<figure><figcaption>{html.escape(caption)}</figcaption>{speech._repr_html_()}"
        f'<img alt="mel, f0 and words" src="data:image/png;base64,{plot(speech)}"></figure>'
    )


def section(model: VoxClone, voice: Voice, text: str) -> str:
    """One voice."""
    grounds = html.escape("; ".join(consent.basis for consent in voice.consents))
    figures = "".join(shown(model.generate(text, voice, **how), name) for name, how in DELIVERIES.items())
    about = f"median f0 {voice.f0_median:.0f} Hz; {grounds}"
    return f"<section><h2>{html.escape(voice.name)}</h2><p><small>{about}</small></p>{figures}</section>"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="folder or Hub repository; the bundled model if left out")
    parser.add_argument("--text", default=TEXT)
    parser.add_argument("--out", type=Path, default=Path("gallery.html"))
    args = parser.parse_args()
    matplotlib.use("Agg")

    model = VoxClone.from_pretrained(args.model)
    voices = list(model.voices.values())
    sections = [section(model, voice, args.text) for voice in voices]
    if len(voices) > 1:
        left, right = voices[:2]
        mixes = [(share, Voice.mix({left: 1 - share, right: share})) for share in (0.25, 0.5, 0.75)]
        figures = "".join(
            shown(model.generate(args.text, mix), f"{share:.0%} {right.name}, the rest {left.name}")
            for share, mix in mixes
        )
        sections.append(f"<section><h2>Between {left.name} and {right.name}</h2>{figures}</section>")
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>voxclone</title><style>{STYLE}</style>"
    intro = (
        f"<h1>voxclone {voxclone.__version__}: {html.escape(model.config.name)}</h1>"
        f"<p>All of it is synthetic speech. The text: “{html.escape(args.text)}”</p>"
    )
    args.out.write_text(head + intro + "".join(sections) + "</html>\n", encoding="utf-8")
    print(f"{args.out}: {len(voices)} voices, {args.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_script(main)
