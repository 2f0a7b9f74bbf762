"""rules/lookalike.yaml: what counts in a comparison, how similar is similar enough, and when a company starts to count for others."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from lead_assets.core.declared import Declared, RulesFile
from lead_assets.core.settings import Settings
from lead_assets.core.time_spans import Duration


class Weights(Declared):
    """The share of the similarity, 0 to 1, that each attribute can contribute."""

    industry: float = Field(ge=0)
    description: float = Field(ge=0)
    technologies: float = Field(ge=0)
    headcount: float = Field(ge=0)
    place: float = Field(ge=0)

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        if abs(sum(self.model_dump().values()) - 1) > 1e-9:
            raise ValueError("the weights do not add up to 1: raise or lower some")
        return self


class LookalikeRules(Declared):
    at_most: int = Field(ge=1, le=20)
    at_least: float = Field(gt=0, le=1)
    known_for: Duration
    weights: Weights


def load_lookalike_rules(settings: Settings) -> LookalikeRules:
    """The comparison rules in force. Raises RulesError."""
    return LOOKALIKE.load(settings)


LOOKALIKE = RulesFile("lookalike.yaml", LookalikeRules, summary=lambda rules: f"from a similarity of {rules.at_least}")
