"""The scoring rules from rules/scoring.yaml, validated on reading.

Does not belong here: applying them (see `score`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, model_validator

from lead_assets.contracts import Classification, EnrichedLead, Lead
from lead_assets.core.declared import Declared, Mistake, RulesFile
from lead_assets.core.document import nearest
from lead_assets.core.settings import Settings

FEATURES: frozenset[str] = frozenset(column.name for contract in (Lead, EnrichedLead, Classification) for column in contract.columns())
"""Columns a rule may use: those of the lead, its signals and its classification. `answer.x` is field x of the classifier's answer."""


class PointsStep(Declared):
    at_least: float
    points: Annotated[int, Field(ge=0)]


class Rule(Declared):
    """One part of a score. Exactly one of `values`, `steps` and `present` sets the points; without a match, `otherwise` applies."""

    name: str
    column: str
    values: dict[str, Annotated[int, Field(ge=0)]] | None = None
    steps: list[PointsStep] | None = None
    present: Annotated[int, Field(ge=0)] | None = None
    otherwise: Annotated[int, Field(ge=0)] = 0

    @property
    def max_points(self) -> int:
        given = [*(self.values or {}).values(), *(step.points for step in self.steps or []), self.present or 0]
        return max([*given, self.otherwise])

    @model_validator(mode="after")
    def _one_way_to_score(self) -> Rule:
        if sum(way is not None for way in (self.values, self.steps, self.present)) != 1:
            raise ValueError("give exactly one of values, steps, present")
        return self


class Ruleset(Declared):
    """The rules for one classification profile. Their maximum is at most 100 points."""

    rules: Annotated[list[Rule], Field(min_length=1)]


class Tiers(Declared):
    """The lowest score of each tier; a lead below the last one is cold."""

    hot: float
    warm: float

    @model_validator(mode="after")
    def _in_order(self) -> Tiers:
        if not self.hot > self.warm:
            raise ValueError("tier hot must start above tier warm: raise hot or lower warm")
        return self


class ScoringRules(Declared):
    version: int
    tiers: Tiers
    default: str
    profiles: Annotated[dict[str, Ruleset], Field(min_length=1)]


def load_scoring_rules(settings: Settings) -> ScoringRules:
    """The scoring rules in force. Raises RulesError."""
    return SCORING.load(settings)


def _mistakes(rules: ScoringRules) -> Iterator[Mistake]:
    if rules.default not in rules.profiles:
        yield Mistake(
            ("default",), f"profile '{rules.default}' has no rules{nearest(rules.default, rules.profiles)}: add it under profiles"
        )
    for profile, ruleset in rules.profiles.items():
        at = ("profiles", profile, "rules")
        total = sum(rule.max_points for rule in ruleset.rules)
        if total > 100:
            yield Mistake(at, f"the rules add up to a maximum of {total} points: lower some, because a score ends at 100")
        names = [rule.name for rule in ruleset.rules]
        for index, rule in enumerate(ruleset.rules):
            if rule.name in names[:index]:
                yield Mistake((*at, index, "name"), f"two rules have the same name, '{rule.name}': rename one")
            if not rule.column.startswith("answer.") and rule.column not in FEATURES:
                yield Mistake(
                    (*at, index, "column"),
                    f"unknown column '{rule.column}'{nearest(rule.column, FEATURES)}: use one of identity.leads, signals.enriched_leads or "
                    "classification.classifications, or answer.<field>",
                )


SCORING = RulesFile(
    "scoring.yaml", ScoringRules, _mistakes, lambda rules: f"version {rules.version}", parts={"profiles": "profile", "rules": "rule"}
)
