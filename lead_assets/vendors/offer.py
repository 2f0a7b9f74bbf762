"""What a vendor offers for signals, and what its `source` is given to answer with: the vocabulary between the vendors and whoever asks them.

Does not belong here: any one vendor, or what a signal is (see `lead_assets.signals.signal`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol

from pydantic import SecretStr

from lead_assets.core.settings import Settings
from lead_assets.ledger.model import Rate, Reply, Want
from lead_assets.vendors.turns import Turns

SubjectKind = Literal["company_domain", "person_profile", "email", "contact"]
"""contact: all that a lead says of who it is and where it can be written to."""

Billing = Literal["always", "on_success"]

_MOST_CONNECTIONS = 16
"""httpx gets slower as connections rise."""


@dataclass(frozen=True)
class Terms:
    """How a vendor's operation may be used."""

    credit_usd: Decimal
    batch_size: int
    concurrency: int
    bucket: str
    """Under this name all processes share the rates: the vendor's, or the endpoint's where the vendor counts by endpoint."""
    rates: tuple[Rate, ...] = ()
    deadline: float | None = None
    """Seconds after which a request is given up; None for the client's own."""
    paced_in_sandbox: bool = True

    def rates_in(self, settings: Settings) -> Sequence[Rate]:
        """The limits to keep: the sandbox has those that a test sets, and a vendor's would only make a demonstration slow."""
        return self.rates if self.paced_in_sandbox or settings.world == "live" else ()


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One operation of one vendor."""

    provider: str
    operation: str
    """The vendor's own id, e.g. "company:overview@2"."""
    price_micros: int
    """Most that one subject can cost."""
    billing: Billing
    terms: Terms
    config: Mapping[str, Any] = field(default_factory=dict)
    """Sent with the operation."""

    @property
    def ledger_operation(self) -> str:
        return f"{self.provider}.{self.operation}"


@dataclass(frozen=True)
class Opening:
    """What a vendor's source is opened with: `asked` says all that it may be asked in the event loop it is opened in."""

    settings: Settings
    url: str
    key: SecretStr
    asked: Sequence[tuple[SubjectKind, Offer]]
    turns: Turns

    @property
    def terms(self) -> dict[str, Terms]:
        """By operation."""
        return {offer.operation: offer.terms for _, offer in self.asked}

    @property
    def connections(self) -> int:
        return min(_MOST_CONNECTIONS, sum(each.concurrency for each in self.terms.values()))

    @property
    def deadline(self) -> dict[str, float]:
        """As an argument of the vendor's client, which has one of its own where none is declared."""
        declared = self.asked[0][1].terms.deadline
        return {} if declared is None else {"deadline": declared}


class SourceClient(Protocol):
    """An open connection to one vendor."""

    async def call(self, kind: SubjectKind, offer: Offer, wants: Sequence[Want]) -> list[Reply]:
        """One vendor request for a batch; a reply per want, in order. Raises ProviderError where the request as a whole gave no answer."""
        ...

    async def take_up(self, offer: Offer, wants: Sequence[Want], vendor_ref: str) -> list[Reply]:
        """The replies of a request that was made before, by the vendor's id of it."""
        ...
