"""One rewriting step of the text normaliser: a name to report, a pattern to find, words to say."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

_DIGIT = re.compile(r"\d")


@dataclass(frozen=True)
class Rule:
    """Every match of a pattern is replaced by `speak(match)`.

    A pattern must fail in constant time where it cannot match: it begins with a lookbehind or a boundary that keeps it
    from being tried inside its own repetition. White space is single spaces by the time most rules run. With
    `needs_digit` the rule is not tried on text that has no digit.
    """

    name: str
    source: str
    speak: Callable[[re.Match[str]], str]
    flags: int = 0
    needs_digit: bool = False

    @functools.cached_property
    def pattern(self) -> re.Pattern[str]:
        """Compiled at the first use, since all rules together take a good part of a second."""
        return re.compile(self.source, self.flags)

    def changes(self, text: str) -> Iterator[tuple[re.Match[str], str]]:
        """Every match that is to be replaced by something else, and by what."""
        if self.needs_digit and not _DIGIT.search(text):
            return
        for match in self.pattern.finditer(text):
            after = self.speak(match)
            if after != match[0]:
                yield match, after

    def apply(self, text: str, record: Callable[[Rule, str, str], None] | None = None) -> str:
        """Rewrite text; `record(rule, before, after)` is told each replacement that changes something."""
        if self.needs_digit and not _DIGIT.search(text):
            return text
        if record is None:
            return self.pattern.sub(self.speak, text)

        def speak(match: re.Match[str]) -> str:
            after = self.speak(match)
            if after != match[0]:
                record(self, match[0], after)
            return after

        return self.pattern.sub(speak, text)


def rule(name: str, source: str, speak: str | Callable[[re.Match[str]], str], flags: int = 0) -> Rule:
    """A rule from a pattern's source; `speak` may be a template as for `re.sub`."""
    if isinstance(speak, str):
        template = speak
        return Rule(name, source, lambda match: match.expand(template), flags)
    return Rule(name, source, speak, flags)


def where_digits(*rules: Rule) -> tuple[Rule, ...]:
    """The same rules, tried only on text that has a digit."""
    return tuple(replace(each, needs_digit=True) for each in rules)


def alternatives(table: Mapping[str, object]) -> str:
    """A pattern that matches any key of a table, longest first."""
    return "|".join(re.escape(key) for key in sorted(table, key=len, reverse=True))
