"""What a vendor offers for signals, and what its `source` receives: the vocabulary between vendors and their callers.

Does not belong here: any one vendor, or what a signal is (see `lead_assets.signals.signal`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, Protocol

from pydantic import SecretStr

from lead_assets.core.settings import Settings
from lead_assets.ledger.model import Rate, Reply, Want
from lead_assets.vendors.turns import Turns

SubjectKind = Literal["company_domain", "person_profile", "email", "contact"]
"""contact: everything a lead says about who they are and how to reach them."""

Billing = Literal["always", "on_success"]

_MOST_CONNECTIONS = 16
"""Most connections per vendor: httpx2 slows down with more."""


@dataclass(frozen=True)
class Terms:
    """How a vendor's operation may be used."""

    credit_usd: Decimal
    batch_size: int
    concurrency: int
    bucket: str
    """The name under which all processes share the rates: the vendor's, or the endpoint's if the vendor counts per endpoint."""
    rates: tuple[Rate, ...] = ()
    deadline: float | None = None
    """Seconds before giving up on a request; None for the client's default."""
    paced_in_sandbox: bool = True

    def rates_in(self, settings: Settings) -> Sequence[Rate]:
        """The limits to keep. The sandbox has its own, set by tests; a vendor's real limits would only slow down a demo."""
        return self.rates if self.paced_in_sandbox or settings.world == "live" else ()


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One operation of one vendor."""

    provider: str
    operation: str
    """The vendor's own id, e.g. "company:overview@2"."""
    price_micros: int
    """The most one subject can cost."""
    billing: Billing
    terms: Terms
    config: Mapping[str, Any] = field(default_factory=dict)
    """Sent with the operation."""

    @property
    def ledger_operation(self) -> str:
        return f"{self.provider}.{self.operation}"


@dataclass(frozen=True)
class Opening:
    """What a vendor's source is opened with: `asked` lists everything it may be asked in the current event loop, `awaited` counts by kind of subject how many
    of these questions signals that are being collected now may still ask."""

    settings: Settings
    url: str
    key: SecretStr
    asked: Sequence[tuple[SubjectKind, Offer]]
    turns: Turns
    awaited: Callable[[SubjectKind], int]

    @property
    def terms(self) -> dict[str, Terms]:
        """By operation."""
        return {offer.operation: offer.terms for _, offer in self.asked}

    @property
    def connections(self) -> int:
        return min(_MOST_CONNECTIONS, sum(each.concurrency for each in self.terms.values()))

    @property
    def deadline(self) -> dict[str, float]:
        """As an argument for the vendor's client, which uses its default if none is declared."""
        declared = self.asked[0][1].terms.deadline
        return {} if declared is None else {"deadline": declared}


class SourceClient(Protocol):
    """An open connection to one vendor."""

    async def call(self, kind: SubjectKind, offer: Offer, wants: Sequence[Want]) -> list[Reply]:
        """Make one vendor request for a batch; returns a reply per want, in order. Raises ProviderError if the whole request got no answer."""
        ...

    async def take_up(self, offer: Offer, wants: Sequence[Want], vendor_ref: str) -> list[Reply]:
        """The replies to an earlier request, by the vendor's id."""
        ...
