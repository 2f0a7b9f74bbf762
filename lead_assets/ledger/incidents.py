"""Incidents and who was told: each is told once to each channel, also with several daemons and after a crash.

If a process dies between sending and recording it, the incident is told again after `_LOST_AFTER`: for an alert, twice is better than never.
Does not belong here: what an incident is (see `lead_assets.operating`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from lead_assets.ledger.database import Tx, from_us
from lead_assets.ledger.schema import incidents

LISTED = ""
"""The channel of everybody who asks `lead-assets incidents`: each open incident has a row for it."""
_LOST_AFTER = 300 * 1_000_000
"""Microseconds after which a claim counts as lost."""


@dataclass(frozen=True)
class OpenIncident:
    key: str
    kind: str
    said: str
    opened_at: datetime


def claim(tx: Tx, found: Sequence[tuple[str, str, str, str]]) -> set[tuple[str, str]]:
    """Of (key, channel, kind, said), the (key, channel) that the caller must tell now. It calls `told` afterwards, or `give_back`."""
    if not found:
        return set()
    keys = sorted({key for key, *_ in found})
    known = {(row.key, row.channel): row for row in tx.rows(sa.select(incidents).where(tx.among(incidents.c.key, keys)))}
    mine: set[tuple[str, str]] = set()
    for key, channel, kind, said in found:
        row = known.get((key, channel))
        if row is not None and (row.told_at is not None or row.claimed_at > tx.now_us - _LOST_AFTER):
            continue
        if row is None:
            values = {"key": key, "channel": channel, "kind": kind, "said": said, "opened_at": tx.now_us, "claimed_at": tx.now_us}
            tx.execute(sa.insert(incidents).values(**values, told_at=tx.now_us if channel == LISTED else None))
        else:
            tx.execute(sa.update(incidents).where(_is(key, channel)).values(claimed_at=tx.now_us))
        mine.add((key, channel))
    return mine


def told(tx: Tx, pairs: Collection[tuple[str, str]]) -> None:
    """Record that (key, channel) were told."""
    for key, channel in pairs:
        tx.execute(sa.update(incidents).where(_is(key, channel)).values(told_at=tx.now_us))


def give_back(tx: Tx, pairs: Collection[tuple[str, str]]) -> None:
    """(key, channel) could not be told: the next tick tries again."""
    for key, channel in pairs:
        tx.execute(sa.update(incidents).where(_is(key, channel)).values(claimed_at=0))


def close(tx: Tx, keys: Collection[str]) -> None:
    """The incidents are over. The same thing later is a new incident."""
    if keys:
        tx.execute(sa.delete(incidents).where(tx.among(incidents.c.key, sorted(keys))))


def open_incidents(tx: Tx) -> list[OpenIncident]:
    """All open incidents, oldest first."""
    rows = tx.rows(sa.select(incidents).where(incidents.c.channel == LISTED).order_by(incidents.c.opened_at, incidents.c.key))
    return [OpenIncident(row.key, row.kind, row.said, from_us(row.opened_at)) for row in rows]


def _is(key: str, channel: str) -> sa.ColumnElement[bool]:
    return sa.and_(incidents.c.key == key, incidents.c.channel == channel)
