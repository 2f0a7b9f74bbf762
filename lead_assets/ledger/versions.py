"""What the ledger's part of a lead's answer is made from, as numbers: they are equal as long as the answer would be the same.

Does not belong here: how long answers hold (see `model.stands_until`).
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa

from lead_assets.ledger.database import Tx
from lead_assets.ledger.journal import heads_of
from lead_assets.ledger.schema import calls, pins, routed_leads, suppressions

Head = tuple[int | None, int | None]


class Versions(NamedTuple):
    """`last`: the newest call of all. `home`: changes when somebody is suppressed or a campaign is pinned. `heads`: of each key that was ever asked, its newest
    known and unknown answer. `routed`: of each lead that was routed, (owner, way, due, routed, closed)."""

    last: int
    home: tuple[int, int, int]
    heads: dict[str, Head]
    routed: dict[tuple[str, str], tuple[object, ...]]


def versions(tx: Tx, keys: Collection[str], leads: Collection[tuple[str, str]]) -> Versions:
    """The versions of answers and routes, one small query each."""
    count, newest = tx.raw_rows(_SUPPRESSED)[0]
    pinned = tx.raw_rows(_PINNED)[0][0]
    found = tx.raw_rows(heads_of(tx.postgres), {"listed": tx.listed(keys)}) if keys else []
    r = routed_leads.c
    of_leads = sa.select(r.campaign_id, r.lead_id, r.owner, r.way, r.due_at, r.routed_at, r.closed_at).where(
        tx.among(r.campaign_id, {campaign for campaign, _ in leads}), tx.among(r.lead_id, {lead for _, lead in leads})
    )
    routed = tx.raw_rows(of_leads) if leads else []
    return Versions(
        tx.raw_rows(_LAST)[0][0],
        (count, newest, pinned),
        {key: (known, unknown) for key, known, unknown in found},
        {(row[0], row[1]): tuple(row[2:]) for row in routed},
    )


_LAST = sa.select(sa.func.coalesce(sa.func.max(calls.c.id), 0))
_SUPPRESSED = sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(suppressions.c.suppressed_at), 0))
_PINNED = sa.select(sa.func.coalesce(sa.func.max(pins.c.id), 0))
