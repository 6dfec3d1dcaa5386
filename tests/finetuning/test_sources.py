"""Each layout of recordings gives the clips that it holds, and says what is wrong with it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxclone import VoxcloneError
from voxclone.finetuning.clips import Clip, decode
from voxclone.finetuning.sources import read_sources


def write_tone(path: Path, seconds: float = 1.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * np.sin(np.arange(round(8000 * seconds)) / 5), 8000)
    return path


def texts(clips: list[Clip]) -> dict[str, str]:
    return {clip.key: clip.text for clip in clips}


def test_a_folder_with_and_without_texts(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav")
    write_tone(tmp_path / "deep/b.flac")
    (tmp_path / "a.txt").write_text("Hello\n there.\n")
    (tmp_path / "notes.txt").write_text("not of a recording")
    layout, clips = read_sources(tmp_path)
    assert layout == "folder of audio"
    assert texts(clips) == {"a.wav": "Hello there.", "deep/b.flac": ""}
    assert texts(read_sources(tmp_path / "a.wav")[1]) == {"a.wav": "Hello there."}


def test_texts_are_found_by_the_names_that_people_give_them(tmp_path: Path) -> None:
    for name in ("A.WAV", "b.wav", "c.wav", "84-1-0000.flac", "untold.wav"):
        write_tone(tmp_path / name)
    (tmp_path / "A.TXT").write_text("Capital.")
    (tmp_path / "b.wav.txt").write_bytes(b"\xef\xbb\xbfBoth\r\nlines.\r\n")
    (tmp_path / "c.Srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nA subtitle.\n")
    (tmp_path / "84-1.trans.txt").write_text("84-1-0000 AS LIBRISPEECH\n84-1-0001 NOT HERE\n")
    said = {"84-1-0000.flac": "AS LIBRISPEECH", "A.WAV": "Capital.", "b.wav": "Both lines.", "c.wav#1": "A subtitle."}
    assert texts(read_sources(tmp_path)[1]) == said | {"untold.wav": ""}
    (tmp_path / "A.TXT").write_bytes("Caf\xe9.".encode("latin-1"))
    with pytest.raises(VoxcloneError, match=r"A\.TXT cannot be read: line 1 is not UTF-8; save the file as UTF-8"):
        read_sources(tmp_path)


def test_no_speaker_is_chosen_where_none_has_a_name(tmp_path: Path) -> None:
    for place in (tmp_path / "ada/a.wav", tmp_path / "bob/b.wav"):
        write_tone(place)
    with pytest.raises(
        VoxcloneError, match=rf"is a folder of audio, which names no speakers, .* give {tmp_path}/ada inst"
    ):
        read_sources(tmp_path, "ada")
    with pytest.raises(VoxcloneError, match=r"a\.wav is an audio file, .*: give that speaker's recordings alone"):
        read_sources(tmp_path / "ada/a.wav", "ada")
    (tmp_path / "metadata.csv").write_text("ada/a|Hello.\n")
    with pytest.raises(VoxcloneError, match="is of LJ Speech's layout, which names no speakers"):
        read_sources(tmp_path, "ada")


def test_one_file_is_that_file_and_not_its_folder(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav").rename(tmp_path / "a.oga")  # a suffix of Ogg; what is in it is told when it is read
    write_tone(tmp_path / "other.wav")
    assert texts(read_sources(tmp_path / "a.oga")[1]) == {"a.oga": ""}
    (tmp_path / "talk.ts").write_bytes(b"G@")
    with pytest.raises(VoxcloneError, match=r"talk\.ts is neither audio by its name .* nor a table of recordings"):
        read_sources(tmp_path / "talk.ts")
    (tmp_path / "metadata.csv").write_text("other|Hello.\n")
    assert texts(read_sources(tmp_path / "metadata.csv")[1]) == {"other": "Hello."}


@pytest.mark.parametrize("name", ["../out.wav", "/etc/out.wav", "wavs/../../out.wav"])
@pytest.mark.parametrize("table", ["{}|Hello.\n", "file_name,text\n{},Hello.\n"])
def test_a_table_does_not_lead_out_of_its_folder(tmp_path: Path, name: str, table: str) -> None:
    write_tone(tmp_path / "out.wav")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/metadata.csv").write_text(table.format(name))
    with pytest.raises(VoxcloneError, match=r"out\.wav' leads out of the folder"):
        read_sources(tmp_path / "data")


def test_ljspeech_with_a_header_and_other_audio(tmp_path: Path) -> None:
    write_tone(tmp_path / "wavs/one.ogg")
    (tmp_path / "metadata.csv").write_text("file|transcript\none|Hello.\n")
    assert texts(read_sources(tmp_path)[1]) == {"one": "Hello."}
    (tmp_path / "metadata.csv").write_text("one.ogg,Hello.\n")
    with pytest.raises(VoxcloneError, match="a table with commas needs the columns file_name and text"):
        read_sources(tmp_path)


def test_ljspeech(tmp_path: Path) -> None:
    for name in ("LJ001-0001", "LJ001-0002"):
        write_tone(tmp_path / f"wavs/{name}.wav")
    table = 'LJ001-0001|He said "No. 5".|He said "number five".\nLJ001-0002|Plain.\n'
    (tmp_path / "metadata.csv").write_text(table)
    layout, clips = read_sources(tmp_path)
    assert layout == "LJSpeech"
    assert texts(clips) == {"LJ001-0001": 'He said "number five".', "LJ001-0002": "Plain."}
    (tmp_path / "metadata.csv").write_text("LJ001-0003|Gone.\n")
    with pytest.raises(VoxcloneError, match=r"line 1: there is no audio for 'LJ001-0003'"):
        read_sources(tmp_path)
    (tmp_path / "metadata.csv").write_text("LJ001-0001\n")
    with pytest.raises(VoxcloneError, match=r"line 1: needed is 'id\|text'"):
        read_sources(tmp_path)


@pytest.fixture
def kaldi(tmp_path: Path) -> Path:
    write_tone(tmp_path / "long.wav", 4.0)
    (tmp_path / "wav.scp").write_text("rec1 long.wav\n")
    (tmp_path / "segments").write_text("u1 rec1 0.50 1.50\nu2 rec1 2.00 3.25\n")
    (tmp_path / "text").write_text("u1 one two\nu2 three\n")
    (tmp_path / "utt2spk").write_text("u1 ann\nu2 ben\n")
    return tmp_path


def test_kaldi_with_segments_of_one_speaker(kaldi: Path) -> None:
    layout, clips = read_sources(kaldi, "ben")
    assert layout == "Kaldi"
    assert clips == [Clip("u2", kaldi / "long.wav", "three", 2.0, 3.25)]
    decoded = next(iter(decode(clips)))
    assert (len(decoded.samples), decoded.sample_rate, decoded.fault) == (10000, 8000, None)
    with pytest.raises(VoxcloneError, match=r"2 speakers; name one of them \(--speaker\): ann \(1\), ben \(1\)"):
        read_sources(kaldi)
    with pytest.raises(VoxcloneError, match="no speaker 'eve'"):
        read_sources(kaldi, "eve")


def test_kaldi_without_segments(kaldi: Path) -> None:
    (kaldi / "segments").unlink()
    (kaldi / "utt2spk").unlink()
    (kaldi / "text").write_text("rec1 all of it\n")
    assert read_sources(kaldi)[1] == [Clip("rec1", kaldi / "long.wav", "all of it")]


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("wav.scp", "rec1 sox x.wav -t wav - |\n", "is a command"),
        ("wav.scp", "rec1 gone.wav\n", "not there"),
        ("segments", "u1 rec9 0 1\n", "'u1' is 'rec9 0 1'"),
        ("segments", "u1 rec1 zero 1\n", "start and end in seconds"),
        ("segments", "u1 rec1 2 1\n", "start and end in seconds"),
        ("segments", "u1 rec1 nan 1\n", "start and end in seconds"),
        ("segments", "u1 rec1 0 inf\n", "start and end in seconds"),
    ],
)
def test_a_damaged_kaldi_folder(kaldi: Path, file: str, content: str, said: str) -> None:
    (kaldi / file).write_text(content)
    with pytest.raises(VoxcloneError, match=said):
        read_sources(kaldi, "ann")


def test_an_audio_folder_with_metadata(tmp_path: Path) -> None:
    write_tone(tmp_path / "data/a.wav")
    (tmp_path / "metadata.csv").write_text('file_name,transcription\ndata/a.wav,"One, two."\n')
    layout, clips = read_sources(tmp_path)
    assert layout == "Hugging Face dataset"
    assert texts(clips) == {"000000-a.wav": "One, two."}
    (tmp_path / "metadata.csv").unlink()
    rows = [{"file_name": "data/a.wav", "text": "Three.", "speaker_id": 7}]
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert texts(read_sources(tmp_path, "7")[1]) == {"000000-a.wav": "Three."}


@pytest.mark.parametrize("form", ["parquet", "arrow"])
def test_a_dataset_with_audio_inside(tmp_path: Path, form: str) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    content = write_tone(tmp_path.parent / f"{form}.wav").read_bytes()
    table = pa.table(
        {
            "audio": [{"bytes": content, "path": "a.wav"}, {"bytes": content, "path": "b.wav"}],
            "text": ["One.", "Two."],
            "speaker_id": [1, 2],
        }
    )
    if form == "parquet":
        (tmp_path / "data").mkdir()
        pyarrow.parquet.write_table(table, tmp_path / "data/train-00000-of-00001.parquet")
    else:
        with pa.OSFile(str(tmp_path / "data-00000.arrow"), "wb") as file, pa.ipc.new_stream(file, table.schema) as out:
            out.write_table(table)
    layout, clips = read_sources(tmp_path, "2")
    assert layout == "Hugging Face dataset"
    assert texts(clips) == {"000001": "Two."}
    assert len(next(iter(decode(clips))).samples) == 8000


@pytest.mark.parametrize("named", ["/etc/passwd", "../a.wav"])
def test_a_dataset_names_no_file_elsewhere(tmp_path: Path, named: str) -> None:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    pyarrow.parquet.write_table(pa.table({"audio": [{"bytes": None, "path": named}]}), tmp_path / "a.parquet")
    with pytest.raises(VoxcloneError, match=r"a\.parquet: '.*' leads out of the folder"):
        read_sources(tmp_path)


def test_a_damaged_dataset(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(VoxcloneError, match=r"x\.parquet cannot be read"):
        read_sources(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metadata.csv", b"a|Hello.\xf4\n"),
        ("metadata.csv", b"a" * 5000 + b"|Hello.\n"),
        ("metadata.jsonl", b'{"file_name": "a.wav", "text": "\x01"}\n'),
        ("metadata.jsonl", b'{"file_name": "a.wav"}\n{"text": "Hello."}\n'),
        ("metadata.jsonl", b'"file_name"\n'),
        ("metadata.jsonl", b'{"file_name": ' + b"[" * 100_000 + b"\n"),
        ("metadata.jsonl", b'{"file_name": 3}\n'),
        ("wav.scp", b"a \x85.wav\n"),
        ("wav.scp", b"a " + b"a" * 5000 + b"\n"),
        ("a.txt", b"\xff"),
    ],
)
def test_a_damaged_table_is_an_error_of_ours(tmp_path: Path, name: str, content: bytes) -> None:
    write_tone(tmp_path / "a.wav")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(VoxcloneError, match=r"cannot be read|file_name|there is no audio|not there"):
        read_sources(tmp_path)


def test_no_audio_and_no_folder(tmp_path: Path) -> None:
    with pytest.raises(VoxcloneError, match="holds no audio"):
        read_sources(tmp_path)
    with pytest.raises(VoxcloneError, match="no folder or audio file"):
        read_sources(tmp_path / "gone")


def test_what_cannot_be_decoded_says_why(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    short = write_tone(tmp_path / "b.wav")
    broken, late, fine = decode(
        [Clip("a", tmp_path / "a.wav"), Clip("b", short, start_seconds=5.0), Clip("c", short, end_seconds=0.5)]
    )
    assert broken.fault is not None and "a.wav" in str(broken.fault)
    assert "starts at 5.00 s of a file of 1.00 s" in str(late.fault)
    assert fine.fault is None and len(fine.samples) == 4000
