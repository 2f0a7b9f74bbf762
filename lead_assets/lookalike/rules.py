"""rules/lookalike.yaml: what counts in a comparison, how alike is alike, and from when on a company counts for others."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from lead_assets.core.declared import Declared, load_declared
from lead_assets.core.settings import Settings
from lead_assets.core.time_spans import Duration


class Weights(Declared):
    """The part of the similarity, 0 to 1, that each attribute can give."""

    industry: float = Field(ge=0)
    description: float = Field(ge=0)
    technologies: float = Field(ge=0)
    headcount: float = Field(ge=0)
    place: float = Field(ge=0)

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        if abs(sum(self.model_dump().values()) - 1) > 1e-9:
            raise ValueError("the weights do not sum to 1")
        return self


class LookalikeRules(Declared):
    at_most: int = Field(ge=1, le=20)
    at_least: float = Field(gt=0, le=1)
    known_for: Duration
    weights: Weights


def load_lookalike_rules(settings: Settings) -> LookalikeRules:
    """rules/lookalike.yaml, or the file of that name below settings.rules_dir. Raises ValueError that names the file and the field."""
    return load_declared(settings, "lookalike.yaml", LookalikeRules)
