"""The outbox's history: what every step notes of the entries that it changed, and words that plan and steps share."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from lead_assets.ledger.database import Tx
from lead_assets.ledger.schema import sends

SLOT = ("destination", "campaign_id", "lead_id", "kind")
UNSENT = ("waiting", "failed", "held", "dead")
"""States in which an entry may still be rewritten: nobody has it."""
SECOND = 1_000_000
Slot = tuple[str, str, str, str]
"""Destination, campaign, lead, kind."""


def note(tx: Tx, events: Iterable[tuple[int, str, str, str | None, int]]) -> None:
    events = list(events)
    if events:
        last = last_note(tx)
        names = ("outbox_id", "campaign_id", "state", "reason", "attempt")
        rows = [dict(zip(names, event, strict=True)) | {"id": last + n, "at": tx.now_us} for n, event in enumerate(events, 1)]
        tx.execute(sa.insert(sends), rows)


def last_note(tx: Tx) -> int:
    return tx.execute(sa.select(sa.func.max(sends.c.id))).scalar() or 0


def bound(*names: str) -> dict[str, Any]:
    return {name: sa.bindparam(f"b_{name}") for name in names}
