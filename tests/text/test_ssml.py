"""SSML: what is read, what is refused, and that no entity and no file is ever expanded."""

from __future__ import annotations

from pathlib import Path

import pytest

from voxclone import TextError
from voxclone.text.markup import parse
from voxclone.text.normalize import normalize
from voxclone.text.say_as import KINDS, say_as
from voxclone.text.script import EMPHASIS, PLAIN, Manner, Script
from voxclone.text.ssml import parse_ssml
from voxclone.text.tags import stray_ssml


def speak(body: str) -> Script:
    return parse_ssml(f"<speak>{body}</speak>")


def manner_of(script: Script, word: str) -> Manner:
    position = script.text.index(word)
    return next(run.manner for run in reversed(script.runs) if run.start <= position)


def test_a_document_begins_with_speak() -> None:
    head = '<?xml version="1.0"?>\n<speak version="1.1" xmlns="http://www.w3.org/2001/10/synthesis" xml:lang="en-US">'
    assert parse(f"{head}Hi &amp; bye.</speak>").text == "Hi & bye."
    assert parse("  <speak>Hi</speak>").text == "Hi"
    assert parse(f"\ufeff\n {head}Hi</speak>").text == "Hi"
    assert parse("\ufeff<speak>Hi</speak>").text == "Hi"
    with pytest.raises(TextError, match="at line 3, column 83") as caught:
        parse(f"\n{head}<audio/></speak>")
    assert caught.value.position == 1 + len(head)
    assert parse("speak <speak>").text == "speak <speak>"


def test_ssml_that_is_none_is_told_apart() -> None:
    found = {
        'Hello <break time="1s"/> world': "<break",
        "a <PROSODY rate='slow'>b</PROSODY>": "<PROSODY",
        "Say: <speak>Hi</speak>": "<speak",
        'a <sub alias="b">c</sub>': "<sub",
        "an <mark name='x'/> end": "<mark",
    }
    for text, element in found.items():
        stray = stray_ssml(text)
        assert stray is not None and (stray[0], stray.start()) == (element, text.index(element)), text
    for text in ("H<sub>2</sub>O is <mark>good</mark>", "x < break, y > z", "List<voice of Ann>", "<b>speak</b>", ""):
        assert stray_ssml(text) is None, text
    with pytest.raises(TextError, match="begins with <speak>") as caught:
        parse("Hello <break/> world", "ssml")
    assert caught.value.position == 0


def test_what_stands_where() -> None:
    script = speak('A<break time="250ms"/>b <mark name="m"/>c<break strength="strong"/><break/>')
    assert script.text == "A b c"
    assert [tuple(point) for point in script.pauses] == [(1, 0.25), (5, 0.7), (5, 0.4)]
    assert [tuple(point) for point in script.marks] == [(4, "m")]


def test_a_break_parts_words_and_nothing_else() -> None:
    assert speak('Hello<break time="1s"/>world').text == "Hello world"
    assert speak('Hello<break time="1s"/> world<break/>, you').text == "Hello world, you"
    assert speak('Hello<mark name="m"/>world').text == "Helloworld"
    assert speak('a<break/><sub alias="b">c</sub>').text == "a b"
    assert speak("a<break/><emphasis>b</emphasis>").text == "a b"


def test_paragraphs_and_sentences_end_sentences() -> None:
    script = speak("<p>One</p><p><s>Two</s><s>three</s></p>")
    assert script.text == "OneTwothree"
    ends = {(point.position, point.value) for point in script.boundaries}
    assert {(3, "paragraph"), (6, "sentence"), (11, "paragraph")} <= ends


