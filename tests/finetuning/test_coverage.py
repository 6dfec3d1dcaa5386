"""The sounds that are missing are found, and prompts that have them are asked for."""

from __future__ import annotations

from collections import Counter

from voxclone.finetuning.coverage import PHONES, count_phones, missing_phones, next_prompts
from voxclone.text.phonemes import phonemize
from voxclone.text.symbols import symbol_ids


def symbols(text: str) -> tuple[str, ...]:
    return phonemize(text).symbols


def test_stress_does_not_matter_and_silence_is_no_phone() -> None:
    counts = count_phones(symbol_ids(symbols("See the sea.")))
    assert counts["iː"] == 2 and counts["s"] == 2
    assert set(counts) <= set(PHONES)


def test_missing_phones_come_rarest_first() -> None:
    counts = Counter(dict.fromkeys(PHONES, 20)) | Counter()
    counts["ʒ"], counts["ɔɪ"] = 0, 3
    assert missing_phones(counts) == {"ʒ": 0, "ɔɪ": 3}


def test_a_few_prompts_hold_every_phone() -> None:
    prompts = next_prompts([], 20)
    assert len(set(prompts)) == 20
    heard = sum((count_phones(symbol_ids(symbols(text.lower()))) for text in prompts), Counter[str]())
    rare_in_english = {"ʔ", "ɔ", "ᵻ"}
    assert {phone for phone in PHONES if not heard[phone]} <= rare_in_english


def test_the_first_prompt_brings_what_is_missing() -> None:
    common = "the man ran to the red house and sat there in the sun"
    without = [symbols(common)] * 40
    first = next_prompts(without, 1)[0]
    new = set(count_phones(symbol_ids(symbols(first.lower())))) - set(count_phones(symbol_ids(symbols(common))))
    assert len(new) >= 5
    assert next_prompts([*without, *[symbols(first.lower())] * 40], 1) != [first]


def test_there_are_prompts_for_english_alone() -> None:
    assert next_prompts([], 5, "de") == []
