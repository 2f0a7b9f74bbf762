"""rules/loans.yaml: which loan a lead's own words ask for.

Belongs here: the file's model, and reading a text by it. Does not belong here: the words (the file), weighing cues (`rules`), or numbers such as prices
(`profiles.lending`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

from pydantic import Field

from lead_assets.classification import rules
from lead_assets.classification.rules import Cue, CueVerdict
from lead_assets.core.declared import Declared, Mistake, RulesFile
from lead_assets.core.document import nearest, read_bytes
from lead_assets.core.settings import Settings

BRIDGE = "bridge_rtl"

Step = Literal["noise", "undecided", "turns", "settled", "later"]
STEPS: tuple[Step, ...] = ("noise", "undecided", "turns", "settled", "later")
_NAMED = re.compile(r"\{([a-z_]+)\}")


class LoanCue(Declared):
    """Words for one loan. Each cue counts once, however often its words occur."""

    any: list[str] = Field(min_length=1)
    weight: float = Field(1.0, gt=0, le=10)


class Loans(Declared):
    """Words for both loans. A cue of weight 2 decides alone."""

    bridge_rtl: list[LoanCue] = Field(min_length=1)
    rental: list[LoanCue] = Field(min_length=1)


class LoanRules(Declared):
    """The whole file. Every list holds regular expressions for whole words in folded text."""

    words: dict[str, str] = {}
    noise: list[str] = []
    undecided: list[str] = []
    turns: list[str] = []
    settled: list[str] = []
    later: list[str] = []
    loans: Loans

    def written_out(self, pattern: str) -> str:
        """The pattern with the words it names."""
        return _NAMED.sub(lambda name: self.words[name[1]], pattern)

    @cached_property
    def cues(self) -> tuple[Cue, ...]:
        return tuple(
            rules.cue(label, *map(self.written_out, each.any), weight=each.weight)
            for label in ("bridge_rtl", "rental")
            for each in getattr(self.loans, label)
        )

    @cached_property
    def steps(self) -> dict[Step, re.Pattern[str] | None]:
        """A step's patterns as one; None if it has none."""
        return {step: _whole_words([self.written_out(each) for each in getattr(self, step)]) for step in STEPS}


def loan_wanted(text: str, declared: LoanRules) -> CueVerdict:
    """The loan that the text asks for, with the words that say so; unknown if it does not say, has not decided, or asks for both."""
    folded, origin = rules.fold_with_origin(text)
    folded = _without(folded, declared.steps["noise"])
    if (undecided := declared.steps["undecided"]) and undecided.search(folded):
        return CueVerdict(rules.UNKNOWN)
    verdict = _after_a_turn(folded, declared)
    if verdict is None:
        folded = _without(folded, declared.steps["settled"])
        verdict = rules.weigh(_without_what_is_later(folded, declared), declared.cues)
    return verdict.quoting(text, origin)


def _after_a_turn(folded: str, declared: LoanRules) -> rules.Weighed | None:
    """What follows the last turn that decides ("but this one is a rental"), if any does."""
    turns = declared.steps["turns"]
    for turn in reversed(list(turns.finditer(folded)) if turns else []):
        tail = " " * turn.start() + folded[turn.start() :]
        said = rules.weigh(_without_what_is_later(_without(tail, declared.steps["settled"]), declared), declared.cues)
        if said.label != rules.UNKNOWN:
            return said
    return None


def _without_what_is_later(folded: str, declared: LoanRules) -> str:
    later = declared.steps["later"]
    for found in later.finditer(folded) if later else ():
        if rules.weigh(folded[: found.start()], declared.cues).label == BRIDGE:
            folded = _blank(folded, found)
    return folded


def _without(folded: str, pattern: re.Pattern[str] | None) -> str:
    return pattern.sub(lambda found: " " * len(found[0]), folded) if pattern else folded


def _blank(folded: str, found: re.Match[str]) -> str:
    return folded[: found.start()] + " " * len(found[0]) + folded[found.end() :]


def _whole_words(patterns: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})(?!\w)") if patterns else None


def load_loan_rules(settings: Settings) -> LoanRules:
    """The words in force. Raises RulesError."""
    return LOANS.load(settings)


@cache
def shipped_loan_rules() -> LoanRules:
    """The words that are shipped."""
    path = Path(__file__).parent.parent / "rules" / LOANS.name
    return LOANS.parse(read_bytes(path.read_bytes(), str(path)))


def _mistakes(declared: LoanRules) -> Iterator[Mistake]:
    patterns: list[tuple[tuple[int | str, ...], str]] = [(("words", name), pattern) for name, pattern in declared.words.items()]
    patterns += [((step, place), pattern) for step in STEPS for place, pattern in enumerate(getattr(declared, step))]
    for label in ("bridge_rtl", "rental"):
        for cue, each in enumerate(getattr(declared.loans, label)):
            patterns += [(("loans", label, cue, "any", place), pattern) for place, pattern in enumerate(each.any)]
    for where, pattern in patterns:
        if where[0] != "words" and (unknown := [name for name in _NAMED.findall(pattern) if name not in declared.words]):
            yield Mistake(where, f"no words are named '{unknown[0]}'{nearest(unknown[0], declared.words)}: declare them under words")
            continue
        try:
            written = re.compile(pattern if where[0] == "words" else declared.written_out(pattern))
        except re.error as error:
            yield Mistake(where, f"not a regular expression ({error.msg}): correct it")
            continue
        if where[0] != "words" and written.search(""):
            yield Mistake(where, "matches an empty text: name at least one word")
        if pattern != pattern.lower():
            yield Mistake(where, "has a capital letter, but the text is compared in lower case: write it in lower case")


LOANS = RulesFile(
    "loans.yaml",
    LoanRules,
    _mistakes,
    lambda declared: f"{sum(len(each.any) for loan in (declared.loans.bridge_rtl, declared.loans.rental) for each in loan)} cues",
)
