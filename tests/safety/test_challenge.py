"""A challenge is fresh, serves once, and its words cannot be known before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from voxclone import Consent, ConsentError
from voxclone.safety.challenge import DRAWN, LIFETIME, STATEMENT, Challenge, heard_words, phrase_of, vocabulary

WORDS = vocabulary()[:DRAWN]


def at(age: timedelta) -> Challenge:
    return Challenge(WORDS, (datetime.now(UTC) - age).isoformat())


def test_the_vocabulary_is_256_plain_words() -> None:
    assert len(set(vocabulary())) == len(vocabulary()) == 256
    assert all(word.isascii() and word.isalpha() and word.islower() for word in vocabulary())


def test_every_challenge_is_another() -> None:
    phrases = {Consent.challenge().phrase for _ in range(50)}
    assert len(phrases) == 50
    drawn = {word for _ in range(200) for word in Consent.challenge().words}
    assert len(drawn) > 250  # of 256; 1600 draws miss one with probability 0.002


def test_the_phrase_states_what_is_agreed_to_and_holds_the_words() -> None:
    challenge = Consent.challenge()
    assert challenge.phrase.startswith(STATEMENT)
    assert heard_words(challenge.phrase, challenge.words) == 1.0
    assert phrase_of(challenge.words) == challenge.phrase


def test_a_challenge_serves_once_and_ten_minutes() -> None:
    challenge = at(timedelta(0))
    challenge.use()
    with pytest.raises(ConsentError, match="used before"):
        challenge.use()
    at(LIFETIME - timedelta(seconds=5)).use()
    for wrong in (LIFETIME + timedelta(seconds=5), timedelta(days=400), -timedelta(minutes=5)):
        with pytest.raises(ConsentError, match="holds for 10 minutes"):
            at(wrong).use()


def test_it_travels_as_json(tmp_path: Path) -> None:
    challenge = Consent.challenge()
    challenge.save(tmp_path / "challenge.json")
    assert Challenge.load(tmp_path / "challenge.json") == challenge


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", "null", "[" * 9000, '{"words": ["airport"], "created": "2026-01-01T00:00:00+00:00"}', "9" * 20000],
)
def test_what_is_no_challenge_is_refused(content: str, tmp_path: Path) -> None:
    (tmp_path / "challenge.json").write_text(content)
    with pytest.raises(ConsentError):
        Challenge.load(tmp_path / "challenge.json")
    with pytest.raises(ConsentError):
        Challenge.load(tmp_path / "none.json")


def test_words_must_be_the_lists_own() -> None:
    now = datetime.now(UTC).isoformat()
    for words in (WORDS[:-1], (*WORDS[:-1], WORDS[0]), (*WORDS[:-1], "xyzzy"), list(WORDS)):
        with pytest.raises(ConsentError, match="different words"):
            Challenge(words, now)  # type: ignore[arg-type]
    for time in ("now", "2026-01-01T00:00:00", 3):
        with pytest.raises(ConsentError, match="time"):
            Challenge(WORDS, time)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("transcript", "share"),
    [
        (" ".join(WORDS), 1.0),
        (" ".join(reversed(WORDS)), 1 / DRAWN),
        (" ".join(WORDS[::2]), 0.5),
        ("", 0.0),
        (f"Well, {WORDS[0].upper()}! Then... {WORDS[-1]}?", 2 / DRAWN),
    ],
)
def test_heard_words_count_in_order(transcript: str, share: float) -> None:
    assert heard_words(transcript, WORDS) == share
