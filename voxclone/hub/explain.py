"""What went wrong with the Hub, and what to do about it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from huggingface_hub.errors import LocalEntryNotFoundError

# What a cache in a wrong, read-only or full place raises.
_UNKEPT = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.ENOTDIR, errno.EEXIST, errno.ENOENT})
_LOG_IN = "log in with `hf auth login`, or pass token="


def explain(
    error: Exception, repo_id: str, revision: str | None, local_files_only: bool = False, kind: str = "model"
) -> str:
    """One sentence for an error of huggingface_hub, httpx or the operating system.

    Args:
        error: What was raised.
        repo_id: What was asked for.
        revision: At which revision; None for main.
        local_files_only: Whether the cache alone was asked.
        kind: "model", "voice" or "dataset".
    """
    from huggingface_hub import constants, errors

    told = " ".join(str(error).split())
    repository = "dataset" if kind == "dataset" else "model"  # a voice lies in a model's
    page = f"{constants.ENDPOINT}/{'datasets/' * (repository == 'dataset')}{repo_id}"
    if isinstance(error, errors.GatedRepoError):
        return f"{repo_id} is gated: ask for access at {page}, then {_LOG_IN}"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"the Hub shows no {repository} {repo_id!r}: check the name; if the {kind} is private, {_LOG_IN}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{repo_id} has no revision {revision!r}; those that it has are listed at {page}/commits/main"
    if isinstance(error, errors.LocalEntryNotFoundError):
        if (cause := _refusal(error)) is not None:  # the Hub answered, and its answer is the reason
            return explain(cause, repo_id, revision, local_files_only, kind)
        return _explain_absence(error, repo_id, revision, local_files_only)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set; unset it to reach the Hub"
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        if status in (401, 403):
            return f"the Hub refuses this access to {repo_id}: {_LOG_IN} with the rights for it ({told})"
        if status == 429:
            return f"the Hub limits how often it may be asked: {_wait(error.response)}, or {_LOG_IN}, which allows more"
    if isinstance(error, OSError) and error.errno in _UNKEPT:
        return (
            f"{repo_id} cannot be kept in the cache ({told}): name a folder that can be written and has room, by "
            "cache_dir= or HF_HOME in the environment"
        )
    return f"{repo_id}: {type(error).__name__}: {told}"


def _refusal(error: Exception) -> Exception | None:
    """The Hub's own refusal beneath an error that says no more than that a file is not here."""
    from huggingface_hub import errors

    cause = error.__cause__
    if isinstance(cause, errors.HfHubHTTPError) and cause.response.status_code in (401, 403, 429):
        return cause
    return None


def _wait(response: Any) -> str:
    """How long to wait, from Retry-After or the t= of the RateLimit header (draft-ietf-httpapi-ratelimit-headers)."""
    named = response.headers.get("Retry-After", "")
    for part in response.headers.get("RateLimit", "").split(";"):
        key, _, value = part.strip().partition("=")
        named = named or (value if key == "t" else "")
    return f"wait {named} s" if named.isdigit() else "wait some minutes"


def _explain_absence(error: LocalEntryNotFoundError, repo_id: str, revision: str | None, local_files_only: bool) -> str:
    from huggingface_hub import constants

    what = f"{repo_id} (revision {revision or 'main'}) is not, or not completely, in the local cache"
    if local_files_only:
        return f"{what}, and local_files_only=True; pass False once to download it"
    if constants.HF_HUB_OFFLINE:
        return f"{what}, and HF_HUB_OFFLINE is set; unset it once to download it"
    return (
        f"{what}, and the Hub cannot be reached; check the network ({' '.join(str(error.__cause__ or error).split())})"
    )
