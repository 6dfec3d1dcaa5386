"""English text from its written to its spoken form, by an ordered table of small rules.

`RULES` is the whole of it: each rule sees what the ones before it left. To teach it something, add a rule to the list
of the file that it belongs to, and a line to the table in tests/text/test_normalize.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from voxclone.text.abbreviations import ABBREVIATION_RULES
from voxclone.text.beside import BESIDE_RULES
from voxclone.text.dates import DATE_RULES, DAY_RULES
from voxclone.text.initialisms import CAPITAL_RULES, SHOUT_RULES
from voxclone.text.markdown import MARKDOWN_RULES
from voxclone.text.money import MONEY_RULES
from voxclone.text.numbers import GROUP_RULES, NUMBER_FORM_RULES, NUMBER_RULES
from voxclone.text.pictures import PICTURE_RULES
from voxclone.text.plurals import PLURAL_RULES
from voxclone.text.rule import Rule
from voxclone.text.signs import CLOSING_RULES, LETTER_SIGN_RULES, SIGN_RULES
from voxclone.text.tags import TAG_RULES
from voxclone.text.typography import TYPOGRAPHY_RULES
from voxclone.text.units import BARE_UNIT_RULES, UNIT_RULES
from voxclone.text.web import ADDRESS_RULES, CODE_RULES

RULES: tuple[Rule, ...] = (
    *TAG_RULES,
    *MARKDOWN_RULES,
    *TYPOGRAPHY_RULES,
    *PICTURE_RULES,
    *GROUP_RULES,
    *SHOUT_RULES,
    *ADDRESS_RULES,
    *BESIDE_RULES,
    *DAY_RULES,
    *DATE_RULES,
    *PLURAL_RULES,
    *CODE_RULES,
    *MONEY_RULES,
    *SIGN_RULES,
    *LETTER_SIGN_RULES,
    *UNIT_RULES,
    *BARE_UNIT_RULES,
    *ABBREVIATION_RULES,
    *NUMBER_FORM_RULES,
    *CAPITAL_RULES,
    *NUMBER_RULES,
    *CLOSING_RULES,
)

PASSES = 5  # the table is applied until nothing changes: a word may come free of its neighbours late in a pass


@dataclass(frozen=True)
class Change:
    """One replacement that a rule made, in the text as the rules before it left it."""

    rule: str
    before: str
    after: str


def normalize(text: str) -> str:
    """Text as it is spoken, in American English.

    "Dr. Lee paid $3.50" is "Doctor Lee paid three dollars and fifty cents".
    Numbers have no hyphens and no "and". Letters that are spelled are single capitals between spaces: "F B I". Of
    punctuation , . ? ! ; : remain. Emoji are spoken by name. A character that no rule knows (control characters,
    other scripts) stays, for G2P to refuse. The same text gives the same words; the result normalises to itself; time
    is linear in the length.

    Args:
        text: Written English of any length; "" gives "".
    """
    for _ in range(PASSES):
        before = text
        for rule in RULES:
            text = rule.apply(text)
        if text == before:
            break
    return text


def explain(text: str) -> list[Change]:
    """What `normalize` does to a text: every replacement, in order, with the rule that made it."""
    changes: list[Change] = []
    for _ in range(PASSES):
        known = len(changes)
        for rule in RULES:
            text = rule.apply(text, lambda rule, before, after: changes.append(Change(rule.name, before, after)))
        if len(changes) == known:
            break
    return changes