def test_prosody() -> None:
    script = speak(
        '<prosody rate="80%" pitch="+2st" range="150%" volume="+6dB">a <prosody rate="slow" pitch="-1st">b</prosody>'
        "</prosody> c"
    )
    assert manner_of(script, "a") == pytest.approx((0.8, 2.0, 1.5, 10 ** (6 / 20)))
    assert manner_of(script, "b") == pytest.approx((0.6, 1.0, 1.5, 10 ** (6 / 20)))
    assert manner_of(script, "c") == PLAIN
    for value, speed in {"x-slow": 0.5, "medium": 1.0, "fast": 1.33, "1.5": 1.5, "-20%": 0.8, "+50%": 1.5}.items():
        assert manner_of(speak(f'<prosody rate="{value}">a</prosody>'), "a").speed == pytest.approx(speed)
    assert manner_of(speak('<prosody pitch="+12%">a</prosody>'), "a").pitch == pytest.approx(1.962, abs=1e-3)
    ((start, end, seconds),) = speak('<prosody duration="2s">a b</prosody> c').durations
    assert (start, end, seconds) == (0, 3, 2.0)


def test_emphasis_and_voice() -> None:
    script = speak('<emphasis>a</emphasis><emphasis level="strong">b</emphasis><voice name="Bob">d <s>e</s></voice>f')
    assert manner_of(script, "a") == EMPHASIS["moderate"]
    assert manner_of(script, "b") == EMPHASIS["strong"]
    assert [(run.start, run.voice) for run in script.runs][-2:] == [(2, "Bob"), (5, None)]
    assert {2, 5} <= {point.position for point in script.boundaries}


def test_words_said_otherwise() -> None:
    script = speak(
        '<phoneme alphabet="ipa" ph="təmˈɑːtoʊ">tomato</phoneme> <sub alias="World Wide Web">WWW</sub> '
        '<say-as interpret-as="characters">a<![CDATA[b]]>1</say-as>'
    )
    assert script.text == "tomato World Wide Web A B one"
    assert [tuple(each) for each in script.pronunciations] == [(0, 6, "təmˈɑːtoʊ")]
    assert len(script.sources) == len(script.text) + 1
    assert list(script.sources) == sorted(script.sources)


@pytest.mark.parametrize(
    ("kind", "form", "text", "spoken"),
    [
        ("characters", "", "FBI-2", "F B I dash two"),
        ("spell-out", "", "ab cd", "A B, C D"),
        ("digits", "", "10 25", "one zero, two five"),
        ("cardinal", "", "-1,204", "minus one thousand two hundred four"),
        ("ordinal", "", "21st", "twenty first"),
        ("ordinal", "", "3", "third"),
        ("telephone", "", "+1 (555) 010-99", "plus one, five five five, zero one zero, nine nine"),
        ("date", "dmy", "5/10/2024", "October fifth, twenty twenty four"),
        ("date", "mdy", "5/10/2024", "May tenth, twenty twenty four"),
        ("date", "my", "5/1999", "May nineteen ninety nine"),
        ("fraction", "", "3/4", "three quarters"),
        ("currency", "", "$3.50", "three dollars and fifty cents"),
        ("time", "", "10:30", "ten thirty"),
        ("unit", "", "5 km", "five kilometers"),
    ],
)
def test_say_as(kind: str, form: str, text: str, spoken: str) -> None:
    assert normalize(say_as(text, kind, form)) == spoken


@pytest.mark.parametrize(
    ("kind", "form", "text"),
    [
        ("digits", "", "12a"),
        ("cardinal", "", "3.5"),
        ("cardinal", "", "9" * 40),
        ("date", "mdy", "13/13/2024"),
        ("date", "mdy", "1/2"),
        ("date", "xyz", "1/2/3"),
        ("ordinal", "mdy", "3"),
        ("sing", "", "la"),
    ],
)
def test_say_as_refuses(kind: str, form: str, text: str) -> None:
    with pytest.raises(TextError):
        say_as(text, kind, form)
    assert kind == "sing" or kind in KINDS


