"""The Hugging Face Hub: fetch a model into the local cache, publish a model folder."""

from __future__ import annotations

import re
import shutil
import tempfile
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from voxclone.errors import ModelError
from voxclone.hub.folder import CARD_FILE, LAYOUT, VOICE_PATTERN, check_integrity, read_config

if TYPE_CHECKING:
    from huggingface_hub.errors import LocalEntryNotFoundError

# huggingface_hub is imported in the functions: it adds 0.3 to 0.5 s, which a local model does not need.

_REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
_LOG_IN = "log in with `hf auth login`, or pass token="


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
) -> Path:
    """Bring the files of a model folder, and no others, into huggingface_hub's cache.

    Returns:
        The snapshot's folder; its files may be symbolic links.

    Raises:
        ModelError: The repository or revision does not exist or may not be read, or the Hub cannot be reached and the
            model is not in the cache.
    """
    import huggingface_hub
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]

    try:
        return Path(
            huggingface_hub.snapshot_download(
                repo_id,
                revision=revision,
                cache_dir=None if cache_dir is None else Path(cache_dir),
                token=token,
                local_files_only=local_files_only,
                allow_patterns=list(LAYOUT),
                library_name="voxclone",
            )
        )
    except (HTTPError, HFValidationError, OSError) as error:  # every Hub error is one of these
        raise ModelError(_explain(error, repo_id, revision, local_files_only)) from error


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
    if not is_repo_id(repo_id):
        raise ModelError(f"{repo_id!r} is not a name on the Hub; needed is 'org/name'")

    from huggingface_hub import HfApi
    from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]

    api = HfApi(token=token, library_name="voxclone")
    try:
        with tempfile.TemporaryDirectory() as scratch:
            files = [file for pattern in LAYOUT for file in folder.glob(pattern)]
            for file in files:
                target = Path(scratch) / file.relative_to(folder)
                target.parent.mkdir(exist_ok=True)
                shutil.copyfile(file, target)
            if (folder / CARD_FILE).is_file():
                shutil.copyfile(folder / CARD_FILE, Path(scratch) / "README.md")
            url = str(api.create_repo(repo_id, private=private, exist_ok=True))
            if revision is not None:
                api.create_branch(repo_id, branch=revision, exist_ok=True)
            api.upload_folder(
                repo_id=repo_id,
                folder_path=scratch,
                revision=revision,
                commit_message=f"Upload {name}",
                delete_patterns=[VOICE_PATTERN],
            )
    except (HTTPError, HFValidationError, OSError) as error:
        raise ModelError(f"cannot push to {repo_id}: {_explain(error, repo_id, revision)}") from error
    return url if revision is None else f"{url}/tree/{revision}"


def _explain(error: Exception, repo_id: str, revision: str | None, local_files_only: bool = False) -> str:
    """What went wrong with the Hub, and what to do about it."""
    from huggingface_hub import constants, errors

    page = f"{constants.ENDPOINT}/{repo_id}"
    if isinstance(error, errors.GatedRepoError):
        return f"{repo_id} is gated: ask for access at {page}, then {_LOG_IN}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"the Hub shows no model {repo_id!r}: check the name; if the model is private, {_LOG_IN}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repo_id} has no revision {revision!r}; those that it has are listed at {page}/commits/main"
    if isinstance(error, errors.LocalEntryNotFoundError):
        return _explain_absence(error, repo_id, revision, local_files_only)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set; unset it to reach the Hub"
    if isinstance(error, errors.HfHubHTTPError) and error.response.status_code in (401, 403):
        return f"the Hub refuses this access to {repo_id}: {_LOG_IN} with the rights for it ({error})"
    return f"{repo_id}: {type(error).__name__}: {error}"


def _explain_absence(error: LocalEntryNotFoundError, repo_id: str, revision: str | None, local_files_only: bool) -> str:
    from huggingface_hub import constants

    what = f"{repo_id} (revision {revision or 'main'}) is not, or not completely, in the local cache"
    if local_files_only:
        return f"{what}, and local_files_only=True; pass False once to download it"
    if constants.HF_HUB_OFFLINE:
        return f"{what}, and HF_HUB_OFFLINE is set; unset it once to download it"
    return f"{what}, and the Hub cannot be reached; check the network ({error.__cause__ or error})"
