"""What the ledger speaks of: a want (something to be bought), a reply (what the vendor said), an answer (what is journaled).

Belongs here: the plain values that rooms and ledger exchange. Does not belong here: SQL (see `journal`) or the act of buying (see `purchase`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from lead_assets.contracts.base import canonical_json

State = Literal["found", "not_found", "unknown"]

MICROS = 1_000_000
"""Money in the ledger is whole micro-dollars."""


def to_usd(micros: int) -> Decimal:
    return Decimal(micros).scaleb(-6)


def to_micros(usd: Decimal | float | str) -> int:
    return round(Decimal(str(usd)) * MICROS)


@dataclass(frozen=True)
class Lifetimes:
    """How long an answer is fresh, by state. Unknown is never treated as "no": it is asked again after minutes."""

    found: timedelta
    not_found: timedelta
    unknown: timedelta = timedelta(minutes=5)

    def of(self, state: State) -> timedelta:
        lifetime: timedelta = getattr(self, state)
        return lifetime


@dataclass(frozen=True)
class Want:
    """One thing to be bought once: an operation on a subject with parameters.

    `operation` is provider-qualified, e.g. "pipe0.company:overview@2" or "anthropic.messages"; `subject` e.g. "acme.com" or a lead's content hash;
    `parameters` is all else that shapes the answer (config, prompt hash, model). Equal (operation, subject, parameters) is one purchase.
    `payload` is what the caller needs to make the call; it is neither hashed nor stored.
    """

    provider: str
    operation: str
    subject: str
    price_micros: int
    """Most the call can cost: reserved before it is made."""
    campaign_id: str
    lifetimes: Lifetimes
    parameters: dict[str, Any] = field(default_factory=dict, hash=False)
    payload: Any = field(default=None, hash=False, compare=False)

    @property
    def key(self) -> str:
        """The purchase's name in the ledger: 32 hex digits."""
        text = canonical_json([self.operation, self.subject, self.parameters])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True)
class Reply:
    """What a vendor said to one want."""

    state: State
    reason: str | None = None
    """Why not found, or why unknown."""
    body: Any = None
    """The raw answer for this subject, JSON-able; journaled as it is, parsed again on every rebuild."""
    cost_micros: int = 0
    vendor_ref: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True)
class Answer:
    """A journaled reply. `bought` is True for the caller whose call it was, in this purchase."""

    key: str
    state: State
    reason: str | None
    body: Any
    provider: str
    operation: str
    subject: str
    cost_micros: int
    answered_at: datetime
    campaign_id: str
    """Campaign that paid."""
    vendor_ref: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: int = 0
    stale: bool = False
    bought: bool = False
