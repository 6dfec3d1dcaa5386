"""Each public corpus, as a small stand-in of its layout: from the archive to features that training reads."""

from __future__ import annotations

import csv
import hashlib
import json
import runpy
import sys
import tarfile
import zipfile
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import soundfile

for name in ("accelerate", "pyarrow"):
    pytest.importorskip(name, reason="the finetune extra is not installed")

REPOSITORY = Path(__file__).parents[1]
TEXTS = ("The boat sailed slowly past the old red house.", "Nine men drank tea, and nobody spoke a word.")
SPEAKERS = {"p225": ("en-us+f3", 60), "p226": ("en-us+m3", 35)}

Recordings = dict[tuple[str, int], Path]


@pytest.fixture(scope="module")
def recordings(espeak: Any, tmp_path_factory: pytest.TempPathFactory) -> Recordings:
    """Two sentences of each of two speakers, as wav."""
    folder, made = tmp_path_factory.mktemp("spoken"), {}
    for speaker, (voice, pitch) in SPEAKERS.items():
        for number, text in enumerate(TEXTS):
            made[speaker, number] = folder / f"{speaker}-{number}.wav"
            soundfile.write(made[speaker, number], espeak.speak(text, voice, pitch), espeak.sample_rate)
    return made


def put(path: Path, source: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples, rate = soundfile.read(source)
    soundfile.write(path, samples, rate)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def libritts(root: Path, recordings: Recordings) -> None:
    for (speaker, number), source in recordings.items():
        stem = root / f"LibriTTS/dev-clean/{speaker[1:]}/128/{speaker[1:]}_128_00000{number}"
        put(stem.with_suffix(".wav"), source)
        write(stem.with_suffix(".normalized.txt"), TEXTS[number])
        write(stem.with_suffix(".original.txt"), "not this")


def vctk(root: Path, recordings: Recordings) -> None:
    for (speaker, number), source in recordings.items():
        for microphone in ("mic1", "mic2"):
            put(root / f"wav48_silence_trimmed/{speaker}/{speaker}_00{number}_{microphone}.flac", source)
        write(root / f"txt/{speaker}/{speaker}_00{number}.txt", TEXTS[number] + "\n")
    put(root / "wav48_silence_trimmed/p315/p315_001_mic1.flac", source)  # has no texts


def ljspeech(root: Path, recordings: Recordings) -> None:
    lines = []
    for number, text in enumerate(TEXTS):
        put(root / f"LJSpeech-1.1/wavs/LJ001-000{number}.wav", recordings["p225", number])
        lines.append(f"LJ001-000{number}|not this|{text}\n")
    write(root / "LJSpeech-1.1/metadata.csv", "".join(lines))


def common_voice(root: Path, recordings: Recordings) -> None:
    lines = ["client_id\tpath\tsentence_id\tsentence\tup_votes\tlocale\n"]
    for (speaker, number), source in recordings.items():
        put(root / f"cv-corpus-21.0/en/clips/common_voice_en_{speaker}{number}.mp3", source)
        client = hashlib.sha256(speaker.encode()).hexdigest()
        lines.append(f'{client}\tcommon_voice_en_{speaker}{number}.mp3\tx\t"{TEXTS[number]}\t2\ten\n')
    write(root / "cv-corpus-21.0/en/validated.tsv", "".join(lines))
    write(root / "cv-corpus-21.0/en/invalidated.tsv", lines[0])


CORPORA: dict[str, tuple[Callable[[Path, Recordings], None], str, int]] = {
    "libritts": (libritts, "few.tar.gz", 2),
    "vctk": (vctk, "few.zip", 2),
    "ljspeech": (ljspeech, "few.tar.bz2", 1),
    "common_voice": (common_voice, "few-en.tar.gz", 2),
}


def packed(inside: Path, archive: Path) -> Path:
    """A folder's files as an archive of the kind that its name says."""
    members = [path for path in sorted(inside.rglob("*")) if path.is_file()]
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path in members:
                file.write(path, path.relative_to(inside))
    else:
        with tarfile.open(archive, f"w:{archive.suffix[1:]}") as tar:
            for path in members:
                tar.add(path, path.relative_to(inside))
    return archive


def run(monkeypatch: pytest.MonkeyPatch, script: str, *arguments: str, status: int = 0) -> None:
    """Run a recipe's script, which must end with this status."""
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(REPOSITORY / "recipes" / script), run_name="__main__")
    assert ended.value.code == status


