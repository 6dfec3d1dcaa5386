"""A recipe's config file: sections of settings, and which other file they change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from voxclone.errors import ConfigError

EXTENDS = "extends"


def read_settings(path: Path) -> dict[str, Any]:
    """The sections of a JSON file.

    With `"extends": "other.json"` they change those of that file beside it, entry by entry: objects are merged, all
    else is replaced, and null takes an entry away.

    Raises:
        ConfigError: A file is missing, is no JSON object, or extends itself.
    """
    return _read(path, ())


def _read(path: Path, within: tuple[Path, ...]) -> dict[str, Any]:
    path = path.resolve()
    if path in within:
        raise ConfigError(f"{path} extends itself; one of {', '.join(each.name for each in within)} has to stand alone")
    try:
        own = json.loads(path.read_text(encoding="utf8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as a config: {error}") from error
    if not isinstance(own, dict):
        raise ConfigError(f"{path} holds {type(own).__name__}; a config is a JSON object of sections")
    base = own.pop(EXTENDS, None)
    if base is None:
        return own
    if not isinstance(base, str):
        raise ConfigError(f"{path}: {EXTENDS!r} is {base!r}; it has to be the name of a file")
    return _merged(_read(path.parent / base, (*within, path)), own)


def _merged(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = _merged(merged[name], value)
        else:
            merged[name] = value
    return {name: value for name, value in merged.items() if value is not None}
