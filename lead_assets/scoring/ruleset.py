"""The scoring rules as the business declares them in rules/scoring.yaml, checked when they are read.

Does not belong here: applying them (see `score`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lead_assets.contracts import Classification, EnrichedLead, Lead

FEATURES: frozenset[str] = frozenset(column.name for contract in (Lead, EnrichedLead, Classification) for column in contract.columns())
"""Columns a rule may look at: those of the lead, its signals and its classification. `answer.x` is field x of the classifier's answer."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Strict):
    at_least: float
    points: Annotated[int, Field(ge=0)]


class Rule(_Strict):
    """One part of a score. Exactly one of `values`, `steps` and `present` says how points are given; no match gives `otherwise`."""

    name: str
    column: str
    values: dict[str, Annotated[int, Field(ge=0)]] | None = None
    steps: list[Step] | None = None
    present: Annotated[int, Field(ge=0)] | None = None
    otherwise: Annotated[int, Field(ge=0)] = 0

    @property
    def max_points(self) -> int:
        given = [*(self.values or {}).values(), *(step.points for step in self.steps or []), self.present or 0]
        return max([*given, self.otherwise])

    @model_validator(mode="after")
    def _one_way_to_score(self) -> Rule:
        if sum(way is not None for way in (self.values, self.steps, self.present)) != 1:
            raise ValueError(f"rule {self.name!r}: give exactly one of values, steps, present")
        if not self.column.startswith("answer.") and self.column not in FEATURES:
            raise ValueError(
                f"rule {self.name!r}: unknown column {self.column!r}: use a column of leads, enriched_leads or classifications"
            )
        return self


class Ruleset(_Strict):
    """The rules of one classification profile. Their maximum is at most 100 points."""

    rules: Annotated[list[Rule], Field(min_length=1)]

    @model_validator(mode="after")
    def _fits_the_scale(self) -> Ruleset:
        total = sum(rule.max_points for rule in self.rules)
        if total > 100:
            raise ValueError(f"the rules' maximum is {total} points: lower some, a score ends at 100")
        names = [rule.name for rule in self.rules]
        if len(set(names)) < len(names):
            raise ValueError("two rules have one name")
        return self


class ScoringRules(_Strict):
    version: int
    tiers: dict[Literal["hot", "warm"], float]
    default: str
    profiles: dict[str, Ruleset]

    @model_validator(mode="after")
    def _is_whole(self) -> ScoringRules:
        if self.default not in self.profiles:
            raise ValueError(f"default profile {self.default!r} has no rules")
        if not self.tiers["hot"] > self.tiers["warm"]:
            raise ValueError("tier hot must begin above tier warm")
        return self


class RulesError(ValueError):
    """The rules cannot be used. The text names the file and each fault."""


def load_scoring_rules(path: Path) -> ScoringRules:
    """Read and check a scoring.yaml. Raises RulesError."""
    try:
        return ScoringRules.model_validate(yaml.safe_load(path.read_text()))
    except (yaml.YAMLError, ValidationError, KeyError) as error:
        raise RulesError(f"{path.name}: {error}") from error
