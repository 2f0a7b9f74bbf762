"""Events that were received, by the sender's own id: one that is sent again is recognised, also by another process and after years."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import sqlalchemy as sa

from lead_assets.ledger.database import Tx
from lead_assets.ledger.schema import received_events


class ReceivedEvent(NamedTuple):
    """`received_at`: microseconds since 1970 UTC."""

    source: str
    event_id: str
    drop_id: str
    lead_id: str | None
    received_at: int


def known(tx: Tx, events: Collection[tuple[str, str]]) -> dict[tuple[str, str], ReceivedEvent]:
    if not events:
        return {}
    columns = [received_events.c[name] for name in ReceivedEvent._fields]
    statement = sa.select(*columns).where(tx.among(received_events.c.event_id, {event for _, event in events}))
    found = (ReceivedEvent(*row) for row in tx.rows(statement))
    return {(each.source, each.event_id): each for each in found if (each.source, each.event_id) in events}


def note(tx: Tx, events: Sequence[ReceivedEvent]) -> None:
    if events:
        tx.execute(tx.insert(received_events).on_conflict_do_nothing(), [event._asdict() for event in events])
