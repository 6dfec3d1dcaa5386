"""Bring a public corpus: download, check, unpack, and write its manifest. A killed download goes on."""

import argparse
import json
from pathlib import Path

from voxclone.cli.ending import run_script
from voxclone.training.corpora import LAYOUTS, write_manifest
from voxclone.training.downloads import download, unpack

SOURCES = Path(__file__).with_name("sources.json")


def main() -> None:
    sources = json.loads(SOURCES.read_text(encoding="utf8"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpus", help=f"{', '.join(sources)}, or the name of a dataset on the Hub, org/name")
    parser.add_argument("--out", type=Path, required=True, help="folder of this corpus")
    parser.add_argument("--parts", nargs="+", help="of the corpus; the first one if left out")
    parser.add_argument("--archive", type=Path, nargs="*", help="instead of downloading: archives that you have")
    parser.add_argument("--unpacked", action="store_true", help="--out holds it already; only write its manifest")
    parser.add_argument("--revision", help="of a dataset on the Hub; pin it for runs that should be repeatable")
    parser.add_argument("--language", default="en")
    parser.add_argument("--sources", type=Path, default=SOURCES, help=argparse.SUPPRESS)
    args = parser.parse_args()

    sources = json.loads(args.sources.read_text(encoding="utf8"))
    about = sources.get(args.corpus)
    if about is None and "/" not in args.corpus:
        parser.error(
            f"no corpus {args.corpus!r}: known are {', '.join(sources)}, and org/name for a dataset on the Hub"
        )
    args.out.mkdir(parents=True, exist_ok=True)
    if about is None:
        if not args.unpacked:
            fetch_dataset(args.corpus, args.revision, args.out)
        layout, name = "dataset", args.corpus.replace("/", "-")
    else:
        layout, name = about["layout"], args.corpus
        parts = args.parts or list(about["parts"])[:1]
        if unknown := set(parts) - set(about["parts"]):
            known = ", ".join(about["parts"]) or "none by name"
            parser.error(f"{args.corpus} has no part {', '.join(sorted(unknown))}; it has {known}")
        archives = list(args.archive or [])
        if not archives and not about["parts"] and not args.unpacked:
            parser.error(f"{args.corpus} is given out at {about['page']} only; name its archive with --archive")
        for part in [] if archives or args.unpacked else parts:
            source = about["parts"][part]
            archives.append(download(source["url"], args.out / Path(source["url"]).name, source["sha256"]))
        for archive in archives:
            unpack(archive, args.out)
    manifest = write_manifest(LAYOUTS[layout](args.out), name, args.out, args.language)
    print(f"{manifest}: {sum(1 for _ in manifest.open(encoding='utf8')) - 1} recordings")


def fetch_dataset(name: str, revision: str | None, folder: Path) -> None:
    """Bring the Parquet files of a dataset on the Hub."""
    import huggingface_hub

    patterns = ["*.parquet", "README.md"]
    huggingface_hub.snapshot_download(
        name, repo_type="dataset", revision=revision, local_dir=folder, allow_patterns=patterns
    )


if __name__ == "__main__":
    run_script(main)
