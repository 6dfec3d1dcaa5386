"""From what the caller names - nothing, a folder, a Hub repository - to a model folder on this machine."""

from __future__ import annotations

import difflib
import importlib.resources
from os import PathLike, fspath
from pathlib import Path

from voxclone.errors import ModelError
from voxclone.hub.folder import CONFIG_FILE, how_to_mend
from voxclone.hub.remote import download, is_repo_id

BUNDLED_NAME = "en-small"


def resolve(
    source: str | PathLike[str] | None,
    *,
    revision: str | None = None,
    cache_dir: str | PathLike[str] | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
) -> Path:
    """Find the folder of a model, downloading it if need be.

    Args:
        source: None for the bundled model; a folder; or "org/name" on the Hub, if no such folder exists.
        revision: Branch, tag or commit on the Hub; only for "org/name".
        cache_dir: Where downloads are kept; None for huggingface_hub's own cache.
        token: Access token; None for the one of `hf auth login`.
        local_files_only: Use the cache without asking the Hub; so does the environment variable HF_HUB_OFFLINE.

    Returns:
        A folder that holds a config.json; `check_integrity` says whether the rest is whole.

    Raises:
        ModelError: There is no such model, or it cannot be had; the message says why.
    """
    if source is None:
        _refuse_revision(revision, "the bundled model")
        return _bundled()
    if not isinstance(source, str | PathLike):
        raise ModelError(f"a model is a folder, or a name on the Hub, 'org/name'; this is {type(source).__name__}")
    if not fspath(source) or (isinstance(source, str) and source.startswith(("http://", "https://"))):
        raise ModelError(
            f"{fspath(source)!r} is no model: give a folder, a name on the Hub, 'org/name', or none for the bundled one"
        )
    path = Path(source).expanduser()
    if path.is_file():
        raise ModelError(f"{path} is a file; needed is the model's folder, which may be {path.parent}")
    if path.is_dir():
        _refuse_revision(revision, f"the local folder {path}")
        folder = path
    elif isinstance(source, str) and is_repo_id(source):
        try:
            folder = download(
                source, revision=revision, cache_dir=cache_dir, token=token, local_files_only=local_files_only
            )
        except ModelError as error:
            raise ModelError(f"{error}. {_nearest(path)}") from error.__cause__
    else:
        raise ModelError(f"{_nearest(path)} A model on the Hub is named 'org/name'; give none for the bundled one.")
    if not (folder / CONFIG_FILE).is_file():
        mend = "" if folder is path else f"; if it is one, {how_to_mend(folder)}"
        raise ModelError(f"{fspath(source)} is not a voxclone model: {folder} holds no {CONFIG_FILE}{mend}")
    return folder


def _refuse_revision(revision: str | None, what: str) -> None:
    if revision is not None:
        raise ModelError(f"revision {revision!r} was given, but {what} has none; it is for models on the Hub")


def _bundled() -> Path:
    """The bundled model: inside the package when installed from a wheel, beside it in a source checkout."""
    package = Path(str(importlib.resources.files("voxclone")))
    candidates = [root / "pretrained" / BUNDLED_NAME for root in (package, package.parent)]
    for folder in candidates:
        if (folder / CONFIG_FILE).is_file():
            return folder
    raise ModelError(
        f"the bundled model {BUNDLED_NAME!r} is not installed: looked in {' and '.join(map(str, candidates))}. "
        "Install voxclone from its wheel, or pass a model folder or a Hub name."
    )


def _nearest(path: Path) -> str:
    """Says that a folder does not exist, from which point on, and what its name may have been meant to be."""
    known, missing = path.parent, path
    while not known.is_dir() and known != known.parent:
        known, missing = known.parent, known
    names = [entry.name for entry in known.iterdir() if entry.is_dir()] if known.is_dir() else []
    near = difflib.get_close_matches(missing.name, names, n=2)
    meant = f" (did you mean {' or '.join(repr(str(known / name)) for name in near)}?)" if near else ""
    return f"There is no local folder {str(path)!r}{meant}."