def manifest_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def check(folder: Path, out: Path, speakers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The manifest is right, and prepare reads all of it."""
    from voxclone.training.features import FeatureStore

    by_speaker = defaultdict(list)
    rows = manifest_of(folder)
    for row in rows:
        assert (folder / row["path"]).is_file()
        by_speaker[row["speaker"]].append(row)
    assert len(by_speaker) == speakers and len(rows) == 2 * speakers
    assert {row["text"].strip('"') for row in rows} == set(TEXTS)
    splits = [{row["split"] for row in own} for own in by_speaker.values()]
    assert sorted(map(str, splits)) == ["{'train'}", "{'valid'}"][:speakers]
    arguments = ["--stores", "speech", "--workers", "1", "--languages", "en", "--out", str(out)]
    run(monkeypatch, "prepare/prepare.py", str(folder / "manifest.tsv"), *arguments)
    store = FeatureStore(out / "speech")
    assert {entry.key for entry in store.entries} == {row["path"] for row in rows}
    assert all({"mel", "f0", "phoneme_ids", "waveform"} <= set(entry.rows) for entry in store.entries)


@pytest.mark.parametrize("corpus", CORPORA)
def test_from_the_archive_to_features(
    corpus: str, recordings: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, name, speakers = CORPORA[corpus]
    inside, archive, folder = tmp_path / "inside", tmp_path / name, tmp_path / "corpus"
    build(inside, recordings)
    packed(inside, archive)
    run(monkeypatch, "corpora/get.py", corpus, "--out", str(folder), "--archive", str(archive))
    check(folder, tmp_path / "features", speakers, monkeypatch)


def test_what_is_unpacked_gets_its_manifest(
    recordings: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    common_voice(tmp_path, recordings)
    table = next(tmp_path.rglob("validated.tsv"))
    table.write_text(table.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    run(monkeypatch, "corpora/get.py", "common_voice", "--unpacked", "--out", str(tmp_path))
    assert {row["language"] for row in manifest_of(tmp_path)} == {"en"} and len(manifest_of(tmp_path)) == 4
    table.write_text("client_id\tpath\n", encoding="utf-8")
    capsys.readouterr()
    run(monkeypatch, "corpora/get.py", "common_voice", "--unpacked", "--out", str(tmp_path), status=2)
    told = capsys.readouterr().err
    assert told == f"get.py: error: {table} has no column sentence\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lj"], "no corpus 'lj': known are libritts, ljspeech, vctk, common_voice, and org/name for a dataset"),
        (["./folder"], "no corpus './folder': known are libritts"),
        (["/abs/path", "--unpacked"], "a folder that you have is named by --out, with --unpacked"),
        (["org/name/x"], "no corpus 'org/name/x'"),
        (["org/na..me"], "org/na..me: HFValidationError: "),
        (["ljspeech", "--archive"], "argument --archive: expected at least one argument"),
        (["ljspeech", "--archive", "nope.zip"], "there is no archive nope.zip\n"),
        (["ljspeech", "--archive", "."], "there is no archive .; that is a folder, which --out takes, with --unpacked"),
        (["ljspeech", "--archive", "a.tar", "--unpacked"], "--unpacked and --archive do not go together"),
        (["libritts", "--archive", "a.tar", "--parts", "dev-clean"], "--archive and --parts do not go together"),
        (["libritts", "--unpacked", "--parts", "dev-clean"], "--unpacked and --parts do not go together"),
        (["org/name", "--unpacked", "--revision", "abc"], "--unpacked and --revision do not go together"),
        (["org/name", "--archive", "a.tar"], "--archive will not do with org/name: a dataset on the Hub comes whole"),
        (["org/name", "--parts", "a"], "--parts will not do with org/name"),
        (
            ["vctk", "--revision", "a", "--language", "de"],
            "--revision and --language will not do with vctk: only a dataset on the Hub",
        ),
        (["common_voice", "--unpacked"], "--unpacked needs what --out holds already"),
        (["libritts", "--parts", "train"], "libritts has no part train; it has dev-clean"),
        (["common_voice"], "only; name its archive with --archive"),
    ],
)
def test_what_cannot_be_had_is_told(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(monkeypatch, "corpora/get.py", *arguments, "--out", str(tmp_path / "new" / "folder"), status=2)
    told = capsys.readouterr().err
    assert words in told and "Traceback" not in told
    assert not list(tmp_path.iterdir())


def test_out_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    for out in ("file", "file/below"):
        run(monkeypatch, "corpora/get.py", "ljspeech", "--out", str(tmp_path / out), status=2)
        assert f"{tmp_path / 'file'} is a file; a folder is needed there" in capsys.readouterr().err


def test_recordings_that_are_not_there_are_told(
    recordings: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for corpus, (build, _, speakers) in CORPORA.items():
        folder = tmp_path / corpus
        build(folder, recordings)
        there = sorted(path for path in folder.rglob("*") if path.suffix in {".wav", ".mp3", ".flac"})
        there = [path for path in there if "mic2" not in path.name and "p315" not in path.name]
        there[0].unlink()
        (folder / "._extra.normalized.txt").write_text("What a Mac puts beside files is no text.")
        run(monkeypatch, "corpora/get.py", corpus, "--unpacked", "--out", str(folder))
        told, lost = capsys.readouterr().err, f"such as {there[0]}; they are left out of the manifest\n"
        assert told == f"get.py: warning: 1 of {2 * speakers} recordings are not there, {lost}"
        assert {row["path"] for row in manifest_of(folder)} == {
            path.relative_to(folder).as_posix() for path in there[1:]
        }
        for path in there[1:]:
            path.unlink()
        run(monkeypatch, "corpora/get.py", corpus, "--unpacked", "--out", str(folder), status=2)
        told = capsys.readouterr().err
        assert told.startswith(f"get.py: error: {2 * speakers} of {2 * speakers} recordings are not there, such as ")


def test_what_a_kill_left_half_unpacked_is_not_taken_for_the_corpus(
    recordings: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    libritts(tmp_path / "inside", recordings)
    archive, folder = packed(tmp_path / "inside", tmp_path / "few.tar.gz"), tmp_path / "corpus"
    (folder / ".few.tar.gz.unpacking").mkdir(parents=True)
    run(monkeypatch, "corpora/get.py", "libritts", "--unpacked", "--out", str(folder), status=2)
    assert "few.tar.gz was not unpacked to its end into" in capsys.readouterr().err
    run(monkeypatch, "corpora/get.py", "libritts", "--archive", str(archive), "--out", str(folder))
    run(monkeypatch, "corpora/get.py", "libritts", "--unpacked", "--out", str(folder))
    assert len(manifest_of(folder)) == 4


def test_an_archive_under_a_published_name_is_the_published_one(
    recordings: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ljspeech(tmp_path / "inside", recordings)
    archive, folder = packed(tmp_path / "inside", tmp_path / "LJSpeech-1.1.tar.bz2"), tmp_path / "corpus"
    run(monkeypatch, "corpora/get.py", "ljspeech", "--archive", str(archive), "--out", str(folder), status=2)
    told = capsys.readouterr().err
    assert (
        "is not the file that the corpus's owner gives out under this name" in told and "expected is be1a3045" in told
    )
    assert not folder.exists()


def test_a_choice_that_leaves_nothing_says_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = tmp_path / "manifest.tsv"
    manifest.write_text("path\tspeaker\tcorpus\na.wav\tada\tmine\n")
    choice = [str(manifest), "--corpora", "Mine", "--out", str(tmp_path / "features")]
    run(monkeypatch, "prepare/prepare.py", *choice, status=2)
    told = capsys.readouterr().err
    assert "none of 1 recordings is of these corpora and languages; the corpora are mine, the languages en" in told
    assert not (tmp_path / "features").exists()


def test_it_is_downloaded_and_checked_first(
    recordings: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ljspeech(tmp_path / "inside", recordings)
    archive = tmp_path / "LJSpeech-1.1.tar.bz2"
    with tarfile.open(archive, "w:bz2") as tar:
        tar.add(tmp_path / "inside/LJSpeech-1.1", "LJSpeech-1.1")
    sources = json.loads((REPOSITORY / "recipes/corpora/sources.json").read_text())
    part = sources["ljspeech"]["parts"]["LJSpeech-1.1"]
    assert all(len(each["sha256"]) == 64 for about in sources.values() for each in about["parts"].values())
    part |= {"url": archive.as_uri(), "sha256": hashlib.sha256(archive.read_bytes()).hexdigest()}
    (tmp_path / "sources.json").write_text(json.dumps(sources))
    arguments = ["ljspeech", "--out", str(tmp_path / "corpus"), "--sources", str(tmp_path / "sources.json")]
    run(monkeypatch, "corpora/get.py", *arguments)
    assert [row["text"] for row in manifest_of(tmp_path / "corpus")] == list(TEXTS)


def test_a_dataset_of_the_hub_by_name(recordings: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub
    import pyarrow
    import pyarrow.parquet

    rows = [
        {"audio": {"bytes": source.read_bytes(), "path": source.name}, "text": TEXTS[number], "speaker_id": speaker}
        for (speaker, number), source in recordings.items()
    ]

    def repo_info(self: Any, repo_id: str, *, revision: str, repo_type: str) -> SimpleNamespace:
        assert (repo_id, revision, repo_type) == ("org/speech", "v1", "dataset")
        return SimpleNamespace(sha="abc")

    def snapshot_download(repo_id: str, *, local_dir: Path, **about: Any) -> None:
        wanted = {"repo_type": "dataset", "revision": "abc", "library_name": "voxclone"}
        assert repo_id == "org/speech" and about == wanted | {"allow_patterns": ["*.parquet", "README.md"]}
        (local_dir / "data").mkdir(parents=True)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), local_dir / "data/train-00000.parquet")

    monkeypatch.setattr(huggingface_hub.HfApi, "repo_info", repo_info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    folder = tmp_path / "corpus"
    run(monkeypatch, "corpora/get.py", "org/speech", "--out", str(folder), "--revision", "v1")
    check(folder, tmp_path / "features", 2, monkeypatch)

    # Another revision, of the same sizes.
    told = {path: path.read_bytes() for path in sorted((folder / "audio").iterdir())}
    for row in rows:
        row["audio"]["bytes"] = row["audio"]["bytes"][:-1] + b"\1"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "data/train-00000.parquet")
    run(monkeypatch, "corpora/get.py", "org/speech", "--unpacked", "--out", str(folder))
    assert all(path.read_bytes() == content[:-1] + b"\1" for path, content in told.items())


def test_a_dataset_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import pyarrow
    import pyarrow.parquet

    def told() -> str:
        run(monkeypatch, "corpora/get.py", "org/speech", "--unpacked", "--out", str(tmp_path), status=2)
        (line,) = capsys.readouterr().err.splitlines()
        return line

    assert told().startswith(f"get.py: error: {tmp_path} holds no *.parquet; ")
    assert not (tmp_path / "audio").exists()
    table = tmp_path / "train.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{"text": "a"}]), table)
    assert "has no column 'audio'; it has text" in told()
    rows = [{"audio": {"bytes": bytes(1000), "path": "a.wav"}, "text": str(number)} for number in range(200)]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), table)
    whole = table.read_bytes()
    for fault in (b"no Parquet", whole[:-9], whole[:20] + b"\xff" * 40 + whole[60:]):
        table.write_bytes(fault)
        assert f"{table} cannot be read as Parquet: " in told()


def test_a_hub_that_cannot_be_reached_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    (tmp_path / "half.parquet").touch()  # which the Hub's client would take for the whole
    run(monkeypatch, "corpora/get.py", "org/speech", "--out", str(tmp_path), status=2)
    told = f"HF_HUB_OFFLINE is set; unset it to reach the Hub; if {tmp_path} holds the dataset already, --unpacked asks"
    assert told in capsys.readouterr().err