@pytest.mark.parametrize(
    ("body", "message", "fault"),
    [
        ("a <audio src='x'/>", "the element <audio> is not among those", "<audio"),
        ("é\n <amazon:effect>b</amazon:effect>", "the element <amazon:effect> is not among those", "<amazon"),
        ("<p class='x'>b</p>", "<p> has the attribute 'class'; known there are xml:lang", "<p"),
        ("<prosody contour='(0%,+20Hz)'>b</prosody>", "the attribute 'contour'", "<prosody"),
        (
            "<prosody rate='9'>b</prosody>",
            "rate is '9', which is out of range: 9, where 0.25 to 4 can be, in <prosody>",
            "<prosody",
        ),
        ("<prosody pitch='+20Hz'>b</prosody>", "pitch is '+20Hz'; it can be x-low", "<prosody"),
        ("<prosody duration='2'>b</prosody>", "duration is '2'; give it as", "<prosody"),
        ("<break time='soon'/>", "time is 'soon'; give it as", "<break"),
        ("<break time='1h'/>", "time is '1h'", "<break"),
        ("<break strength='huge'/>", "strength is 'huge'; it can be none", "<break"),
        ("<break>b</break>", "<break> can hold no text", "b</break"),
        ("<emphasis level='big'>b</emphasis>", "level is 'big'", "<emphasis"),
        ("<voice>b</voice>", "<voice> lacks the attribute 'name'", "<voice"),
        ("<sub alias='c'>b<break/></sub>", "<sub> can hold no element, and holds <break>", "<break"),
        ("<say-as interpret-as='x'>b</say-as>", "interpret-as 'x' is not known", "<say-as"),
        ("<phoneme ph='ʘ'>b</phoneme>", "no known IPA sound, in <phoneme> at line 1, column 8", "<phoneme"),
        ("<phoneme ph='b' alphabet='x-sampa'>b</phoneme>", "the alphabet 'x-sampa' is not known", "<phoneme"),
        ("<phoneme ph='b'></phoneme>", "no word that could be pronounced", "<phoneme"),
        ("<speak>b</speak>", "<speak> must be the outermost element", "<speak>b"),
        ("<p xml:lang='de'>b</p>", "in the language 'de'; only English is spoken", "<p"),
        ("<p>" * 40 + "b" + "</p>" * 40, "nested more than 32 deep", None),
    ],
)
def test_what_is_wrong_is_named_with_its_place(body: str, message: str, fault: str | None) -> None:
    text = f"<speak>{body}</speak>"
    with pytest.raises(TextError) as caught:
        parse_ssml(text)
    assert message in str(caught.value)
    assert " at line " in str(caught.value)
    if fault is not None:
        assert caught.value.position == text.index(fault)


@pytest.mark.parametrize("text", ["<speak>a", "<speak>a</p></speak>", "<speak>a & b</speak>", "a", "", "<p>a</p>"])
def test_what_is_no_ssml(text: str) -> None:
    with pytest.raises(TextError, match="line 1" if "<" in text else "begins with <speak>"):
        parse_ssml(text)


def test_no_entity_is_expanded_and_no_file_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    bomb = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {b} "&{a};&{a};&{a};">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    for declared, used in (
        (f'<!DOCTYPE speak [<!ENTITY x SYSTEM "{secret.as_uri()}">]>', "&x;"),
        (f"<!DOCTYPE speak [{bomb}]>", "&i;"),
        ('<!DOCTYPE speak SYSTEM "http://127.0.0.1/x.dtd">', "a"),
        ("", "&x;"),
    ):
        with pytest.raises(TextError, match=r"DOCTYPE|undefined entity"):
            parse_ssml(f"{declared}<speak>{used}</speak>")
        for head in ("", '<?xml version="1.0"?>\n'):
            with pytest.raises(TextError, match=r"DOCTYPE|undefined entity"):
                parse(f"{head}{declared}<speak>{used}</speak>")  # "auto" takes it for SSML


def test_a_short_document_is_not_days_of_silence() -> None:
    with pytest.raises(TextError, match=r"longer than 3600 s together.*line 1"):
        speak('a<break time="60s"/>' * 61)
