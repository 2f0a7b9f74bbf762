"""rules/discovery.yaml: how is searched, at what price, and how AI adoption is scored."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field

from lead_assets.core.declared import Declared, load_declared
from lead_assets.core.settings import Settings
from lead_assets.ledger.model import Lifetimes, Rate
from lead_assets.signals.signal import duration

_Duration = Annotated[timedelta, BeforeValidator(duration)]


class _LifetimesRule(Declared):
    found: _Duration
    not_found: _Duration


class _RateRule(Declared):
    limit: int = Field(ge=1)
    per: _Duration
    burst: int = Field(1, ge=1)


class SearchRules(Declared):
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


class Evidence(Declared):
    """Points for one kind of evidence: `each` a hit, at most `most`."""

    each: int = Field(ge=0)
    most: int = Field(ge=0)
    words: list[str] = Field(min_length=1)


class AdoptionRules(Declared):
    stack: Evidence
    postings: Evidence
    description: Evidence


class DiscoveryRules(Declared):
    search: SearchRules
    adoption: AdoptionRules


def load_discovery_rules(settings: Settings) -> DiscoveryRules:
    """Raises ValueError that names the file and the field."""
    return load_declared(settings, "discovery.yaml", DiscoveryRules)
