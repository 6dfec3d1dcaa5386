"""A recipe's config file: sections of settings, and which other file they change."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from voxclone.errors import ConfigError

EXTENDS = "extends"


class Section(dict[str, Any]):
    """A JSON object of a config, which says where it is when it is asked for what it lacks."""

    def __init__(self, where: str, values: dict[str, Any]) -> None:
        super().__init__(
            {n: Section(f"{where}, {n}", each) if isinstance(each, dict) else each for n, each in values.items()}
        )
        self.where = where

    def __missing__(self, key: str) -> Any:
        raise ConfigError(f"{self.where}: {key!r} is missing{_meant(key, self)}")

    def of(self, *known: str) -> Self:
        """The section itself, in which no other keys may be.

        Raises:
            ConfigError: There is another.
        """
        for key in self:
            if key not in known:
                raise ConfigError(f"{self.where}: unknown key {key!r}{_meant(key, known)}")
        return self

    def arguments(self, taker: type) -> dict[str, Any]:
        """All of it, as keyword arguments of a class.

        Raises:
            ConfigError: A key is none of those that the class, or one that it extends, has a default for.
        """
        parameters = [each for kind in taker.__mro__ for each in inspect.signature(kind).parameters.values()]
        known = [each.name for each in parameters if each.default is not inspect.Parameter.empty]
        return dict(self.of(*known))


def _meant(key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.5)
    return f" (is {near[0]!r} the one?)" if near else ""


def read_settings(path: Path) -> Section:
    """The sections of a JSON file.

    With `"extends": "other.json"` they change those of that file beside it, entry by entry: objects are merged, all
    else is replaced, and null takes an entry away.

    Raises:
        ConfigError: A file is missing, is no JSON object, or extends itself; later, what is asked for is missing.
    """
    return Section(str(path), _read(path, ()))


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
