"""rules/discovery.yaml: how to search, and at what price."""

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


class DiscoveryRules(Declared):
    search: SearchRules


def load_discovery_rules(settings: Settings) -> DiscoveryRules:
    """How to search. Raises RulesError."""
    return DISCOVERY.load(settings)


DISCOVERY = RulesFile(
    "discovery.yaml",
    DiscoveryRules,
    summary=lambda rules: f"{rules.search.credits} credits per search",
    moved={"adoption": "move it to 'company' of scoring.yaml"},
)
