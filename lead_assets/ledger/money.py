"""Budgets and what counts against them. Limits are hard: the price is reserved before the call, so only free budget can be spent.

A call counts against six budgets: total, campaign and provider, each for the UTC day and for all time. The day is the one
that reserved the price, however late the answer comes: calls from two days that are answered together are not one day's spending.
Uncertain calls count as spent at full price: they may have been billed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import sqlalchemy as sa

from lead_assets.ledger.database import Tx
from lead_assets.ledger.journal import JournalEntry
from lead_assets.ledger.model import Want, to_usd
from lead_assets.ledger.schema import budgets, spend, usage

Scope = Literal["total", "campaign", "provider"]
Period = Literal["day", "all"]
Line = tuple[str, str, str]
"""(scope, name, period), where the period is "all" or a day such as "2026-11-20"."""


@dataclass(frozen=True)
class Budget:
    """A limit and what currently counts against it, in micro-dollars. `free_micros` can be negative if the limit was lowered."""

    scope: Scope
    name: str
    period: Period
    limit_micros: int
    spent_micros: int
    reserved_micros: int
    uncertain_micros: int

    @property
    def free_micros(self) -> int:
        return self.limit_micros - self.spent_micros - self.reserved_micros - self.uncertain_micros

    def as_row(self) -> dict[str, Any]:
        """The values in dollars, under the names that commands print."""
        amounts = {
            "limit_usd": self.limit_micros,
            "spent_usd": self.spent_micros,
            "reserved_usd": self.reserved_micros,
            "uncertain_usd": self.uncertain_micros,
            "free_usd": self.free_micros,
        }
        return {"scope": self.scope, "name": self.name, "period": self.period, **{name: to_usd(micros) for name, micros in amounts.items()}}


class UsageChanges:
    """Changes to usage, collected during one transaction and then written, one row per budget."""

    def __init__(self) -> None:
        self._changes: defaultdict[Line, list[int]] = defaultdict(lambda: [0, 0, 0])

    def add(self, provider: str, campaign_id: str, day: str, *, reserved: int = 0, spent: int = 0, uncertain: int = 0) -> None:
        if not (reserved or spent or uncertain):
            return
        for line in lines(provider, campaign_id, day):
            change = self._changes[line]
            change[0] += reserved
            change[1] += spent
            change[2] += uncertain

    def write(self, tx: Tx) -> None:
        tx.add_up(
            usage,
            [
                {
                    "scope": scope,
                    "name": name,
                    "period": period,
                    "reserved_micros": reserved,
                    "spent_micros": spent,
                    "uncertain_micros": uncertain,
                }
                for (scope, name, period), (reserved, spent, uncertain) in self._changes.items()
            ],
        )
        self._changes.clear()


class Purse:
    """What is still free, in this transaction, in every budget that applies to the wants."""

    def __init__(self, tx: Tx, wants: Iterable[Want]) -> None:
        self._day = tx.day
        self._free = _free(tx, {(want.provider, want.campaign_id) for want in wants})

    def take(self, want: Want) -> bool:
        """Take the want's price from all its budgets, or from none if one has too little left."""
        if not self._free:
            return True
        limited = [line for line in lines(want.provider, want.campaign_id, self._day) if line in self._free]
        if any(self._free[line] < want.price_micros for line in limited):
            return False
        for line in limited:
            self._free[line] -= want.price_micros
        return True


def lines(provider: str, campaign_id: str, day: str) -> tuple[Line, ...]:
    return (
        ("total", "", "all"),
        ("total", "", day),
        ("campaign", campaign_id, "all"),
        ("campaign", campaign_id, day),
        ("provider", provider, "all"),
        ("provider", provider, day),
    )


def set_budget(tx: Tx, scope: Scope, name: str, period: Period, limit_micros: int | None) -> None:
    """Set a limit, or lift it with None."""
    if (scope == "total") != (name == ""):
        raise ValueError("budget: the total takes no name; a campaign or provider budget needs one")
    if limit_micros is not None and limit_micros < 0:
        raise ValueError("budget: a limit cannot be negative; to stop all purchases use 'lead-assets pause'")
    tx.execute(sa.delete(budgets).where(budgets.c.scope == scope, budgets.c.name == name, budgets.c.period == period))
    if limit_micros is not None:
        tx.execute(sa.insert(budgets).values(scope=scope, name=name, period=period, limit_micros=limit_micros))


def list_budgets(tx: Tx) -> list[Budget]:
    """All budgets, with what counts against them today or for all time."""
    period = sa.case((budgets.c.period == "day", tx.day), else_="all")
    statement = sa.select(budgets, usage.c.spent_micros, usage.c.reserved_micros, usage.c.uncertain_micros).join(
        usage,
        sa.and_(usage.c.scope == budgets.c.scope, usage.c.name == budgets.c.name, usage.c.period == period),
        isouter=True,
    )
    rows = tx.rows(statement.order_by(budgets.c.scope.desc(), budgets.c.name, budgets.c.period))
    return [Budget(row[0], row[1], row[2], row[3], row[4] or 0, row[5] or 0, row[6] or 0) for row in rows]


def book(tx: Tx, entries: Iterable[JournalEntry]) -> None:
    """Add journal entries to the summed-up spending."""
    sums: dict[tuple[str, ...], dict[str, Any]] = {}
    for entry in entries:
        key = (entry.day, entry.campaign_id, entry.provider, entry.operation, entry.state, entry.reason or "")
        row = sums.setdefault(key, dict(zip(_SPEND_KEYS, key, strict=True)) | dict.fromkeys(_SPEND_SUMS, 0))
        if entry.uncertain:
            row["uncertain_calls"] += 1
            row["uncertain_micros"] += entry.cost_micros
        else:
            row["calls"] += 1
            row["billed_calls"] += entry.cost_micros > 0
            row["cost_micros"] += entry.cost_micros
        row["input_tokens"] += entry.input_tokens
        row["output_tokens"] += entry.output_tokens
    tx.add_up(spend, list(sums.values()))


_SPEND_KEYS = [column.name for column in spend.primary_key]
_SPEND_SUMS = [column.name for column in spend.columns if column.name not in _SPEND_KEYS]


_BUDGETS = sa.select(budgets)


def _free(tx: Tx, buyers: set[tuple[str, str]]) -> dict[Line, int]:
    limits = {(scope, name, tx.day if period == "day" else "all"): limit for scope, name, period, limit in tx.rows(_BUDGETS)}
    wanted = {line for provider, campaign_id in buyers for line in lines(provider, campaign_id, tx.day)} & limits.keys()
    if not wanted:
        return {}
    free = {line: limits[line] for line in wanted}
    standing = usage.c.reserved_micros + usage.c.spent_micros + usage.c.uncertain_micros
    statement = sa.select(usage.c.scope, usage.c.name, usage.c.period, standing).where(
        tx.among(usage.c.name, {name for _, name, _ in wanted}), usage.c.period.in_(["all", tx.day])
    )
    for scope, name, period, used in tx.rows(statement):
        if (scope, name, period) in free:
            free[scope, name, period] -= used
    return free
