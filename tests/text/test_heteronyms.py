"""Words of two sounds are told apart by the words beside them."""

from __future__ import annotations

import pytest

from voxclone.text.normalize import normalize
from voxclone.text.phonemes import phonemize


def sounds(text: str, word: str) -> list[str]:
    """How each occurrence of a word sounds in a text."""
    spoken = phonemize(normalize(text))
    return ["".join(spoken.symbols[w.start : w.end]) for w in spoken.words if w.text.lower() == word]


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("He read it. Did he read it? She never read it. Did she ever read it?", "read", "ɹˈɛd ɹˈiːd ɹˈɛd ɹˈiːd"),
        ("I read the book yesterday. I will read it tomorrow. We read books.", "read", "ɹˈɛd ɹˈiːd ɹˈiːd"),
        ("Lead the way with lead pipes made of lead, said the lead singer.", "lead", "lˈiːd lˈɛd lˈɛd lˈiːd"),
        ("He wound the bandage around the wound; the road wound through hills.", "wound", "wˈaʊnd wˈuːnd wˈaʊnd"),
        ("The dove dove into the bushes.", "dove", "dˈʌv dˈoʊv"),
        ("A tear in his eye; a tear in the fabric; tear it up.", "tear", "tˈɪɹ tˈɛɹ tˈɛɹ"),
        ("Please record the record.", "record", "ɹᵻkˈɔːɹd ɹˈɛkɚd"),
        ("Present the present.", "present", "pɹɪzˈɛnt pɹˈɛzənt"),
        ("Object to the object.", "object", "ɑːbdʒˈɛkt ˈɑːbdʒɛkt"),
        ("Close the door, it's close. Close to me.", "close", "klˈoʊz klˈoʊs klˈoʊs"),
        ("Use it; the use of it. Use caution. Use of force.", "use", "jˈuːz jˈuːs jˈuːz jˈuːs"),
        ("The bass player caught a bass.", "bass", "bˈeɪs bˈæs"),
        ("Take a bow; bow and arrow; the bow of the ship; a bow to shoot with.", "bow", "bˈaʊ bˈoʊ bˈaʊ bˈoʊ"),
        ("Polish people polish silver. She is Polish. Polish the silver.", "polish", "pˈoʊlɪʃ pˈɑːlɪʃ pˈoʊlɪʃ pˈɑːlɪʃ"),
        ("My resume is long. Please resume.", "resume", "ɹˈɛzuːmˌeɪ ɹᵻzˈuːm"),
        ("I am content. The content is good.", "content", "kəntˈɛnt kˈɑːntɛnt"),
        ("She saw the tear in her dress, and the tear in the corner of her eye.", "tear", "tˈɛɹ tˈɪɹ"),
        ("Excuse me. There is no excuse. Please excuse us.", "excuse", "ɛkskjˈuːz ɛkskjˈuːs ɛkskjˈuːz"),
        ("He excused himself.", "excused", "ɛkskjˈuːzd"),
        ("Minute details take a minute.", "minute", "maɪnˈuːt mˈɪnɪt"),
    ],
)
def test_words_of_two_sounds(text: str, word: str, expected: str) -> None:
    assert sounds(text, word) == expected.split()


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("16 GB of RAM and a CD-ROM", "ram", "ɹˈæm"),
        ("the JSON of UNESCO", "unesco", "juːnˈɛskoʊ"),
        ("Dr. Nguyen ate gnocchi.", "nguyen", "wˈɪn"),
    ],
)
def test_words_that_espeak_ng_does_not_know(text: str, word: str, expected: str) -> None:
    assert sounds(text, word) == [expected]


def test_feet_and_inches_in_letters() -> None:
    assert (
        normalize("He is 6 ft 2 in tall, she 5 ft. 1 in.") == "He is six feet two inches tall, she five feet one inch."
    )
    assert normalize("We moved 3 ft in 2 hours.") == "We moved three feet in two hours."


def test_a_lexicon_goes_before() -> None:
    spoken = phonemize("Close the door", lexicon={"close": "klˈoʊs"})
    assert "".join(spoken.symbols[spoken.words[0].start : spoken.words[0].end]) == "klˈoʊs"
