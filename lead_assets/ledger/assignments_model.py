"""The values that routing and the ledger exchange about account ownership.

Does not belong here: deciding who should own an account (`lead_assets.routing`), or storing it (`lead_assets.ledger`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Proposal:
    """A proposed owner for an account that has none, and the lead that brought the account in."""

    account_key: str
    owner: str
    territory: str
    """Territory that matched, or 'fallback'."""
    rule: str
    """The routing condition that matched, as stored, e.g. 'country_code in DACH'."""
    reason: str
    """The reason in words, without personal data: it is kept as long as the account has an owner."""
    fallback: bool
    lead_id: str
    campaign_id: str


@dataclass(frozen=True)
class Assignment:
    """The permanent owner of an account: the first proposal that reached the ledger, and when it did."""

    account_key: str
    owner: str
    territory: str
    rule: str
    reason: str
    fallback: bool
    lead_id: str
    campaign_id: str
    assigned_at: datetime
