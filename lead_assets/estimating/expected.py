"""The expected cost of purchases: from declared shares, or from the ledger's own experience if it has enough.

Belongs here: rules/estimate.yaml and statistics from the journal. Does not belong here: which purchases there would be (each room knows its own: see
`lead_assets.estimating.signals` and `lead_assets.estimating.model`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from lead_assets.contracts import TABLES, SignalRow
from lead_assets.core.declared import Declared, Mistake, RulesFile
from lead_assets.core.document import nearest
from lead_assets.core.settings import Settings
from lead_assets.ledger.model import to_micros

if TYPE_CHECKING:
    from lead_assets.ledger.ledger import Ledger


_OUTPUT_TOKENS = 150.0


@dataclass(frozen=True)
class Expected:
    """What would be bought from one operation for one signal (or other caller)."""

    provider: str
    operation: str
    signal: str
    subjects: float
    """Questions whose answer is missing from the ledger or expired."""
    calls: float
    """Expected number of answers that will cost something."""
    cost_micros: float
    most_micros: float = 0.0
    """What is reserved if every question is asked."""


Share = Annotated[float, Field(ge=0, le=1)]


class ModelShares(Declared):
    characters_per_token: float = Field(4, gt=0)
    repaired: Share = 0
    briefs: Share = 1
    output_tokens: dict[str, Annotated[float, Field(gt=0)]] = {}
    added_characters: dict[str, Annotated[int, Field(ge=0)]] = {}


class Scenario(Declared):
    """What company signals say of a share of the companies for which they are not bought yet: signal → column → value. Empty: they find nothing."""

    share: Share
    says: dict[str, dict[str, str | float]] = {}


class Shares(Declared):
    """rules/estimate.yaml."""

    enough: int = Field(200, ge=1)
    billed: dict[str, Share] = {}
    asked: dict[str, list[Share]] = {}
    model: ModelShares = ModelShares()
    companies: list[Scenario] = []


def _mistakes(shares: Shares) -> Iterator[Mistake]:
    total = sum(each.share for each in shares.companies)
    if shares.companies and abs(total - 1) > 1e-6:
        yield Mistake(("companies",), f"the shares add up to {total:g}: correct them to add up to 1")
    for index, each in enumerate(shares.companies):
        for signal, columns in each.says.items():
            contract = TABLES.get(f"signals.{signal}")
            known = [name.removeprefix("signals.") for name, table in TABLES.items() if issubclass(table, SignalRow)]
            where = ("companies", index, "says", signal)
            if contract is None or not issubclass(contract, SignalRow):
                yield Mistake(where, f"unknown signal '{signal}'{nearest(signal, known)}: use one of {', '.join(known)}")
                continue
            values = list(contract.value_fields())
            for column in columns:
                if column not in values:
                    yield Mistake((*where, column), f"unknown column '{column}'{nearest(column, values)}: use one of {', '.join(values)}")


ESTIMATE = RulesFile(
    "estimate.yaml",
    Shares,
    _mistakes,
    summary=lambda shares: f"uses the ledger's own experience from {shares.enough} answers on",
    moved={"model.mended": "rename it to 'repaired'"},
)


@dataclass(frozen=True)
class Seen:
    """The ledger's experience with an operation."""

    billed: float
    """Share of its answers that cost something."""
    mean_micros: float
    """Mean cost of the answers that cost something."""
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
        """Expected cost of a billed answer, at most the price."""
        seen = self.seen.get(operation)
        return seen.mean_micros if seen else price_micros

    def asked(self, signal: str, place: int) -> float:
        """Share of questions to a signal's source (by its position in the waterfall, from 0) that no earlier source settles."""
        declared = self.shares.asked.get(signal, [])
        return declared[place] if place < len(declared) else 1.0

    def output_tokens(self, operation: str, profile: str) -> float:
        """Output tokens of one answer: the operation's mean if the ledger knows it, otherwise the value declared for the profile."""
        seen = self.seen.get(operation)
        return seen.mean_output_tokens if seen else self.shares.model.output_tokens.get(profile, _OUTPUT_TOKENS)


def load_experience(settings: Settings, ledger: Ledger) -> Experience:
    """Raises RulesError if rules/estimate.yaml is invalid."""
    shares = ESTIMATE.load(settings)
    seen = {
        row["operation"]: Seen(
            row["calls"] / row["answers"], to_micros(row["usd"]) / max(row["calls"], 1), row["output_tokens"] / row["answers"]
        )
        for row in ledger.costs(by=["operation"]).to_dicts()
        if row["answers"] >= shares.enough
    }
    return Experience(shares, seen)
