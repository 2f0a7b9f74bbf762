"""What routing and ledger say to each other about who owns an account.

Belongs here: the plain values. Does not belong here: who should own it (`lead_assets.routing`), how it is kept (`lead_assets.ledger`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Proposal:
    """Who should own an account if nobody does yet, and the lead that brought the account in."""

    account_key: str
    owner: str
    territory: str
    """Territory that matched, or 'fallback'."""
    rule: str
    """What in the routing table chose: the territory's condition as it is kept, e.g. 'country_code in DACH'."""
    reason: str
    """Why, in words, without personal data: it is kept for as long as the account is owned."""
    fallback: bool
    lead_id: str
    campaign_id: str


@dataclass(frozen=True)
class Assignment:
    """Who owns an account: the first proposal that reached the ledger, for ever, with the time at which it did."""

    account_key: str
    owner: str
    territory: str
    rule: str
    reason: str
    fallback: bool
    lead_id: str
    campaign_id: str
    assigned_at: datetime
