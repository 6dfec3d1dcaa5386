"""Reading a configuration from JSON: typed and bounded, unknown keys refused."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from dataclasses import dataclass
from typing import Any, Self

from voxclone.errors import ConfigError

# A configuration may come from a stranger: what it asks for is bounded before anything is built.
MAX_INTEGER = 1 << 20
MAX_LAYERS = 256
MAX_ITEMS = 64  # of a list
MAX_TEXT = 200  # characters
_MOST = {"n_fft": 1 << 14, "short_n_fft": 1 << 14, "head_n_fft": 1 << 14, "n_mels": 512, "n_symbols": 1 << 14}


@dataclass(frozen=True)
class Config:
    """A frozen dataclass that reads from and writes to plain JSON values."""

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """Build from a JSON object.

        Raises:
            ConfigError: A key is unknown or missing, or a value has another type than its field.
        """
        if not isinstance(values, dict):
            raise ConfigError(f"{cls.__name__} needs a JSON object, got {type(values).__name__}")
        hints = typing.get_type_hints(cls)
        names = [f.name for f in dataclasses.fields(cls)]
        for key in values:
            if key not in names:
                near = difflib.get_close_matches(key, names, n=1, cutoff=0.5)
                meant = f" (did you mean {near[0]!r}?)" if near else ""
                raise ConfigError(
                    f"{cls.__name__}: unknown key {key!r}{meant}; known are {', '.join(map(repr, names))}"
                )
        for each in dataclasses.fields(cls):
            required = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
            if required and each.name not in values:
                raise ConfigError(f"{cls.__name__}: key {each.name!r} is missing")
        return cls(**{key: _read(cls, key, hints[key], value) for key, value in values.items()})

    def to_dict(self) -> dict[str, Any]:
        """The JSON object that `from_dict` reads back to an equal config."""
        return dataclasses.asdict(self)


def _read(owner: type, key: str, hint: Any, value: Any) -> Any:
    """Check one JSON value against its field's type, building nested configs and tuples."""
    if isinstance(hint, type) and issubclass(hint, Config):
        return hint.from_dict(value)
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        if value not in typing.get_args(hint):
            raise ConfigError(f"{owner.__name__}.{key} is {value!r}; it must be one of {typing.get_args(hint)}")
        return value
    if origin is types.UnionType:  # of one type and None
        kind = next(each for each in typing.get_args(hint) if each is not types.NoneType)
        return None if value is None else _read(owner, key, kind, value)
    if origin is tuple:
        if not isinstance(value, (list, tuple)) or len(value) > MAX_ITEMS:
            raise ConfigError(f"{owner.__name__}.{key} must be a list of at most {MAX_ITEMS}, got {value!r:.80}")
        inner = typing.get_args(hint)[0]
        return tuple(_read(owner, key, inner, item) for item in value)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if not math.isfinite(value):  # Python's json reads NaN and Infinity
            raise ConfigError(f"{owner.__name__}.{key} must be finite, got {value!r}")
        return float(value)
    if not isinstance(value, hint) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(f"{owner.__name__}.{key} must be {hint.__name__}, got {value!r}")
    most = _MOST.get(key, MAX_LAYERS if key.endswith("_layers") else MAX_INTEGER)
    if isinstance(value, int) and abs(value) > most:
        raise ConfigError(f"{owner.__name__}.{key} is {value:.3g}; at most {most} can be used")
    if isinstance(value, str) and (len(value) > MAX_TEXT or not value.isprintable()):
        raise ConfigError(f"{owner.__name__}.{key} must be at most {MAX_TEXT} printable characters")
    return value


def at_least(config: Config, least: int, *names: str) -> None:
    """Refuse a value below the least in any of the named fields.

    Raises:
        ConfigError: There is one.
    """
    for name in names:
        if getattr(config, name) < least:
            raise ConfigError(f"{type(config).__name__}.{name} is {getattr(config, name)}; it must be at least {least}")


def odd(config: Config, *names: str) -> None:
    """Refuse the kernel sizes that do not keep a sequence's length.

    Raises:
        ConfigError: One is even, or below 1.
    """
    at_least(config, 1, *names)
    for name in names:
        if getattr(config, name) % 2 == 0:
            raise ConfigError(f"{type(config).__name__}.{name} is {getattr(config, name)}; it must be odd")
