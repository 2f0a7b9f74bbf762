"""rules/outcomes.yaml: which columns of a CRM's export say how leads ended, and what its stages mean.

Does not belong here: reading files (see `statements`), or which lead is meant (see `outcomes`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from lead_assets.core.columns import folded
from lead_assets.core.declared import Declared, Mistake, RulesFile
from lead_assets.core.settings import Settings

Words = Annotated[list[str], Field(min_length=1)]


class OutcomeColumns(Declared):
    """Names of columns, the first one that a file has being used."""

    stage: Words
    won: Words
    closed: Words
    outcome_at: Words
    email: Words
    lead_id: Words
    domain: Words


class OutcomeRules(Declared):
    columns: OutcomeColumns
    won: Words
    lost: Words
    open: Words

    def meaning(self, stage: str) -> str | None:
        """`won`, `lost` or `open`; None for a stage that contains none of the words."""
        said = words_of(stage)
        found = max((phrase for phrase in _phrases(self) if f" {phrase} " in f" {said} "), key=len, default=None)
        return None if found is None else _phrases(self)[found]

    def __hash__(self) -> int:
        return id(self)


def words_of(text: str) -> str:
    """Folded, with the words of CamelCase apart: "StageName" → "stage name"."""
    return folded([re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)])[0]


@functools.lru_cache(maxsize=8)
def _phrases(rules: OutcomeRules) -> dict[str, str]:
    return {phrase: meaning for meaning in ("won", "lost", "open") for phrase in folded(getattr(rules, meaning))}


def load_outcome_rules(settings: Settings) -> OutcomeRules:
    """How outcomes are read. Raises RulesError."""
    return OUTCOMES.load(settings)


def _mistakes(rules: OutcomeRules) -> Iterator[Mistake]:
    seen: dict[str, str] = {}
    for meaning in ("won", "lost", "open"):
        for index, phrase in enumerate(folded(getattr(rules, meaning))):
            if seen.setdefault(phrase, meaning) != meaning:
                yield Mistake((meaning, index), f"'{phrase}' also means {seen[phrase]}: remove one")


OUTCOMES = RulesFile("outcomes.yaml", OutcomeRules, _mistakes, lambda rules: f"{sum(map(len, (rules.won, rules.lost, rules.open)))} stages")
