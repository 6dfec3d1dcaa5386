"""Puts what the other benchmarks measured of the safety layers into RESPONSIBLE_USE.md, as its table of numbers.

    python benchmarks/threats.py

`consent.py`, `watermark.py` and `fuzz.py` do it where they write their results, and `tests/test_responsible_use.py`
fails where the table is not that of the results.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "RESPONSIBLE_USE.md"
BEGIN, END = "<!-- numbers: python benchmarks/threats.py -->", "<!-- end of numbers -->"
HEAD = "| layer | what was tried | what came of it |\n|---|---|---|\n"
CHANNELS = {
    "clean": "as it is",
    "mp3 64 kbit/s": "MP3 at 64 kbit/s",
    "opus 12 kbit/s": "Opus at 12 kbit/s",
    "mu law": "telephone (mu law at 8 kHz)",
    "reverberant room": "in a room",
    "white noise 20 dB": "white noise at 20 dB",
    "white noise 10 dB": "at 10 dB",
    "speed +5 %": "played 5 % faster",
    "pitch +5 %": "pitch up by 5 %",
    "pitch +10 %": "by 10 %",
}


def main() -> None:
    """Write the page with the results as they are."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(with_table(text, table()), encoding="utf-8")
    print(PAGE.name)


def with_table(page: str, rows: str) -> str:
    """The page with its table replaced."""
    found = re.search(f"{re.escape(BEGIN)}\n.*{re.escape(END)}", page, flags=re.DOTALL)
    if found is None:
        raise SystemExit(f"{PAGE.name} has no place for the table: {BEGIN} … {END}")
    return f"{page[: found.start()]}{BEGIN}\n{rows}{END}{page[found.end() :]}"


def table() -> str:
    """The rows, Markdown, of the results as they are."""
    consent, mark, fuzz = (result(name) for name in ("consent", "watermark", "fuzz"))
    rows = [*consent_rows(consent), *mark_rows(mark), *fuzz_rows(fuzz)]
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def result(name: str) -> dict[str, Any]:
    values: dict[str, Any] = json.loads((ROOT / "benchmarks" / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return values


def consent_rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Of `Consent.verify`."""
    speaker, phrase, clones = found["speaker"], found["phrase"], found["clones"]["summary"]
    rates = speaker["at_the_models_threshold"]
    worst, worst_rate = max(rates["false_rejection_by_speaker"].items(), key=lambda each: each[1])
    pair = speaker["most_confused_pairs"][0]
    count = clones["clones"]

    def of_clones(key: str) -> str:
        return f"{round(clones[key] * count)}"

    return [
        (
            f"verified consent: who speaks (at a score of {speaker['threshold_of_the_model']:.3f})",
            f"another speaker, {speaker['impostor_trials']:,} times, of {speaker['speakers']} people",
            f"{percent(rates['false_acceptance'])} pass",
        ),
        (
            "",
            f"another of the same gender, as the corpora label it, {speaker['same_gender_impostor_trials']:,} times",
            f"{percent(rates['false_acceptance_same_gender'])} pass",
        ),
        (
            "",
            f"the two voices that are most alike, `{pair['impostor']}` for `{pair['reference']}`",
            f"{percent(pair['false_acceptance'])} pass",
        ),
        (
            "",
            f"the speaker in person, {speaker['genuine_trials']:,} times",
            f"{percent(rates['false_rejection'])} are refused; of `{worst}` {percent(worst_rate)}",
        ),
        (
            "verified consent: the phrase",
            f"right and wrong ones, {phrase['recordings']} each",
            f"{percent(phrase['right_phrase_refused'])} of the right are refused, "
            f"{percent(phrase['wrong_phrase_accepted'])} of the wrong pass",
        ),
        (
            "verified consent: all checks",
            f"clones of {count} speakers, made by voxclone, say the phrase",
            f"{of_clones('pass_the_speaker_check')} pass for the speaker, {of_clones('pass_the_phrase_check')} say the "
            f"phrase, {of_clones('pass_both_without_the_mark')} would pass both; with the mark looked for, "
            f"{of_clones('pass_everything')} pass",
        ),
    ]


def mark_rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Of the mark: windows of two seconds."""
    channels, natural, distorted = found["channels"], found["natural"], found["false_alarms_through_all_channels"]
    again, hums = found["marked_speech_that_passes_after_resynthesis"], found["verdicts_on_sound_without_speech"]["hum"]
    vocoder = next(name for name in again if name != "Griffin-Lim")
    shares = [f"{told} {percent(channels[name]['found']['passed'])}" for name, told in CHANNELS.items()]
    return [
        ("mark", f"{channels['clean']['found']['windows']} marked windows, changed", f"found: {', '.join(shares)}"),
        (
            "",
            "marked speech spoken again by another vocoder",
            f"found: Griffin-Lim {percent(again['Griffin-Lim']['passed'])}, a trained one "
            f"{percent(again[vocoder]['passed'])}",
        ),
        (
            "",
            f"{natural['windows']:,} windows of natural speech; {distorted['windows']:,} through distortions",
            f"{percent(natural['passed'])} and {percent(distorted['passed'])} are taken for marked",
        ),
        ("", "hums that were made by a program", f"{hums['watermarked']} of {sum(hums.values())} are taken for marked"),
    ]


def fuzz_rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Of files and texts from others."""
    targets = found["targets"].values()
    minutes = [target["processor_minutes"] for target in targets]
    inputs = sum(target["inputs"] for target in targets)
    findings = sum(len(target["findings"]) for target in targets)
    left = sum(len(target["findings_that_still_fail"]) for target in targets)
    return [
        (
            "files and texts from others",
            f"{inputs:,} damaged inputs in {len(minutes)} kinds, {min(minutes):.1f} to {max(minutes):.1f} processor "
            "minutes each",
            f"{findings} crashed something that is mended since; {left} still do",
        )
    ]


def percent(share: float) -> str:
    """As few digits as tell it."""
    value = 100 * share
    return f"{value:.2g} %" if 0 < value < 0.95 else f"{value:.1f} %" if value < 9.95 and value else f"{value:.0f} %"


if __name__ == "__main__":
    main()
