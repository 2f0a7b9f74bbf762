"""The outbox: intents first, then who sends what, and what became of it, each step one transaction.

Does not belong here: what the transactions do (see `outbox_plan`, `outbox_steps`), requests (see `lead_assets.delivery.dispatch`), or what is sent (see the
destinations).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from lead_assets.ledger import outbox_steps as steps
from lead_assets.ledger.database import Tx
from lead_assets.ledger.journal import pack
from lead_assets.ledger.outbox_model import Fate, Mirror, Parcel, Planned, Policy, ToSend
from lead_assets.ledger.outbox_notes import SECOND, SLOT, last_note
from lead_assets.ledger.outbox_plan import TELL, gone_of, is_incomparable, is_same, latest_of, planned_of
from lead_assets.ledger.schema import outbox, sends

if TYPE_CHECKING:
    from lead_assets.ledger.database import Database

_ENTRY = (
    *("id", *SLOT, "key", "person", "owner", "reaches", "state", "reason", "revision", "attempts", "uncertain", "created_at"),
    *("due_at", "due_by", "first_sent_at", "confirmed_at", "vendor_ref"),
)


class Outbox:
    """The outbox of a ledger; safe for many threads and processes."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def plan(self, intents: Sequence[ToSend], campaigns: Collection[str], destinations: Collection[str]) -> Planned:
        """Store what is to be sent to `destinations` for all leads of `campaigns`. What is already there with the same content is left alone, what has not
        left yet is replaced, and what is no longer wanted is withdrawn, as is a change that was undone before it left. What was sent with a content of another
        edition is taken to be the same: a new release is no reason to send everything again."""
        # Packing takes longest, and most of the time nothing is new: what is the same is neither packed nor written.
        last, latest = self._db.read(lambda tx: (last_note(tx), latest_of(tx, campaigns)))
        slots = [intent.slot for intent in intents]
        differ = [(intent, known) for slot, intent in zip(slots, intents, strict=True) if not is_same(known := latest.get(slot), intent)]
        told = [
            {"b_id": known.id, "b_was": known.content, "b_content": intent.content}
            for intent, known in differ
            if known is not None and is_incomparable(known, intent)
        ]
        new = [intent for intent, known in differ if known is None or not is_incomparable(known, intent)]
        gone = gone_of(latest, set(slots), destinations)
        if not differ and not gone:
            return Planned(same=len(intents))
        bodies = {intent.slot: pack(dict(intent.body)) for intent in new}
        leads = {intent.lead_id for intent in new} | {row.lead_id for row in gone}
        concerned = [intent for intent in intents if intent.lead_id in leads]

        def work(tx: Tx) -> Planned:
            if told:
                tx.execute(TELL, told)
            if last_note(tx) != last:
                return planned_of(tx, intents, bodies, latest_of(tx, campaigns), destinations)
            # Nothing was noted meanwhile, so all other leads are as they were read.
            planned = planned_of(tx, concerned, bodies, latest_of(tx, campaigns, leads), destinations)
            return replace(planned, same=planned.same + len(intents) - len(concerned))

        return self._db.write(work)

    def claim(
        self,
        holder: str,
        destination: str,
        most: int,
        *,
        lease: float = 60.0,
        campaigns: Collection[str] | None = None,
    ) -> list[Parcel]:
        """Up to `most` entries that are due, oldest first, held for `lease` seconds."""
        return self._db.write(lambda tx: steps.claim(tx, holder, destination, most, lease, campaigns))

    def depart(self, parcels: Sequence[Parcel], holder: str, policy: Policy, ref: str | None = None) -> list[Parcel]:
        """Record that requests for these leave now, with a `ref` by which the destination can be asked for them. Returns those that may leave: the caller
        still holds them, and nobody has had enough of us."""
        return self._db.write(lambda tx: steps.depart(tx, parcels, holder, policy, ref))

    def together(self, works: Sequence[Callable[[Tx], Any]]) -> list[Any]:
        """Several of `outbox_steps` in one transaction."""
        return self._db.write(lambda tx: [work(tx) for work in works])

    def next_due(self, destination: str, campaigns: Collection[str] | None) -> float | None:
        """Seconds until the next entry is due, 0 if one is; None if none is."""
        where = [outbox.c.destination == destination, outbox.c.due_at.is_not(None), outbox.c.holder.is_(None), *steps.ready()]

        def work(tx: Tx) -> float | None:
            own = [steps.of_campaigns(tx, campaigns)] if campaigns is not None else []
            due = tx.execute(sa.select(sa.func.min(outbox.c.due_at)).where(*where, *own)).scalar()
            return None if due is None else max(0.0, (due - tx.now_us) / SECOND)

        return self._db.read(work)

    def settle(self, fates: Sequence[tuple[Parcel, Fate]], holder: str, policy: Policy) -> None:
        """Record what became of parcels, and let go of them."""
        self._db.write(lambda tx: steps.settle(tx, fates, holder, policy))

    def renew(self, holder: str, lease: float = 60.0) -> None:
        """Renew all leases of a living holder."""
        statement = sa.update(outbox).where(outbox.c.holder == holder)
        self._db.write(lambda tx: tx.execute(statement.values(lease_until=tx.now_us + int(lease * SECOND))))

    def release(self, holder: str) -> None:
        """Let go of everything that has not departed."""
        statement = sa.update(outbox).where(outbox.c.holder == holder, outbox.c.state != "sending").values(holder=None, lease_until=None)
        self._db.write(lambda tx: tx.execute(statement))

    def replay(
        self,
        campaigns: Collection[str] | None = None,
        destination: str | None = None,
        reasons: Collection[str] | None = None,
        leads: Collection[str] | None = None,
    ) -> int:
        """Send dead letters again from their first attempt, of some campaigns, leads and reasons or of all. Returns how many."""
        return self._db.write(lambda tx: steps.replay(tx, campaigns, destination, reasons, leads))

    def due(self, destinations: Collection[str]) -> int:
        """The number of entries that could be sent now, including those whose worker has died."""
        return self._db.read(lambda tx: steps.due(tx, destinations))

    def by_state(self) -> dict[str, int]:
        """State → the number of entries in it."""
        counted = sa.select(outbox.c.state, sa.func.count()).group_by(outbox.c.state)
        return self._db.read(lambda tx: dict(tx.raw_rows(counted)))

    def last_sends(self) -> dict[str, int]:
        """Campaign → the newest entry of its history."""
        statement = sa.select(sends.c.campaign_id, sa.func.max(sends.c.id)).group_by(sends.c.campaign_id)
        return self._db.read(lambda tx: dict(tx.raw_rows(statement)))

    def changed_since(self, last: int) -> dict[str, int]:
        """Campaign → the newest entry of its history, for campaigns with one after `last`."""
        newest = sa.select(sends.c.campaign_id, sa.func.max(sends.c.id)).where(sends.c.id > last).group_by(sends.c.campaign_id)
        return self._db.read(lambda tx: dict(tx.raw_rows(newest)))

    def entries(self, campaigns: Collection[str]) -> list[dict[str, Any]]:
        """All entries of the campaigns with their history, oldest first. Without bodies."""
        return self._db.read(lambda tx: _entries(tx, campaigns))

    def columns(
        self, campaigns: Collection[str], of_entries: Sequence[str], of_events: Sequence[str]
    ) -> tuple[list[list[Any]], list[list[Any]]]:
        """These columns of all entries of the campaigns, and of all that happened to them, in any order: for tables of tens of thousands."""
        entries, events = [outbox.c[name] for name in of_entries], [sends.c[name] for name in of_events]
        return self._db.read(
            lambda tx: (
                tx.columns(entries, tx.among(outbox.c.campaign_id, campaigns)),
                tx.columns(events, tx.among(sends.c.campaign_id, campaigns)),
            )
        )

    def latest(self, campaigns: Collection[str]) -> dict[tuple[str, str, str, str], tuple[str, str, str | None]]:
        """(destination, campaign, lead, kind) → (content, state, content of what left before) of the newest entry."""
        return self._db.read(lambda tx: {slot: (row.content, row.state, row.left) for slot, row in latest_of(tx, campaigns).items()})

    def mirrors(self, destination: str, people: Collection[str]) -> dict[str, Mirror]:
        """What the destination has of each person, as far as it told us."""
        return self._db.read(lambda tx: steps.mirrors_of(tx, destination, people))

    def forget(self, people: Collection[str]) -> dict[str, int]:
        """Delete everything about people (see `person_hash`): entries, their history, and what destinations have. Returns rows by table."""
        return self._db.write(lambda tx: steps.forget(tx, people))


def _entries(tx: Tx, campaigns: Collection[str]) -> list[dict[str, Any]]:
    rows = tx.raw_rows(
        sa.select(*(outbox.c[name] for name in _ENTRY)).where(tx.among(outbox.c.campaign_id, campaigns)).order_by(outbox.c.id)
    )
    told: dict[int, list[tuple[int, str, str | None, int]]] = {}
    events = sa.select(sends.c.outbox_id, sends.c.at, sends.c.state, sends.c.reason, sends.c.attempt)
    for number, *event in tx.raw_rows(events.where(tx.among(sends.c.campaign_id, campaigns)).order_by(sends.c.id)):
        told.setdefault(number, []).append((event[0], event[1], event[2], event[3]))
    return [{**dict(zip(_ENTRY, row, strict=True)), "history": told.get(row[0], [])} for row in rows]
