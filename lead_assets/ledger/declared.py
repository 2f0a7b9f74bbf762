"""Lifetimes and rates as the business writes them in its YAML."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from lead_assets.core.declared import Declared
from lead_assets.core.time_spans import Duration
from lead_assets.ledger.model import Lifetimes, Rate


class DeclaredLifetimes(Declared):
    """How long an answer is fresh, by its state."""

    found: Duration
    not_found: Duration
    unknown: Duration = timedelta(minutes=5)

    def lifetimes(self) -> Lifetimes:
        return Lifetimes(self.found, self.not_found, self.unknown)


class DeclaredRate(Declared):
    """So many requests in a time, of which so many at once."""

    limit: int = Field(ge=1)
    per: Duration
    burst: int = Field(1, ge=1)

    def rate(self) -> Rate:
        return Rate(self.limit, self.per.total_seconds(), self.burst)
