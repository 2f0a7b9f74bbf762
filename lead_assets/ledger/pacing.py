"""Rate windows shared by all processes with the same key: the generic cell rate algorithm (ITU-T I.371), one row of state per window."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from lead_assets.ledger.database import Tx, from_us, to_us
from lead_assets.ledger.model import Rate
from lead_assets.ledger.schema import rate_windows

_LONGEST_QUEUE_US = 1_800_000_000
"""A slot due later than that was given out before the clock went back: nobody queues for half an hour."""
_BLOCK = 0
"""A window without a rate: it holds the time until which the vendor asked for a pause."""


def reserve_slots(tx: Tx, bucket: str, rates: Sequence[Rate], count: int, most: float) -> datetime | None:
    """Take `count` slots in every window of the bucket. Returns when they are due; None, without taking any, if that is more than `most` seconds away."""
    due: dict[int, int] = dict(tx.rows(sa.select(rate_windows.c.per_us, rate_windows.c.due_us).where(rate_windows.c.bucket == bucket)))
    start = max(tx.now_us, due.get(_BLOCK, 0))
    for rate in rates:
        interval = int(rate.interval * 1e6)
        slack = (rate.burst - min(count, rate.burst)) * interval
        full = tx.now_us + _per_us(rate)
        if due.get(_per_us(rate), 0) > full + _LONGEST_QUEUE_US:
            due[_per_us(rate)] = full  # as if the window had just been used up: never more than the vendor takes
        start = max(start, due.get(_per_us(rate), 0) - slack)
    if start - tx.now_us > most * 1e6:
        return None
    rows = [
        {
            "bucket": bucket,
            "per_us": _per_us(rate),
            "due_us": max(due.get(_per_us(rate), 0), start) + count * int(rate.interval * 1e6),
        }
        for rate in rates
    ]
    _put(tx, rows)
    return from_us(start)


def penalise(tx: Tx, bucket: str, until: datetime) -> None:
    """The vendor said "too fast": block the bucket for everyone until `until`."""
    _put(tx, [{"bucket": bucket, "per_us": _BLOCK, "due_us": max(_blocked_until(tx, bucket), to_us(until))}])


def blocked(tx: Tx) -> frozenset[str]:
    """The buckets that are currently blocked."""
    return frozenset(bucket for (bucket,) in tx.raw_rows(_BLOCKED, {"now": tx.now_us}))


_BLOCKED = sa.select(rate_windows.c.bucket).where(rate_windows.c.per_us == _BLOCK, rate_windows.c.due_us > sa.bindparam("now"))


def blocked_for(tx: Tx, bucket: str) -> float:
    """Seconds until the bucket may be used again; 0 if it may."""
    return max(_blocked_until(tx, bucket) - tx.now_us, 0) / 1e6


def _blocked_until(tx: Tx, bucket: str) -> int:
    where = sa.and_(rate_windows.c.bucket == bucket, rate_windows.c.per_us == _BLOCK)
    return tx.execute(sa.select(rate_windows.c.due_us).where(where)).scalar() or 0


def _per_us(rate: Rate) -> int:
    return int(rate.per * 1e6)


def _put(tx: Tx, rows: list[dict[str, Any]]) -> None:
    if rows:
        statement = tx.insert(rate_windows)
        upsert = statement.on_conflict_do_update(index_elements=["bucket", "per_us"], set_={"due_us": statement.excluded.due_us})
        tx.execute(upsert, rows)
