"""What a purchase is expected to cost before it is made: declared shares, and the ledger's own experience where it has enough.

Belongs here: rules/estimate.yaml and what the journal teaches. Does not belong here: which purchases there would be (each room knows its own: see
`lead_assets.estimating.signals` and `lead_assets.estimating.model`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from lead_assets.core.declared import Declared, RulesFile
from lead_assets.core.settings import Settings
from lead_assets.ledger.model import to_micros

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger


_OUTPUT_TOKENS = 120.0


@dataclass(frozen=True)
class Expected:
    """What is to be bought of one operation for one signal (or other asker)."""

    provider: str
    operation: str
    signal: str
    subjects: int
    """Questions whose answer is not in the ledger, or out of date."""
    calls: float
    """Answers that will cost something, as far as one can know."""
    cost_micros: float


Share = Annotated[float, Field(ge=0, le=1)]


class ModelShares(Declared):
    characters_per_token: float = Field(4, gt=0)
    mended: Share = 0
    briefs: Share = 1
    output_tokens: dict[str, Annotated[float, Field(gt=0)]] = {}
    added_characters: dict[str, Annotated[int, Field(ge=0)]] = {}


class Shares(Declared):
    """rules/estimate.yaml."""

    enough: int = Field(200, ge=1)
    billed: dict[str, Share] = {}
    asked: dict[str, list[Share]] = {}
    model: ModelShares = ModelShares()


ESTIMATE = RulesFile("estimate.yaml", Shares, summary=lambda shares: f"the ledger's own experience from {shares.enough} answers on")


@dataclass(frozen=True)
class Seen:
    """What the ledger knows of an operation."""

    billed: float
    """Share of its answers that cost something."""
    mean_micros: float
    """Mean cost of those."""
    mean_output_tokens: float


@dataclass(frozen=True)
class Experience:
    """Declared shares and the ledger's own."""

    shares: Shares
    seen: Mapping[str, Seen]

    def billed(self, operation: str) -> float:
        seen = self.seen.get(operation)
        return seen.billed if seen else self.shares.billed.get(operation, 1.0)

    def mean_micros(self, operation: str, price_micros: int) -> float:
        """Cost of a billed answer: the price is the most it can be."""
        seen = self.seen.get(operation)
        return seen.mean_micros if seen else price_micros

    def asked(self, signal: str, place: int) -> float:
        """Share of the questions to a signal's source, by its place in the waterfall from 0, that no source before it settles."""
        declared = self.shares.asked.get(signal, [])
        return declared[place] if place < len(declared) else 1.0

    def output_tokens(self, operation: str, profile: str) -> float:
        """Of one answer: the operation's mean if the ledger knows it, else the profile's declared one."""
        seen = self.seen.get(operation)
        return seen.mean_output_tokens if seen else self.shares.model.output_tokens.get(profile, _OUTPUT_TOKENS)


def load_experience(settings: Settings, ledger: Ledger) -> Experience:
    """Raises RulesError for a rules/estimate.yaml that cannot be used."""
    shares = ESTIMATE.load(settings)
    seen = {
        row["operation"]: Seen(
            row["calls"] / row["answers"], to_micros(row["usd"]) / max(row["calls"], 1), row["output_tokens"] / row["answers"]
        )
        for row in ledger.costs(by=["operation"]).to_dicts()
        if row["answers"] >= shares.enough
    }
    return Experience(shares, seen)
