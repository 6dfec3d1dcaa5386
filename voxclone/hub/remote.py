"""The Hugging Face Hub: fetch a folder into the local cache, publish a folder."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from voxclone.errors import ModelError
from voxclone.hub.explain import explain
from voxclone.hub.folder import CARD_FILE, LAYOUT, VOICE_PATTERN, check_integrity, read_config

# huggingface_hub is imported in the functions: it adds 0.3 to 0.5 s, which a local model does not need.

PAGE_FILE = "README.md"  # what the Hub shows as a repository's card

_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


def is_repo_id(source: str) -> bool:
    """Whether a text has the form of a model's name on the Hub, "org/name"."""
    return _REPO_ID.fullmatch(source) is not None


def download(
    repo_id: str,
    *,
    revision: str | None = None,
    cache_dir: str | PathLike[str] | None = None,
    token: str | bool | None = None,
    local_files_only: bool = False,
    layout: Sequence[str] = LAYOUT,
) -> Path:
    """Bring the files of a layout, and no others, into huggingface_hub's cache.

    The client is huggingface_hub's own: HF_ENDPOINT, HF_HOME, HF_TOKEN and HF_HUB_OFFLINE are honoured, and files that
    the Hub keeps in Xet storage come through hf-xet where that is installed. A connection that breaks is taken up where
    it broke; after a call that failed or was killed, the next one does not fetch finished files again.

    Returns:
        The snapshot's folder; its files may be symbolic links.

    Raises:
        ModelError: The repository or revision does not exist or may not be read, or the Hub cannot be reached and the
            files are not in the cache.
    """
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]

    kind = "model" if layout is LAYOUT else "voice"
    try:
        return Path(
            huggingface_hub.snapshot_download(
                repo_id,
                revision=revision,
                cache_dir=None if cache_dir is None else Path(cache_dir),
                token=token,
                local_files_only=local_files_only,
                allow_patterns=list(layout),
                library_name="voxclone",
            )
        )
    except (HTTPError, HFValidationError, OSError, RuntimeError) as error:  # RuntimeError: hf-xet
        raise ModelError(explain(error, repo_id, revision, local_files_only, kind)) from error


def download_dataset(repo_id: str, folder: Path, *, revision: str | None = None, patterns: Sequence[str]) -> None:
    """Bring those files of a dataset that fit the patterns into a folder; after a break the next call goes on.

    Raises:
        ModelError: The dataset or revision does not exist or may not be read, or the Hub cannot be reached, whatever
            the folder holds already.
    """
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]

    try:
        # Asked for a name, snapshot_download takes a folder that is half full for the whole where the Hub is away.
        api = huggingface_hub.HfApi(library_name="voxclone")
        commit = api.repo_info(repo_id, revision=revision, repo_type="dataset").sha
        huggingface_hub.snapshot_download(
            repo_id,
            repo_type="dataset",
            revision=commit,
            local_dir=folder,
            allow_patterns=list(patterns),
            library_name="voxclone",
        )
    except (HTTPError, HFValidationError, OSError, RuntimeError) as error:  # RuntimeError: hf-xet
        raise ModelError(explain(error, repo_id, revision, kind="dataset")) from error


def commit_of(repo_id: str, revision: str | None, token: str | bool | None) -> str:
    """The commit that a branch or tag points to now, 40 hex digits.

    Raises:
        ModelError: There is no such revision, or the Hub cannot be reached.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]

    try:
        found = HfApi(token=token, library_name="voxclone").model_info(repo_id, revision=revision).sha
    except (HTTPError, HFValidationError, OSError) as error:
        raise ModelError(explain(error, repo_id, revision)) from error
    if found is None:
        raise ModelError(f"the Hub names no commit of {repo_id} at revision {revision or 'main'}")
    return str(found)


def push_folder(
    folder: str | PathLike[str],
    repo_id: str,
    *,
    token: str | bool | None = None,
    private: bool = False,
    revision: str | None = None,
) -> str:
    """Publish a model folder on the Hub in one commit; example voices that it does not hold are deleted there.

    card.md goes up under its own name and as README.md, which the Hub shows as the model card.

    Args:
        folder: A model folder; it is checked first.
        repo_id: "org/name"; made if it does not exist.
        token: Access token; None for the one of `hf auth login`.
        private: Whether a new repository is private; an existing one stays as it is.
        revision: Branch to push to, made if it does not exist; None for main.

    Returns:
        The page's URL.

    Raises:
        ModelError: The folder is no intact model, or the Hub refuses or cannot be reached.
    """
    folder = Path(folder).expanduser()
    name = read_config(folder).name
    check_integrity(folder)
    with tempfile.TemporaryDirectory() as scratch:
        for file in [file for pattern in LAYOUT for file in folder.glob(pattern)]:
            target = Path(scratch) / file.relative_to(folder)
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(file, target)
        if (folder / CARD_FILE).is_file():
            shutil.copyfile(folder / CARD_FILE, Path(scratch) / PAGE_FILE)
        return upload(
            Path(scratch), repo_id, f"Upload {name}", token=token, private=private, revision=revision,
            delete=(VOICE_PATTERN,),
        )  # fmt: skip


def upload(
    folder: Path,
    repo_id: str,
    message: str,
    *,
    token: str | bool | None,
    private: bool,
    revision: str | None,
    delete: Sequence[str] = (),
) -> str:
    """Push all of a folder in one commit, deleting there what matches `delete` and is not in it; the page's URL.

    Raises:
        ModelError: The name cannot be one, or the Hub refuses or cannot be reached.
    """
    if not is_repo_id(repo_id):
        raise ModelError(f"{repo_id!r} is not a name on the Hub; needed is 'org/name'")

    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]

    api = HfApi(token=token, library_name="voxclone")
    try:
        url = str(api.create_repo(repo_id, private=private, exist_ok=True))
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        api.upload_folder(
            repo_id=repo_id,
            folder_path=str(folder),
            revision=revision,
            commit_message=message,
            delete_patterns=list(delete),
        )
    except (HTTPError, HFValidationError, OSError, RuntimeError) as error:  # RuntimeError: hf-xet
        raise ModelError(f"cannot push to {repo_id}: {explain(error, repo_id, revision)}") from error
    return url if revision is None else f"{url}/tree/{revision}"
