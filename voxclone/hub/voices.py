"""A voice as a repository of its own: its file, what it belongs to, and its checksums."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from voxclone.errors import ModelError
from voxclone.files import file_sha256
from voxclone.hub.folder import how_to_mend
from voxclone.hub.remote import PAGE_FILE, commit_of, download, is_repo_id, upload
from voxclone.json_limits import read_json

KIND = "voxclone.voice"
FORMAT_VERSION = 1
ABOUT_FILE = "voice.json"
VOICE_FILE = "speaker.voice"
SUMS_FILE = "sha256.txt"
VOICE_LAYOUT = (ABOUT_FILE, VOICE_FILE, SUMS_FILE)

_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Base:
    """The model that a voice belongs to.

    Attributes:
        repo_id: "org/name" on the Hub.
        revision: The commit, 40 hex digits.
    """

    repo_id: str
    revision: str


def pin_base(repo_id: str, revision: str | None, token: str | bool | None) -> Base:
    """The base at the commit that the revision points to now.

    Raises:
        ModelError: `repo_id` is no name on the Hub, there is no such revision, or the Hub cannot be reached.
    """
    if not is_repo_id(repo_id):
        raise ModelError(f"{repo_id!r} is not a name on the Hub; a base model is named 'org/name'")
    if revision is not None and _COMMIT.fullmatch(revision):
        return Base(repo_id, revision)
    return Base(repo_id, commit_of(repo_id, revision, token))


def push_voice(
    voice_file: Path,
    name: str,
    repo_id: str,
    *,
    base: Base | None,
    card: str,
    token: str | bool | None,
    private: bool,
    revision: str | None,
) -> str:
    """Publish a voice file; the page's URL.

    Raises:
        ModelError: The Hub refuses or cannot be reached.
    """
    folder = voice_file.parent / "repository"
    folder.mkdir()
    shutil.copyfile(voice_file, folder / VOICE_FILE)
    about = {
        "kind": KIND,
        "format_version": FORMAT_VERSION,
        "name": name,
        "base": None if base is None else {"repo_id": base.repo_id, "revision": base.revision},
    }
    (folder / ABOUT_FILE).write_text(json.dumps(about, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / PAGE_FILE).write_text(card, encoding="utf-8")
    sums = "".join(f"{file_sha256(folder / name)}  {name}\n" for name in (VOICE_FILE, ABOUT_FILE))
    (folder / SUMS_FILE).write_text(sums, encoding="utf-8")
    message = f"Upload the voice {name}"
    return upload(folder, repo_id, message, token=token, private=private, revision=revision)


def fetch_voice(
    source: str | PathLike[str],
    *,
    revision: str | None = None,
    cache_dir: str | PathLike[str] | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
) -> tuple[Path, Base | None]:
    """A voice's file and its base, from "org/name" on the Hub or a folder of that layout, checked by sha256.

    Raises:
        ModelError: There is no such voice, it cannot be had, or a file is damaged.
    """
    folder = Path(source).expanduser()
    if folder.is_dir():
        if revision is not None:
            raise ModelError(f"revision {revision!r} was given, but the local folder {folder} has none")
    elif isinstance(source, str) and is_repo_id(source):
        folder = download(
            source, revision=revision, cache_dir=cache_dir, token=token, local_files_only=local_files_only,
            layout=VOICE_LAYOUT,
        )  # fmt: skip
    else:
        raise ModelError(f"there is no folder {str(folder)!r}; a voice on the Hub is named 'org/name'")
    if not (folder / ABOUT_FILE).is_file():
        raise ModelError(
            f"{source} is not a voice's repository: it holds no {ABOUT_FILE}; a voice file, or the folder that "
            "fine-tuning left, is read by Voice.load"
        )
    _check_sums(folder)
    return folder / VOICE_FILE, _read_base(folder / ABOUT_FILE)


def _check_sums(folder: Path) -> None:
    for name in VOICE_LAYOUT:
        if not (folder / name).is_file():
            raise ModelError(f"{folder} lacks {name}: {how_to_mend(folder, 'voice')}")
    lines = (folder / SUMS_FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    listed = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in (VOICE_FILE, ABOUT_FILE):
        if (actual := file_sha256(folder / name)) != listed.get(name):
            raise ModelError(
                f"{folder / name} is damaged or was changed: its sha256 is {actual[:12]}…, {SUMS_FILE} has "
                f"{listed.get(name, 'none')[:12]}…; {how_to_mend(folder, 'voice')}"
            )


def _read_base(path: Path) -> Base | None:
    try:
        about = read_json(path)
        kind, version, base = about["kind"], about["format_version"], about["base"]
        named = None if base is None else Base(base["repo_id"], base["revision"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{path} does not say what voice it is: {error!r}") from error
    if kind != KIND or version != FORMAT_VERSION:
        raise ModelError(
            f"{path} is of kind {kind!r}, format {version!r}; this voxclone reads {KIND}, {FORMAT_VERSION}"
        )
    if named is not None and not (is_repo_id(str(named.repo_id)) and _COMMIT.fullmatch(str(named.revision))):
        raise ModelError(
            f"{path} names the base {named.repo_id!r} at {named.revision!r}, which is no pinned repository"
        )
    return named
