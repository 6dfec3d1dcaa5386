"""Write docs/quickstart.ipynb from the cells below; with --execute, run every cell first, and fail where one fails."""

import argparse
from pathlib import Path

import nbformat

from voxclone.cli.ending import run_script

NOTEBOOK = Path(__file__).resolve().parents[2] / "docs" / "quickstart.ipynb"
CELLS = (
    """# voxclone: quick start

Everything runs on a CPU with the model that is inside the package; nothing is downloaded.""",
    """import voxclone

model = voxclone.VoxClone.from_pretrained()
print(list(model.voices))
voice = next(iter(model.voices.values()))""",
    "## Speak\n\nA `Speech` plays itself, and knows when each word is spoken.",
    """speech = model.generate("Dr. Smith paid $3.50 on the 1st of May.", voice)
speech""",
    """for word in speech.words:
    print(f"{word.start_seconds:6.2f} {word.end_seconds:6.2f}  {word.text}")""",
    """## Say how

Pace, pitch in semitones, its range, energy; a seed varies the delivery, and no seed is the same every time.""",
    """model.generate("Not so fast.", voice, speed=0.8, pitch=-2.0, pitch_range=1.5)""",
    """## Clone a voice

From five to thirty seconds of plain speech of somebody who agreed to it. Here it is a recording that is made on the
spot; put the path of your own in its place: `model.clone("me.wav", ...)`. A model that marks what it makes refuses its
own speech as a reference, and says so.""",
    """consent = voxclone.Consent.attest("Example", basis="synthetic speech of this notebook")
reference = model.generate("A lamp stood by the window. Nobody had lit it since the autumn, and nobody would.", voice)
try:
    clone = model.clone((reference.samples, reference.sample_rate), name="Example", consent=consent)
except voxclone.VoxcloneError as error:
    print(error)
    clone = voice
clone""",
    "## Mix voices\n\nA mix lies on the arc between the voices, and carries the consents of all.",
    """first, *others = model.voices.values()
mix = voxclone.Voice.mix({first: 0.5, (others or [clone])[0]: 0.5}, name="halfway")
model.generate("This is halfway between two voices.", mix)""",
    """## Stream

The first chunk comes long before the sentence is done; text may arrive in pieces.""",
    """import time

start = time.perf_counter()
with model.stream(iter(["I have not fin", "ished, but you ", "can hear me. ", "Now I have."]), voice) as stream:
    for chunk in stream:
        passed = 1000 * (time.perf_counter() - start)
        print(f"{passed:6.0f} ms: {chunk.duration_seconds:.2f} s of speech", [word.text for word in chunk.words])""",
)


def build() -> nbformat.NotebookNode:
    """The notebook, without outputs: they hold audio."""
    cells = [
        nbformat.v4.new_markdown_cell(text, id=f"cell-{index}")
        if text.startswith("#")
        else nbformat.v4.new_code_cell(text, id=f"cell-{index}")
        for index, text in enumerate(CELLS)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=kernel)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--execute", action="store_true", help="run it first")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if docs/quickstart.ipynb is another")
    args = parser.parse_args()
    notebook = build()
    text = nbformat.writes(notebook) + "\n"
    if args.execute:
        from nbclient import NotebookClient

        NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    if args.check:
        if NOTEBOOK.read_text(encoding="utf-8") != text:
            raise SystemExit(f"{NOTEBOOK.name} is not what this script writes; run it without --check")
    else:
        NOTEBOOK.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    run_script(main)
