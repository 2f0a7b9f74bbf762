"""rules/discovery.yaml: how to search, at what price, and how to score AI adoption."""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from lead_assets.core.declared import Declared, RulesFile
from lead_assets.core.settings import Settings
from lead_assets.ledger.declared import DeclaredLifetimes, DeclaredRate
from lead_assets.ledger.model import Lifetimes, Rate


class SearchRules(Declared):
    credits: Decimal = Field(ge=0)
    lifetimes: DeclaredLifetimes
    rates: list[DeclaredRate] = []
    seniorities: list[str] = []
    reveal_credits: Decimal = Field(ge=0)

    @property
    def ledger_lifetimes(self) -> Lifetimes:
        return self.lifetimes.lifetimes()

    @property
    def ledger_rates(self) -> list[Rate]:
        return [each.rate() for each in self.rates]


class Evidence(Declared):
    """Points for one kind of evidence: `each` per hit, at most `most`."""

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
    """How to search, and how to score what is found. Raises RulesError."""
    return DISCOVERY.load(settings)


DISCOVERY = RulesFile("discovery.yaml", DiscoveryRules, summary=lambda rules: f"{rules.search.credits} credits per search")
