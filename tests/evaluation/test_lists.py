"""The lists that are read: a table, Seed-TTS-eval's, LibriSpeech-PC's."""

from pathlib import Path

import pytest

from voxclone import EvaluationError, VoiceError, VoxClone
from voxclone.evaluation import Item, read_list


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"audio")


def test_table(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav", tmp_path / "b.wav")
    path = tmp_path / "list.tsv"
    path.write_text('reference\ttext\trecording\tspeaker\na.wav\tHe said "no".\tb.wav\tada\na.wav\tTwo.\t\t\n')
    assert read_list(path) == [
        Item("00001", tmp_path / "a.wav", 'He said "no".', "ada", tmp_path / "b.wav"),
        Item("00002", tmp_path / "a.wav", "Two.", "a", None),
    ]


def test_table_with_voices(tmp_path: Path, tiny_model: VoxClone) -> None:
    """A voice is read once, from a file or from the folder that fine-tuning left."""
    ada = tiny_model.voices["ada"]
    touch(tmp_path / "a.wav")
    (tmp_path / "ada").mkdir()
    ada.save(tmp_path / "ada" / "ada.voice")
    path = tmp_path / "list.tsv"
    path.write_text("reference\ttext\tvoice\na.wav\tOne.\tada\na.wav\tTwo.\tada/ada.voice\na.wav\tThree.\t\n")
    assert [item.voice for item in read_list(path)] == [ada, ada, None]
    path.write_text("reference\ttext\tvoice\na.wav\tOne.\tgone.voice\n")
    with pytest.raises(VoiceError, match=r"gone\.voice cannot be read as a voice file"):
        read_list(path)
    path.write_text("reference\ttext\nada/ada.voice\tOne.\n")
    with pytest.raises(EvaluationError, match=r"ada\.voice is a voice and no recording; name it in a column 'voice'"):
        read_list(path)


def test_seed_tts_eval(tmp_path: Path) -> None:
    """Its English half has four fields, and recordings in wavs/."""
    touch(tmp_path / "prompt-wavs" / "common_voice_en_1.wav", tmp_path / "wavs" / "common_voice_en_1-en_2.wav")
    path = tmp_path / "meta.lst"
    path.write_text(
        "common_voice_en_1-en_2|We asked over twenty people.|prompt-wavs/common_voice_en_1.wav|Get the trust fund.\n"
        "common_voice_en_1-en_3|We asked over twenty people.|prompt-wavs/common_voice_en_1.wav|He is right.\n"
    )
    first, second = read_list(path)
    prompt = tmp_path / "prompt-wavs" / "common_voice_en_1.wav"
    own = tmp_path / "wavs" / "common_voice_en_1-en_2.wav"
    assert first == Item("common_voice_en_1-en_2", prompt, "Get the trust fund.", "common_voice_en_1", own)
    assert second.recording is None
    path.write_text(f"x|prompt|{prompt.relative_to(tmp_path)}|Text.|wavs/common_voice_en_1-en_2.wav\n")
    assert read_list(path)[0].recording == own


def test_librispeech_pc(tmp_path: Path) -> None:
    root = tmp_path / "LibriSpeech" / "test-clean"
    touch(root / "61" / "70968" / "61-70968-0001.flac", root / "61" / "70970" / "61-70970-0002.flac")
    path = tmp_path / "cross_sentence.lst"
    path.write_text("61-70968-0001\t4.905\tGive not so earnest a mind.\t61-70970-0002\t6.1\tA golden fortune, it is.\n")
    (item,) = read_list(path, audio_root=root)
    assert item.name == "61-70970-0002_from_61-70968-0001"
    assert (item.speaker, item.text) == ("61", "A golden fortune, it is.")
    assert item.reference == root / "61" / "70968" / "61-70968-0001.flac"
    assert item.recording == root / "61" / "70970" / "61-70970-0002.flac"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("reference\twords\na.wav\tx\n", "lacks the column text; it has reference, words"),
        ("reference,text\na.wav,x\n", "is separated by commas; its columns need tabs between them"),
        ("reference\ttext\na.wav\t\n", "utterance 1: reference or text is empty"),
        ("reference\ttext\ngone.wav\tx\n", r"00001: there is no file .*gone\.wav"),
        ("name\treference\ttext\nx\ta.wav\tx\nx\ta.wav\ty\n", "two utterances are named 'x'"),
        ("a|b|a.wav|c\na|b\n", "line 2: needed is name|prompt text"),
        ("a|b|a.wav\n", "line 1: needed is name|prompt text"),
        ("reference\ttext\trecordings\na.wav\tx\tb.wav\n", "has a column 'recordings'; if that is 'recording'"),
        ("61-1\t1\tx\t61-1-2\t1\ty\n", "line 1: '61-1' is no utterance of LibriSpeech"),
        ("../..-1-2\t1\tx\t61-1-2\t1\ty\n", "is no utterance of LibriSpeech"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, content: str, message: str) -> None:
    touch(tmp_path / "a.wav")
    path = tmp_path / "list"
    path.write_text(content)
    with pytest.raises(EvaluationError, match=message):
        read_list(path)


@pytest.mark.parametrize("reference", ["a" * 5000 + ".wav", "a" * 200_000], ids=["path", "field"])
def test_what_is_too_long_is_an_error_of_ours(tmp_path: Path, reference: str) -> None:
    (tmp_path / "list.tsv").write_text(f"reference\ttext\n{reference}\tHello.\n")
    with pytest.raises(EvaluationError, match="cannot use the list"):
        read_list(tmp_path / "list.tsv")


def test_missing_list_and_unknown_form(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="gone cannot be read: No such file"):
        read_list(tmp_path / "gone")
    (tmp_path / "list").write_text("x\n")
    with pytest.raises(EvaluationError, match="known are 'table', 'seed-tts-eval', 'librispeech-pc'"):
        read_list(tmp_path / "list", form="kaldi")


def test_a_name_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    touch(tmp_path / "a.wav")
    path = tmp_path / "list"
    path.write_text("name\treference\ttext\n../../evil\ta.wav\tx\n")
    assert read_list(path)[0].name == "_.._evil"
