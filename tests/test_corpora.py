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
    "libritts": (libritts, "dev-clean.tar.gz", 2),
    "vctk": (vctk, "VCTK-Corpus-0.92.zip", 2),
    "ljspeech": (ljspeech, "LJSpeech-1.1.tar.bz2", 1),
    "common_voice": (common_voice, "cv-corpus-21.0-en.tar.gz", 2),
}


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
    members = [path for path in sorted(inside.rglob("*")) if path.is_file()]
    if name.endswith(".zip"):
        with zipfile.ZipFile(archive, "w") as packed:
            for path in members:
                packed.write(path, path.relative_to(inside))
    else:
        with tarfile.open(archive, f"w:{name.rpartition('.')[2]}") as tar:
            for path in members:
                tar.add(path, path.relative_to(inside))
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
    run(monkeypatch, "corpora/get.py", *arguments, "--out", str(tmp_path), status=2)
    assert words in capsys.readouterr().err


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

    def snapshot_download(repo_id: str, *, repo_type: str, revision: str, local_dir: Path, allow_patterns: Any) -> None:
        assert (repo_id, repo_type, revision) == ("org/speech", "dataset", "abc") and "*.parquet" in allow_patterns
        (local_dir / "data").mkdir()
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), local_dir / "data/train-00000.parquet")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    folder = tmp_path / "corpus"
    run(monkeypatch, "corpora/get.py", "org/speech", "--out", str(folder), "--revision", "abc")
    check(folder, tmp_path / "features", 2, monkeypatch)
