"""What may be spent for a key: the least of what its request and its budget allow.

Does not belong here: refusals and answers (see `paying`), budgets that everybody shares (see `lead_assets.ledger`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
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


def budgets_below(ledger: Ledger, key: ServiceKey, max_usd: float | None, campaign: str, provider: str, price_micros: int) -> list[str]:
    """The budgets that do not reach for a price, each with what to do about it."""
    return list(_below(ledger, key, max_usd, {("total", ""), ("campaign", campaign), ("provider", provider)}, price_micros))


def _below(ledger: Ledger, key: ServiceKey, max_usd: float | None, lines: set[tuple[str, str]], price: int) -> Iterator[str]:
    if max_usd is not None and round(max_usd * 1_000_000) < price:
        yield f"max_usd of this request is ${max_usd:.2f}: allow more, or leave it out"
    if key.budget_micros is not None and (of_key := key.budget_micros - ledger.keys.spent_today(key.key_id)) < price:
        yield f"${max(of_key, 0) / 1_000_000:.2f} are left of the key's --usd-per-day: ask again tomorrow, or use a key with more"
    for budget in ledger.budgets():
        if (budget.scope, budget.name) in lines and budget.free_micros < price:
            named = f"{budget.scope} {budget.name}".strip()
            left = max(budget.free_micros, 0) / 1_000_000
            period = "per day" if budget.period == "day" else "in all"
            yield f"${left:.2f} are left of the budget '{named}' {period}: raise it with `lead-assets budget set`"
