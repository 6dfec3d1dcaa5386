"""Bring a public corpus: download, check, unpack, and write its manifest. A killed download goes on."""

import argparse
import json
from pathlib import Path
from typing import Any

from voxclone.cli.ending import run_script
from voxclone.errors import ConfigError, ModelError
from voxclone.files import file_sha256, require_folder
from voxclone.hub.remote import download_dataset, is_repo_id
from voxclone.training.corpora import LAYOUTS, write_manifest
from voxclone.training.downloads import download, unfinished, unpack

SOURCES = Path(__file__).with_name("sources.json")


def main() -> None:
    sources = json.loads(SOURCES.read_text(encoding="utf8"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", help=f"{', '.join(sources)}, or the name of a dataset on the Hub, org/name")
    parser.add_argument("--out", type=Path, required=True, help="folder of this corpus")
    parser.add_argument("--parts", nargs="+", help="of the corpus; the first one if left out")
    parser.add_argument("--archive", type=Path, nargs="+", help="instead of downloading: archives that you have")
    parser.add_argument("--unpacked", action="store_true", help="--out holds it already; only write its manifest")
    parser.add_argument("--revision", help="of a dataset on the Hub; pin it for runs that should be repeatable")
    parser.add_argument("--language", help="of a dataset on the Hub; en if left out")
    parser.add_argument("--sources", type=Path, default=SOURCES, help=argparse.SUPPRESS)
    args = parser.parse_args()

    sources = json.loads(args.sources.read_text(encoding="utf8"))
    about = sources.get(args.corpus)
    if fault := fault_of(args, about, list(sources)):
        parser.error(fault)
    if about is None:
        if not args.unpacked:
            fetch_dataset(args.corpus, args.revision, args.out)
        layout, name = "dataset", args.corpus.replace("/", "-")
    else:
        if not args.unpacked:
            fetch_corpus(about["parts"], args.parts, args.archive, args.out)
        layout, name = about["layout"], args.corpus
    manifest = write_manifest(LAYOUTS[layout](args.out), name, args.out, args.language or "en")
    print(f"{manifest}: {sum(1 for _ in manifest.open(encoding='utf8')) - 1} recordings")


def fault_of(args: argparse.Namespace, about: dict[str, Any] | None, known: list[str]) -> str:
    """What cannot be meant by these arguments; empty where they can be followed.

    Raises:
        ConfigError: --out is no folder, or cannot be written to.
    """
    if about is None and not is_repo_id(args.corpus):
        return (
            f"no corpus {args.corpus!r}: known are {', '.join(known)}, and org/name for a dataset on the Hub; "
            "a folder that you have is named by --out, with --unpacked"
        )
    needless = ("revision", "language") if about else ("parts", "archive")
    if given := [f"--{name}" for name in needless if getattr(args, name) is not None]:
        return f"{' and '.join(given)} will not do with {args.corpus}: " + (
            "only a dataset on the Hub is asked for a revision or a language"
            if about
            else "a dataset on the Hub comes whole, and from there"
        )
    sources = ("unpacked", "archive", "parts") if about else ("unpacked", "revision")
    if len(given := [f"--{name}" for name in sources if getattr(args, name)]) > 1:
        return f"{' and '.join(given)} do not go together: the corpus is taken from one place; leave one out"
    require_folder(args.out, ConfigError)
    if args.unpacked:
        if not args.out.is_dir():
            return f"there is no folder {args.out}; --unpacked needs what --out holds already"
        if left := unfinished(args.out):
            return f"{left[0]} was not unpacked to its end into {args.out}: run this with the archive, not --unpacked"
    elif about and args.archive is None:
        if not about["parts"]:
            return f"{args.corpus} is given out at {about['page']} only; name its archive with --archive"
        if unknown := set(args.parts or []) - set(about["parts"]):
            return f"{args.corpus} has no part {', '.join(sorted(unknown))}; it has {', '.join(about['parts'])}"
    for archive in args.archive or []:
        if not archive.is_file():
            return f"there is no archive {archive}" + "; that is a folder, which --out takes, with --unpacked" * (
                archive.is_dir()
            )
    return ""


def fetch_corpus(
    known: dict[str, dict[str, str]], parts: list[str] | None, archives: list[Path] | None, folder: Path
) -> None:
    """Download parts of a corpus (the first if none is named), or take archives instead; unpack them.

    Raises:
        VoxcloneError: One cannot be had or unpacked, or is not what its owner gives out under its name.
    """
    for archive in archives or []:
        sha256 = file_sha256(archive)
        published = {Path(part["url"]).name: part["sha256"] for part in known.values()}.get(archive.name, sha256)
        if sha256 != published:
            raise ConfigError(
                f"{archive} is not the file that the corpus's owner gives out under this name (its sha256 is "
                f"{sha256[:12]}…, expected is {published[:12]}…): fetch it again, or rename one of your own making"
            )
        unpack(archive, folder, sha256)
    for part in [] if archives else parts or list(known)[:1]:
        url, sha256 = known[part]["url"], known[part]["sha256"]
        unpack(download(url, folder / Path(url).name, sha256), folder, sha256)


def fetch_dataset(name: str, revision: str | None, folder: Path) -> None:
    """Bring the Parquet files of a dataset on the Hub."""
    try:
        download_dataset(name, folder, revision=revision, patterns=["*.parquet", "README.md"])
    except ModelError as error:
        raise ModelError(f"{error}; if {folder} holds the dataset already, --unpacked asks no Hub") from error


if __name__ == "__main__":
    run_script(main)
