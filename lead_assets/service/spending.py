"""What may be spent for a key: the least of what its request and its budget allow.

Does not belong here: refusals and answers (see `paying`), budgets that everybody shares (see `lead_assets.ledger`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from lead_assets.ledger.allowance import Allowance
from lead_assets.ledger.keys import ServiceKey
from lead_assets.ledger.ledger import Ledger

_NO_LIMIT = 1 << 62

A = TypeVar("A")


def paid(ledger: Ledger, key: ServiceKey, max_usd: float | None, work: Callable[[Ledger], A]) -> A:
    """The work, with a ledger that buys no more than the request and the key allow. What it reserved is counted to the key."""
    limits = [round(max_usd * 1_000_000)] if max_usd is not None else []
    if key.budget_micros is not None:
        limits.append(max(0, key.budget_micros - ledger.keys.spent_today(key.key_id)))
    allowance = Allowance(min(limits, default=_NO_LIMIT))
    try:
        return work(ledger.within(allowance))
    finally:
        if allowance.taken_micros:
            ledger.keys.spend(key.key_id, allowance.taken_micros)
