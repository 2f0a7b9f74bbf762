"""Answers that campaigns missed because a provider was unavailable, and when to ask for them again.

Belongs here: the list of misses, and whose turn is next. Does not belong here: runs (see `lead_assets.automation`), or which reasons are
temporary (see `model.PASSING`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from lead_assets.ledger import controls
from lead_assets.ledger.database import Tx, from_us, to_us
from lead_assets.ledger.schema import misses

Cursor = dict[str, tuple[int, str]]
"""provider → the newest miss that was asked for again: its time in microseconds, and its campaign."""

MOST_AT_ONCE = 25
"""Most campaigns to ask for at once; the rest follow the next time."""


@dataclass(frozen=True)
class Miss:
    """A campaign that lacks answers from a provider, and the last run that missed them."""

    campaign_id: str
    provider: str
    missed_at: datetime
    run_id: str

    @property
    def place(self) -> tuple[int, str]:
        """Its position in the provider's queue."""
        return to_us(self.missed_at), self.campaign_id


def note(tx: Tx, table: str, campaigns: Collection[str], lacking: Collection[tuple[str, str]], run_id: str, *, asked_again: bool) -> None:
    """Record that a run made `table` for `campaigns`; `lacking` lists (campaign, provider) with answers missed for a temporary reason.

    `asked_again`: the run was itself requested because of misses. It is not requested once more unless the provider's circuit is open, because that will close.
    """
    tx.execute(sa.delete(misses).where(misses.c.table_name == table, tx.among(misses.c.campaign_id, campaigns)))
    down = {circuit.provider for circuit in controls.open_circuits(tx)}
    rows = [
        {
            "table_name": table,
            "campaign_id": campaign,
            "provider": provider,
            "missed_at": tx.now_us,
            "run_id": run_id,
            "given_up": asked_again and provider not in down,
        }
        for campaign, provider in sorted(set(lacking))
    ]
    if rows:
        tx.execute(sa.insert(misses), rows)


def waiting(tx: Tx) -> list[Miss]:
    """The misses to ask for again: the newest per campaign and provider, oldest first."""
    rows = tx.rows(sa.select(misses).where(sa.not_(misses.c.given_up)).order_by(misses.c.missed_at, misses.c.campaign_id))
    newest = {(row.campaign_id, row.provider): Miss(row.campaign_id, row.provider, from_us(row.missed_at), row.run_id) for row in rows}
    return sorted(newest.values(), key=lambda miss: miss.place)


def due(
    lacking: Sequence[Miss],
    circuits: Mapping[str, datetime],
    paused: Collection[str],
    under_way: Collection[str],
    asked: Cursor,
    now: datetime,
) -> tuple[list[Miss], Cursor]:
    """The misses whose turn it is, one per campaign, and the cursor after them.

    `circuits`: provider → until when its circuit is open; `paused`: providers, the empty name for all; `under_way`: campaigns of runs that have not
    ended. While a circuit is open, nothing is requested. When its time is up, one campaign tries; the others follow once it has closed.
    """
    turns: dict[str, Miss] = {}
    cursor: Cursor = {}
    lines: defaultdict[str, list[Miss]] = defaultdict(list)
    for miss in lacking:
        lines[miss.provider].append(miss)
    for provider, line in sorted(lines.items()):
        behind = asked.get(provider, (0, ""))
        cursor[provider] = behind
        until = circuits.get(provider)
        if "" in paused or provider in paused or (until is not None and until > now):
            continue
        tries = until is not None
        if tries and any(miss.campaign_id in under_way for miss in line):
            continue
        for miss in [miss for miss in line if miss.place > behind][: 1 if tries else None]:
            # Keep the order: a miss skipped here would end up behind the cursor.
            if miss.campaign_id in under_way or (len(turns) == MOST_AT_ONCE and miss.campaign_id not in turns):
                break
            turns.setdefault(miss.campaign_id, miss)
            cursor[provider] = miss.place
    return list(turns.values()), cursor
