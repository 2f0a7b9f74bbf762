"""rules/discovery.yaml: how is searched, at what price, and how AI adoption is scored."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from lead_assets.ledger.model import Lifetimes, Rate
from lead_assets.project_files import rules_file
from lead_assets.settings import Settings
from lead_assets.signals.signal import duration

_Duration = Annotated[timedelta, BeforeValidator(duration)]


class _Rules(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _LifetimesRule(_Rules):
    found: _Duration
    not_found: _Duration


class _RateRule(_Rules):
    limit: int = Field(ge=1)
    per: _Duration
    burst: int = Field(1, ge=1)


class SearchRules(_Rules):
    credits: Decimal = Field(ge=0)
    lifetimes: _LifetimesRule
    rates: list[_RateRule] = []
    seniorities: list[str] = []
    reveal_credits: Decimal = Field(ge=0)

    @property
    def ledger_lifetimes(self) -> Lifetimes:
        return Lifetimes(self.lifetimes.found, self.lifetimes.not_found)

    @property
    def ledger_rates(self) -> list[Rate]:
        return [Rate(rate.limit, rate.per.total_seconds(), rate.burst) for rate in self.rates]


class Evidence(_Rules):
    """Points for one kind of evidence: `each` a hit, at most `most`."""

    each: int = Field(ge=0)
    most: int = Field(ge=0)
    words: list[str] = Field(min_length=1)


class AdoptionRules(_Rules):
    stack: Evidence
    postings: Evidence
    description: Evidence


class DiscoveryRules(_Rules):
    search: SearchRules
    adoption: AdoptionRules


def load_discovery_rules(settings: Settings) -> DiscoveryRules:
    """Raises ValueError that names the file and the field."""
    import yaml

    path = rules_file("discovery.yaml", settings)
    try:
        return DiscoveryRules.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except yaml.YAMLError:
        raise ValueError(f"{path}: not YAML: mend the file") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise ValueError(f"{path}: {'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from None
