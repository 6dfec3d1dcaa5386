"""Puts what was measured of the bundled model into the tables of README.md and docs/results.md.

    python benchmarks/tables.py

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`. `tests/test_result_tables.py` fails where one
is not that of the results. The words around the tables, and docs/results.md's list of commits, are for people to keep
true.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md")
PLACE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)
SYSTEMS = {
    "natural": "the speakers' own recordings",
    "copy": "these through the vocoder",
    "cloned": "cloned speech",
    "espeak": "espeak-ng",
}
MOVES = {
    "f0_median_hz": "median f0",
    "f0_spread_semitones": "spread of f0, in semitones",
    "sounds_per_second": "sounds a second",
    "sounds_per_second_with_pauses": "sounds a second, pauses counted in (the clone makes them by itself)",
}
SPREADS = {
    "energy": "energy",
    "log_duration": "log duration",
    "pitch_without_jumps": "pitch, the tracker's octave jumps left out of both",
    "pitch": "pitch, with the jumps",
}
CUTS = {
    "between_sentences_where_the_text_was_cut": "where a text is cut into chunks",
    "between_the_same_sentences_in_one_pass": "between the same sentences in one pass",
    "between_sentences_in_recordings": "between sentences in recordings",
}


def main() -> None:
    for page in PAGES:
        page.write_text(with_tables(page.read_text(encoding="utf-8")), encoding="utf-8")
        print(page.name)


def with_tables(page: str) -> str:
    """The page with each of its tables made anew."""
    return PLACE.sub(lambda place: f"{place[1]}{TABLES[place[2]]()}{place[3]}", page)


def result(name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return values


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    def line(cells: Sequence[str]) -> str:
        return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells) + "\n"

    return line(head) + "|" + "---|" * len(head) + "\n" + "".join(map(line, rows))


def rounded(value: float, digits: int = 2) -> str:
    """As it stands in the result, halves away from zero: 0.615 is 0.62."""
    return str(Decimal(str(value)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def within(found: dict[str, float]) -> str:
    """A mean with its interval."""
    return f"{rounded(found['mean'])} ({rounded(found['low'])}–{rounded(found['high'])})"


def percent_within(found: dict[str, float]) -> str:
    mean, low, high = (rounded(100 * found[name], 0) for name in ("mean", "low", "high"))
    return f"{mean} % ({low}–{high})"


def percent(share: float) -> str:
    return f"{rounded(100 * share, 0)} %"


def systems(columns: dict[str, Callable[[str], str]], bold: str | None = None) -> str:
    rows = []
    for system, told in SYSTEMS.items():
        rows.append([f"**{told}**" if system == bold else told, *(column(system) for column in columns.values())])
    return markdown(["", *columns], rows)


def clones(opinions: bool, bold: str | None) -> str:
    """How natural, understandable and alike, by system."""
    quality, words, asked = result("quality"), result("quality-words"), result("quality-opinions")
    likeness = quality["likeness"]

    def of_likeness(kind: str, form: Callable[[dict[str, float]], str]) -> Callable[[str], str]:
        return lambda system: form(likeness[system][kind]) if system in likeness else "–"

    columns: dict[str, Callable[[str], str]] = {"LDNet": lambda system: within(quality["ldnet_mos"][system])}
    if opinions:
        columns["NISQA"] = lambda system: rounded(asked["nisqa_mos"][system]["mean"])
    return systems(
        columns
        | {
            "word errors": lambda system: percent_within(words["word_errors"][system]),
            "cosine to the cloned clip": of_likeness("cosine", within),
            "to other recordings": of_likeness("cosine_to_others", within),
            "right one of fourteen first": of_likeness("ranked_first", percent_within),
        },
        bold,
    )


def opinions() -> str:
    asked = result("quality-opinions")
    return systems(
        {
            "NISQA": lambda system: within(asked["nisqa_mos"][system]),
            "DNSMOS": lambda system: within(asked["dnsmos_mos"][system]),
        }
    )


def moves() -> str:
    """Clones against their speakers."""
    found = result("quality")["prosody"]
    alike, ratios = found["correlation"], found["mean_ratio"]
    rows = [[told, rounded(alike[name]), rounded(ratios[name])] for name, told in MOVES.items()]
    return markdown(["", "correlation", "mean ratio, clone to speaker"], rows)


def spreads() -> str:
    """The variance of what clones do, by that of their speakers."""
    found = result("quality")["prosody"]
    ratios, inside = found["median_variance_ratio"], found["speakers_within_0.8_to_1.2"]
    halves = found["own_halves_within_0.8_to_1.2"]
    rows = [[told, rounded(ratios[name]), f"{inside[name]}", f"{halves[name]}"] for name, told in SPREADS.items()]
    return markdown(
        ["", "median ratio", "within 0.8 to 1.2", "one half of a speaker's own recordings against the other"], rows
    )


def hard() -> str:
    found = result("quality-hard")["hard"]
    people, control = found["people"], found["control"]
    shares = (control[f"{kind}_noticed"] / control[f"{kind}_planted"] for kind in ("skips", "repeats"))
    noticed = [f"notices {percent(share)}" for share in shares]
    return markdown(
        ["", "words", "missed", "heard twice"],
        [
            ["the designed voice", f"{found['tested_words']}", f"{found['skips']}", f"{found['repeats']}"],
            ["people who read aloud", f"{people['tested_words']}", f"{people['skips']}", f"{people['repeats']}"],
            ["control: words cut out of the sound, or doubled in it", f"{control['skips_planted']} of each", *noticed],
        ],
    )


def designed() -> str:
    found = result("designed")
    rows = [
        [
            f"`{name}`" + (" (designed)" if voice["nobody"] else ""),
            within(voice["ldnet_mos"]),
            percent(voice["word_error_rate"]),
            f"{voice['nearest_training_speaker'][0]:.2f}",
        ]
        for name, voice in found["voices"].items()
    ]
    return markdown(
        ["", "LDNet", "word errors", f"cosine to the nearest of {found['speakers']} training speakers"], rows
    )


def cuts() -> str:
    found = result("streaming-seams")["seams"]
    steps = {"f0_step_semitones": 1, "level_step_db": 1, "pause_seconds": 2}  # and digits
    rows = [
        [told, *(rounded(found[name][step], digits) for step, digits in steps.items())] for name, told in CUTS.items()
    ]
    return markdown(["", "pitch, semitones", "level, dB", "pause, s"], rows)


def speed() -> str:
    rtf, latency = result("rtf"), result("streaming")["latency"]
    by_words = {row["words"]: row["rtf"] for row in rtf["rtf_by_sentence"]}
    fewest, most = min(by_words), max(by_words)
    longest = f"{by_words[fewest]:.3f} for {fewest} words, {by_words[most]:.3f} for {most}"
    first = [round(latency[f"first_chunk_ms_{which}"]) for which in ("median", "best", "worst")]
    return markdown(
        ["", ""],
        [
            ["real-time factor, text to waveform", f"{rtf['rtf']:.3f}; {longest}"],
            [f"to load, after `import torch` ({rtf['import_torch_seconds']:.1f} s)", f"{rtf['load_seconds']:.1f} s"],
            ["first sentence after loading", f"{rtf['first_call_seconds']:.2f} s"],
            ["memory at most, most of it PyTorch's own", f"{rtf['peak_memory_mb']} MB"],
            [f"first chunk of a sentence of {latency['words']} words", f"{first[0]} ms ({first[1]} to {first[2]})"],
        ],
    )


def in_short() -> str:
    """For the README: speed, skips, and how far a clone moves as its speaker does."""
    rtf, latency, found = result("rtf"), result("streaming")["latency"], result("quality-hard")["hard"]
    machine = rtf["environment"]
    processor = machine["cpu"].replace("(R)", "").removesuffix(" Processor")
    alike = result("quality")["prosody"]["correlation"]
    told = ", ".join(f"{alike[name]:.2f}" for name in ("f0_median_hz", "sounds_per_second", "f0_spread_semitones"))
    return markdown(
        [f"on {machine['cores']} cores of an {processor}, {machine['gpu'] or 'no GPU'}", ""],
        [
            ["real-time factor, text to waveform, two threads", f"{rtf['rtf']:.3f}"],
            [
                f"first chunk of a streamed sentence of {latency['words']} words",
                f"{latency['first_chunk_ms_median']:.0f} ms",
            ],
            [
                "loading, after `import torch`; first sentence",
                f"{rtf['load_seconds']:.1f} s; {rtf['first_call_seconds']:.2f} s",
            ],
            ["memory at most, most of it PyTorch's own", f"{rtf['peak_memory_mb']} MB"],
            [
                f"words skipped, repeated in {found['sentences']} hard sentences",
                f"{found['skips']}, {found['repeats']} of {found['tested_words']}",
            ],
            ["clones' median f0, pace, melody's spread against their speakers'", f"r = {told}"],
        ],
    )


TABLES: dict[str, Callable[[], str]] = {
    "clones-in-short": lambda: clones(True, "cloned"),
    "clones": lambda: clones(False, None),
    "opinions": opinions,
    "moves": moves,
    "spreads": spreads,
    "hard": hard,
    "designed": designed,
    "cuts": cuts,
    "speed": speed,
    "in-short": in_short,
}


if __name__ == "__main__":
    main()
