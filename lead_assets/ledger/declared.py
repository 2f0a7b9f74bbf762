"""Lifetimes and rate limits, as written in the rules files."""

from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from lead_assets.core.declared import Declared
from lead_assets.core.time_spans import Duration
from lead_assets.ledger.model import Lifetimes, Rate


class DeclaredLifetimes(Declared):
    """How long an answer stays fresh, by state."""

    found: Duration
    not_found: Duration
    unknown: Duration = timedelta(minutes=5)

    def lifetimes(self) -> Lifetimes:
        return Lifetimes(self.found, self.not_found, self.unknown)


class DeclaredRate(Declared):
    """A number of requests per time span, and how many of them may come at once."""

    limit: int = Field(ge=1)
    per: Duration
    burst: int = Field(1, ge=1)

    def rate(self) -> Rate:
        return Rate(self.limit, self.per.total_seconds(), self.burst)
