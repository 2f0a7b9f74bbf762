"""Which artifact is in use, and with which one each campaign was scored: decisions that a rebuild must repeat.

Belongs here: recording and looking up. Does not belong here: artifacts (the archive has them, by the hash that is pinned), or which one is good.

A campaign keeps the artifact that it first met, even if it met none; another one is used for it only when a person asks.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from lead_assets.ledger.database import Tx, from_us
from lead_assets.ledger.schema import pins

if TYPE_CHECKING:
    from lead_assets.ledger.database import Database

NOTHING = ""
"""The artifact of a campaign that was made when none was in use."""
_IN_USE = ""
"""The scope of what is in use for campaigns that have no pin."""


@dataclass(frozen=True)
class Pin:
    """One decision. `campaign_id` is None if it is about what is in use."""

    name: str
    campaign_id: str | None
    artifact: str
    why: str
    pinned_at: datetime


class Pins:
    """The pins of a ledger, by the artifacts' name; safe for many threads and processes."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def in_use(self, name: str) -> str:
        """The hash of the artifact that new campaigns get, or NOTHING."""
        return self._db.read(lambda tx: _newest(tx, name, [_IN_USE]).get(_IN_USE, NOTHING))

    def of(self, name: str, campaigns: Collection[str]) -> dict[str, str]:
        """Campaign → its artifact, or the one in use if it has none yet."""

        def work(tx: Tx) -> dict[str, str]:
            found = _newest(tx, name, [_IN_USE, *campaigns])
            return {campaign: found.get(campaign, found.get(_IN_USE, NOTHING)) for campaign in campaigns}

        return self._db.read(work)

    def use(self, name: str, artifact: str, why: str) -> None:
        """From now on new campaigns get this artifact."""
        self._db.write(lambda tx: _add(tx, name, {_IN_USE: artifact}, why))

    def hold(self, name: str, campaigns: Collection[str]) -> dict[str, str]:
        """Pin the campaigns that have no pin to what is in use. Returns campaign → artifact."""

        def work(tx: Tx) -> dict[str, str]:
            found = _newest(tx, name, [_IN_USE, *campaigns])
            in_use = found.pop(_IN_USE, NOTHING)
            new = {campaign: in_use for campaign in campaigns if campaign not in found}
            _add(tx, name, new, "in use when the campaign was made")
            return found | new

        return self._db.write(work)

    def move(self, name: str, campaigns: Collection[str], why: str) -> list[str]:
        """Pin the campaigns to what is in use now. Returns those that had another artifact."""

        def work(tx: Tx) -> list[str]:
            found = _newest(tx, name, [_IN_USE, *campaigns])
            in_use = found.get(_IN_USE, NOTHING)
            moved = [campaign for campaign in sorted(campaigns) if found.get(campaign) != in_use]
            _add(tx, name, dict.fromkeys(moved, in_use), why)
            return [campaign for campaign in moved if campaign in found]

        return self._db.write(work)

    def history(self, name: str) -> list[Pin]:
        """All decisions about an artifact, oldest first."""
        statement = sa.select(pins).where(pins.c.name == name).order_by(pins.c.id)
        return self._db.read(lambda tx: [_pin(row) for row in tx.rows(statement)])


def _newest(tx: Tx, name: str, scopes: Collection[str]) -> dict[str, str]:
    last = sa.select(sa.func.max(pins.c.id)).where(pins.c.name == name, tx.among(pins.c.scope, scopes)).group_by(pins.c.scope)
    return {row.scope: row.artifact for row in tx.rows(sa.select(pins.c.scope, pins.c.artifact).where(pins.c.id.in_(last)))}


def _add(tx: Tx, name: str, artifacts: dict[str, str], why: str) -> None:
    if not artifacts:
        return
    last = tx.execute(sa.select(sa.func.coalesce(sa.func.max(pins.c.id), 0))).scalar_one()
    rows = [
        {"id": last + number, "name": name, "scope": scope, "artifact": artifact, "why": why, "pinned_at": tx.now_us}
        for number, (scope, artifact) in enumerate(sorted(artifacts.items()), 1)
    ]
    tx.execute(sa.insert(pins), rows)


def _pin(row: Any) -> Pin:
    return Pin(row.name, row.scope or None, row.artifact, row.why, from_us(row.pinned_at))
